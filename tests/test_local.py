"""Local features: keypoints and their codes, candidate pairs by keypoints, and the copies found with them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

import twinpix
from drawings import clouds, draw, on_plain_background
from sessions import session_of
from twinpix import fingerprints
from twinpix.encoding.content_table import File
from twinpix.errors import UsageError
from twinpix.executors import Local
from twinpix.fingerprints.local import LEARNED, MIRROR, KeypointSets, descriptor_codes, pack_keypoints, unpack_keypoints
from twinpix.localfeatures import candidates
from twinpix.localfeatures.candidates import ImagePairs, find_pairs
from twinpix.localfeatures.keypoints import MIRROR as SWAPPED
from twinpix.localfeatures.keypoints import Keypoints, detect_keypoints, mirror_keypoints
from twinpix.match.candidates import Candidate
from twinpix.match.join import best_of_each
from twinpix.match.leaders import LeaderClusters
from twinpix.match.verdict_cache import VerdictCache
from twinpix.model import Alteration, ClassId, ContentId, Report
from twinpix.progress import Progress
from twinpix.report.text import summary
from twinpix.search import joins
from twinpix.store import Store
from twinpix.verify import Verdict

SIDES = (256, 192)


def grey(kind: str, seed: int, size: tuple[int, int] = SIDES) -> NDArray[np.uint8]:
    return np.asarray(draw(kind, seed, size).convert("L"))


# -- keypoints and codes --------------------------------------------------------------------------------


def test_keypoints_of_a_mirrored_image_are_the_mirrored_keypoints() -> None:
    image = grey("street", 1)
    there = mirror_keypoints(detect_keypoints(image, 100), image.shape[1])
    real = detect_keypoints(np.ascontiguousarray(image[:, ::-1]), 100)
    far = np.linalg.norm(there.place[:, None] - real.place[None], axis=2)
    aside = np.abs(np.mod(there.angle[:, None] - real.angle[None] + np.pi, 2 * np.pi) - np.pi)
    same = (far < 1) & (aside < 0.1)
    assert same.any(axis=1).mean() > 0.8
    i = np.flatnonzero(same.any(axis=1))
    j = same[i].argmax(axis=1)
    assert np.median((there.descriptors[i] * real.descriptors[j]).sum(axis=1)) > 0.99


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_a_mirrored_code_is_the_code_with_half_its_bits_inverted(seed: int) -> None:
    around = np.random.default_rng(seed).random((20, 128), dtype=np.float32)
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    unlike = descriptor_codes(around[:, SWAPPED]) ^ descriptor_codes(around) ^ MIRROR
    with np.load(LEARNED, allow_pickle=False) as file:
        margins = np.abs(around @ file["matrix"] - file["threshold"])
    for code, gaps in zip(unlike.tolist(), margins, strict=True):
        # Sums of the same numbers in another order differ in their last bits.
        assert all(gaps[bit] < 1e-5 for bit in range(64) if code >> bit & 1)
    assert np.count_nonzero(unlike) < len(unlike) // 2


def test_keypoints_are_restored_from_their_code() -> None:
    points = detect_keypoints(grey("scene", 2), 80)
    both = np.stack(
        [pack_keypoints(points, SIDES, 100), pack_keypoints(Keypoints(*(part[:0] for part in points)), (9, 7), 100)]
    )
    sets = unpack_keypoints(both)
    count = len(points.size)
    assert sets.starts.tolist() == [0, count, count]
    assert sets.image_sizes.tolist() == [list(SIDES), [9, 7]]
    np.testing.assert_allclose(sets.place, np.maximum(points.place, 0), atol=1 / 64)
    np.testing.assert_allclose(2**sets.size, points.size, rtol=0.03)
    assert np.abs(np.mod(sets.angle - points.angle + np.pi, 2 * np.pi) - np.pi).max() < 0.02
    assert np.array_equal(sets.codes, descriptor_codes(points.descriptors))


def test_an_edit_hardly_changes_the_code_of_a_keypoint() -> None:
    image = draw("scene", 4, (400, 300)).convert("L")
    smaller = image.resize((200, 150), Image.Resampling.BILINEAR)
    a, b = detect_keypoints(np.asarray(image), 150), detect_keypoints(np.asarray(smaller), 150)
    far = np.linalg.norm((a.place / 2)[:, None] - b.place[None], axis=2)
    near = (far < 1.5) & (np.abs(np.log2(a.size / 2)[:, None] - np.log2(b.size)[None]) < 0.3)
    gaps = np.bitwise_count(descriptor_codes(a.descriptors)[:, None] ^ descriptor_codes(b.descriptors)[None])
    assert near.sum() > 30
    assert np.median(gaps[near]) < 10
    assert np.median(gaps[~near]) > 26


# -- candidate pairs ------------------------------------------------------------------------------------


def planted(
    seed: int, images: int, pairs: list[tuple[int, int, bool]]
) -> tuple[KeypointSets, dict[tuple[int, int], NDArray[np.float64]]]:
    """Images of random keypoints, some with the transformed keypoints of another one; and these transforms."""
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, 2**64, 60, dtype=np.uint64) for _ in range(images)]
    place = [rng.uniform(0, 200, (60, 2)) for _ in range(images)]
    size = [rng.uniform(1, 4, 60) for _ in range(images)]
    angle = [rng.uniform(0, 2 * np.pi, 60) for _ in range(images)]
    moves = {}
    for i, j, flip in pairs:
        turn, scale, shift = rng.uniform(-3, 3), rng.uniform(0.5, 2), rng.uniform(-20, 20, 2)
        linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        some = rng.permutation(60)[:25]
        noise = np.uint64(1) << rng.integers(0, 64, (3, 25), dtype=np.uint64)  # bits of each code that an edit changes
        codes[j][:25] = codes[i][some] ^ np.where(flip, MIRROR, np.uint64(0)) ^ noise[0] ^ noise[1] ^ noise[2]
        place[j][:25] = place[i][some] @ linear.T + shift
        size[j][:25] = size[i][some] + np.log2(scale)
        angle[j][:25] = angle[i][some] + turn
        move = np.column_stack([linear, shift])
        if flip:
            place[j][:25, 0] = 199 - place[j][:25, 0]
            angle[j][:25] = np.pi - angle[j][:25]
            move[0] = -move[0]
            move[0, 2] += 199
        moves[i, j] = move
    starts = np.arange(images + 1, dtype=np.int64) * 60
    image_sizes = np.full((images, 2), 200, np.float32)
    flat = [np.concatenate(part) for part in (codes, place, size, angle)]
    floats = [part.astype(np.float32) for part in flat[1:]]
    return KeypointSets(starts, image_sizes, flat[0].astype(np.uint64), floats[0], floats[1], floats[2]), moves


def agreeing(sets: KeypointSets, of: int | None = None, workers: Local | None = None) -> ImagePairs:
    geometry = np.column_stack([sets.place, sets.size, sets.angle]).astype(np.float32)
    return find_pairs((sets.starts, sets.codes, geometry, sets.image_sizes), int(MIRROR), of=of, workers=workers)


@given(st.integers(0, 2**32 - 1), st.sets(st.tuples(st.integers(0, 4), st.integers(5, 9)), max_size=4), st.booleans())
@settings(max_examples=40, deadline=None)
def test_keypoints_moved_by_one_transform_are_found_and_no_others(
    seed: int, ends: set[tuple[int, int]], flip: bool
) -> None:
    first: dict[int, tuple[int, int, bool]] = {j: (i, j, flip) for i, j in sorted(ends)}  # one transform into an image
    sets, moves = planted(seed, 10, list(first.values()))
    found = agreeing(sets)
    pairs = list(zip(found.i.tolist(), found.j.tolist(), strict=True))
    direct = {pair: at for at, pair in enumerate(pairs) if pair in moves}
    assert set(direct) == set(moves)
    for pair, at in direct.items():
        np.testing.assert_allclose(found.change[at], moves[pair], atol=0.6)
        assert found.points[at] >= 23
        assert found.mirrored[at] == flip
    sources = {j: i for i, j in moves}
    assert all(sources.get(i) == sources.get(j, -1) for i, j in pairs if (i, j) not in moves)  # copies of one image


@pytest.mark.parametrize("of", [None, 4])
def test_codes_that_are_joined_in_parts_give_the_same_pairs(of: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    sets, _ = planted(11, 12, [(0, 5, False), (1, 6, True), (0, 7, False), (2, 11, True)])
    sets.codes[:40] = sets.codes[0]  # one code of many keypoints
    whole = agreeing(sets, of)
    assert len(whole.i) >= 3
    for joined in (700, 100, 33):
        monkeypatch.setattr(candidates, "_JOINED", joined)
        for one, other in zip(whole, agreeing(sets, of), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("of", [None, 4])
def test_votes_on_other_machines_give_the_same_pairs(of: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    sets, _ = planted(12, 12, [(0, 5, False), (1, 6, True), (0, 7, False), (2, 11, True)])
    sets.codes[:40] = sets.codes[0]
    whole = agreeing(sets, of)
    assert len(whole.i) >= 3
    monkeypatch.setattr(joins, "WORTH_SENDING", -1.0)  # else only votes of seconds are sent
    monkeypatch.setattr(candidates, "_SENT_AT_ONCE", 5)
    sent, run = list[str](), Local.map

    def noting(executor: Local, task: Any, batches: Any) -> Any:
        sent.append(type(task).__name__)
        return run(executor, task, batches)

    monkeypatch.setattr(Local, "map", noting)
    for one, other in zip(whole, agreeing(sets, of, Local(2)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert "VoteTask" in sent


def test_keypoints_that_agree_in_their_code_alone_are_not_enough() -> None:
    sets, _ = planted(3, 6, [(0, 5, False)])
    rng = np.random.default_rng(1)
    sets.place[:] = rng.uniform(0, 200, sets.place.shape)
    assert not len(agreeing(sets).i)


def test_only_pairs_of_the_first_are_searched_on_request() -> None:
    sets, _ = planted(5, 8, [(0, 4, False), (1, 5, True), (2, 6, False)])
    assert list(zip(*(x.tolist() for x in agreeing(sets, of=2)[:2]), strict=True)) == [(0, 4), (1, 5)]


def test_without_images_or_keypoints_there_are_no_pairs() -> None:
    empty = np.zeros((3, 100), np.uint8)
    method = fingerprints.make("local:points=16")
    assert not len(agreeing(unpack_keypoints(np.zeros((0, method.bits // 8), np.uint8))).i)
    assert not len(agreeing(unpack_keypoints(np.zeros((3, method.bits // 8), np.uint8))).i)
    assert len(detect_keypoints(empty, 50).size) == 0


def test_a_code_of_thousands_of_keypoints_is_fast_and_hides_no_copies() -> None:
    sets, moves = planted(7, 400, [(10, 300, False), (20, 301, True)])
    sets.codes.reshape(400, 60)[:, 40:] = np.uint64(12345)
    found = agreeing(sets)
    assert set(moves) <= set(zip(found.i.tolist(), found.j.tolist(), strict=True))
    assert len(found.i) < 400


# -- find -----------------------------------------------------------------------------------------------


def saved(folder: Path, **images: Image.Image) -> Path:
    folder.mkdir(exist_ok=True)
    for name, image in images.items():
        image.convert("RGB").save(folder / f"{name}.jpg", quality=90)
    return folder


def groups(report: Report) -> list[list[str]]:
    return sorted(sorted(Path(member.path).stem for member in group.members) for group in report.groups)


def relations(report: Report) -> dict[tuple[str, str], str]:
    return {
        (Path(match.a).stem, Path(match.b).stem): match.relation for group in report.groups for match in group.matches
    }


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    street = draw("street", 1, (480, 360)).convert("RGB")
    scene = draw("scene", 2, (500, 380)).convert("RGB")
    framed = Image.new("RGB", (760, 620), (230, 232, 236))
    framed.paste(street, (140, 160))
    captioned = Image.new("RGB", (480, 460), "white")
    captioned.paste(street, (0, 100))
    ImageDraw.Draw(captioned).text((10, 10), "WHEN THE STREET IS EMPTY", fill="black", font_size=28)
    patched = scene.copy()
    ImageDraw.Draw(patched).rectangle((60, 60, 180, 150), fill=(250, 240, 30))
    return saved(
        tmp_path_factory.mktemp("album") / "a",
        street=street,
        cropped=street.crop((60, 40, 420, 330)),
        turned=street.rotate(20, Image.Resampling.BICUBIC, expand=True),
        mirrored=ImageOps.mirror(street),
        framed=framed,
        captioned=captioned,
        scene=scene,
        small=scene.resize((200, 152)),
        dark=scene.point([int(255 * (x / 255) ** 1.7) for x in range(256)] * 3),
        patched=patched,
        other=draw("street", 9, (480, 360)),
        another=draw("scene", 8, (500, 380)),
    )


@pytest.mark.parametrize("method", ["local", "cascade"])
def test_crops_rotations_mirrors_frames_and_captions_are_found(album: Path, method: str) -> None:
    report = twinpix.find(album, method=method, store=None)
    street = ["captioned", "cropped", "framed", "mirrored", "street", "turned"]
    assert groups(report) == [street, ["dark", "patched", "scene", "small"]]
    assert report.verified
    for group in report.groups:
        for match in group.matches:
            assert match.agrees is not None
            assert match.agrees >= 0.5
            assert match.distance == pytest.approx(1 - match.agrees, abs=1e-4)
            assert match.detail or match.relation == "re-encoded"
    padded = [match for match in report.groups[0].matches if match.relation == "padded"]
    assert {Path(path).stem for match in padded for path in (match.a, match.b)} >= {"framed", "captioned"}
    for match in padded:
        assert match.borders == ("border removed" in match.detail, "padded to" in match.detail)
    bordered = {path for match in padded for path, has in zip((match.a, match.b), match.borders, strict=True) if has}
    assert bordered
    assert bordered <= {member.path for member in report.groups[0].members if Alteration.PADDED in member.altered}
    if method == "cascade":
        assert {match.tier for group in report.groups for match in group.matches} <= {"phash", "local"}


def test_a_negative_is_found_by_its_inverted_hash(tmp_path: Path) -> None:
    for seed in (1, 2):
        image = draw("scene", seed, (480, 360))
        saved(tmp_path, **{f"a{seed}": image, f"b{seed}": ImageOps.invert(image).resize((320, 240))})
    assert groups(twinpix.find(tmp_path, method="cascade", store=None)) == [["a1", "b1"], ["a2", "b2"]]


@pytest.mark.parametrize(
    ("a", "b", "relation", "detail"),
    [
        ("street", "cropped", "cropped", r"cropped 6[01]% at \((59|60|61), (39|40|41)\)"),
        ("street", "turned", "rotated", r"rotated -(20|19\.9|20\.1)°, padded to 1\d\d%"),
        ("street", "mirrored", "mirrored", "mirrored"),
        ("street", "framed", "padded", r"padded to 27\d%"),
        ("street", "captioned", "padded", r"padded to 12[789]%"),
        ("scene", "small", "resized", r"resized 0\.(4|399|401)"),
        ("scene", "dark", "recoloured", "recoloured|lightened or darkened"),
        ("scene", "patched", "edited", r"edited: region 1[12]\d×(8|9)\d at \(\d\d, \d\d\)"),
    ],
)
def test_a_match_describes_the_edit(album: Path, a: str, b: str, relation: str, detail: str) -> None:
    (hit,) = [
        hit
        for hit in twinpix.query(album / f"{a}.jpg", album, method="local", store=None)[0]
        if Path(hit.path).stem == b
    ]
    assert hit.relation == relation
    assert re.fullmatch(detail, hit.detail), hit.detail


def test_a_stored_verdict_is_read_unchanged() -> None:
    store, key = Store(None), bytes(16)
    cache = VerdictCache(store)
    verdict = Verdict("padded", "padded to 120%", "border removed", 0.9, (1.0, 0.8), 12, None, borders=(False, True))
    cache.put(key, verdict)
    store.flush()
    assert cache.of([key]) == {key: verdict}


def test_the_report_does_not_depend_on_the_workers(album: Path) -> None:
    reports = [twinpix.find(album, method="cascade", store=None, workers=workers) for workers in (1, 3)]
    assert reports[0].groups == reports[1].groups
    assert reports[0].similar == reports[1].similar


def test_verification_drops_false_matches_of_a_hash(tmp_path: Path) -> None:
    images = {f"p{seed}": draw("scene", seed, (320, 240)) for seed in range(6)}
    folder = saved(tmp_path / "x", copy=draw("scene", 0, (320, 240)).resize((160, 120)), **images)
    loose = twinpix.find(folder, method="ahash", radius=28, verify=False, store=None)
    assert loose.counts.discards > 1
    report = twinpix.find(folder, method="ahash", radius=28, verify=True, store=None)
    assert groups(report) == [["copy", "p0"]]
    assert isinstance(report.groups[0].matches[0].distance, int)
    assert report.groups[0].matches[0].relation == "resized"


def test_copies_of_images_with_few_keypoints_are_found(tmp_path: Path) -> None:
    first, second, third = (clouds(seed, (600, 450), (8, 6), 10) for seed in (1, 2, 3))
    album = saved(
        tmp_path / "a",
        first=first,
        mirrored=ImageOps.mirror(first),
        cropped=first.crop((50, 40, 520, 400)),
        upright=first.transpose(Image.Transpose.ROTATE_90),
        second=second,
        third=third,
        blank=Image.new("RGB", (600, 450), "white"),
    )
    report = twinpix.find(album, method="local", store=None)
    assert groups(report) == [["cropped", "first", "mirrored", "upright"]]
    assert "matched only when identical, or by their keypoints" in summary(report)


def test_copies_of_a_small_object_on_a_plain_background_are_found(tmp_path: Path) -> None:
    background = (214, 212, 196)
    first, second = (on_plain_background(seed, (900, 700), (120, 120), (400, 240), background) for seed in (3, 4))
    album = saved(
        tmp_path / "a",
        first=first,
        turned=first.rotate(10, Image.Resampling.BICUBIC, fillcolor=background),
        mirrored=ImageOps.mirror(first),
        second=second,
    )
    report = twinpix.find(album, method="local", store=None)
    assert groups(report) == [["first", "mirrored", "turned"]]


def test_copies_with_different_surroundings_are_one_group(tmp_path: Path) -> None:
    """The keeper is larger than the image and has its own background, like others; all match via the image."""
    image = draw("table", 5, (480, 360)).convert("RGB")
    page = Image.new("RGB", (1000, 900), (60, 64, 72))
    page.paste(image, (260, 270))
    story = image.resize((528, 939)).filter(ImageFilter.GaussianBlur(20))
    story.paste(image, (24, 290))
    frame = ImageOps.expand(image, 110, (250, 250, 250))
    album = saved(
        tmp_path / "a",
        page=page,
        story=story,
        frame=frame,
        turned=image.rotate(45, Image.Resampling.BICUBIC, expand=True, fillcolor=(128, 128, 128)),
        picture=image,
        small=image.resize((360, 270)),
        dark=image.point([int(level * 0.7) for level in range(256)] * 3),
        upright=image.transpose(Image.Transpose.ROTATE_90),
        cropped=image.crop((40, 30, 400, 330)),
        other=draw("table", 6, (480, 360)),
    )
    report = twinpix.find(album, method="local", store=None)
    assert groups(report) == [["cropped", "dark", "frame", "page", "picture", "small", "story", "turned", "upright"]]


def test_a_common_caption_is_not_a_match(tmp_path: Path) -> None:
    def captioned(kind: str, seed: int) -> Image.Image:
        out = Image.new("RGB", (420, 420), "white")
        out.paste(draw(kind, seed, (420, 300)).convert("RGB"), (0, 120))
        ImageDraw.Draw(out).multiline_text((10, 10), "WHEN YOU FIND\nA DUPLICATE", fill="black", font_size=44)
        return out

    folder = saved(
        tmp_path / "x", **{f"{kind}{seed}": captioned(kind, seed) for kind in ("scene", "street") for seed in (1, 2)}
    )
    assert twinpix.find(folder, method="cascade", store=None).groups == []


def test_a_file_removed_before_verification_is_reported(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twinpix.match import verifier

    sound = album / "street.jpg"
    files = [(tmp_path / "gone.jpg", b""), (sound, xxhash.xxh3_128_digest(sound.read_bytes()))]
    first = verifier.Verifier([File(str(path), digest, 0) for path, digest in files], 0.5, session_of())
    first.verify([verifier.Pair(ContentId(0), ContentId(1), ())])
    assert [(Path(failure.path).name, failure.stage) for failure in first.failures] == [("gone.jpg", "verify")]
    assert first.of(ContentId(0), ContentId(1)) is None


def test_a_file_changed_after_encoding_is_not_verified(album: Path) -> None:
    from twinpix.match import verifier

    files = [File(str(album / name), b"of something else", 0) for name in ("street.jpg", "street50.jpg")]
    eye = verifier.Verifier(files, 0.5, session_of())
    eye.verify([verifier.Pair(ContentId(0), ContentId(1), ())])
    assert [failure.error for failure in eye.failures] == ["changed since it was read; run again"]


@pytest.mark.parametrize("method", ["local", "phash"])
def test_stored_verdicts_are_not_computed_again(album: Path, tmp_path: Path, method: str) -> None:
    class EvidenceReader(Progress):
        looked = 0

        def start(self, stage: str, total: int) -> None:
            self.looked += total if stage == "verify" else 0

    def found(store: str | None) -> tuple[Report, int]:
        progress = EvidenceReader()
        report = twinpix.find(album, method=method, verify=True, store=store, progress=progress)
        return replace(report, created=""), progress.looked

    path = str(tmp_path / "s.sqlite")
    fresh, first, second = found(None), found(path), found(path)
    assert fresh[0] == first[0] == second[0]
    assert fresh[1] == first[1] > 0
    assert second[1] == 0
    store = Store(Path(path))
    assert store.info().verdicts > 0
    store.clear()
    assert store.info().verdicts == 0
    store.close()
    assert found(path) == first


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_the_best_candidates_of_each_image_are_kept(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ends = [(i, j) for i in range(12) for j in range(i + 1, 12) if rng.random() < 0.8]
    i, j = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    points = rng.integers(6, 40, len(i)).astype(np.int32)
    change = np.zeros((len(i), 2, 3), np.float32)
    found = ImagePairs(i, j, points, points.astype(np.float32), np.zeros(len(i), bool), change)
    kept = set(best_of_each(found.i, found.j, found.points, 3).tolist())
    likeliest = set[int]()
    for image in range(12):
        mine = sorted(np.flatnonzero((i == image) | (j == image)).tolist(), key=lambda at: (-points[at], at))
        likeliest.update(mine[:3])
    assert kept == likeliest


def test_a_method_that_only_proposes_candidates_needs_verification(album: Path) -> None:
    with pytest.raises(UsageError, match="only proposes candidate pairs"):
        twinpix.find(album, method="local", verify=False, store=None)
    with pytest.raises(UsageError, match="which has no search back ends"):
        twinpix.find(album, method="cascade", search="banded", store=None)
    with pytest.raises(UsageError, match="between 0 and 1"):
        twinpix.find(album, method="local", radius=3, store=None)


def test_a_report_with_verdicts_is_read_again(album: Path, tmp_path: Path) -> None:
    from twinpix import report as reports

    found = twinpix.find(album, method="local", store=None)
    path = tmp_path / "report.json"
    path.write_text("".join(reports.writer("json").parts(found)), encoding="utf-8")
    assert reports.read(str(path)).groups == found.groups
    assert json.loads(path.read_text(encoding="utf-8"))["verified"] is True


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40))
def test_a_class_has_one_leader_which_has_none_and_only_improves(claims: list[tuple[ClassId, ClassId]]) -> None:
    every = list(map(ClassId, range(13)))
    clusters = LeaderClusters(lambda classes: {class_: class_ for class_ in classes}, lambda leader, joint: 1.0)
    clusters.propose([Candidate(i, j, None, (), "") for i, j in combinations(every, 2)])
    for better, class_ in claims:
        if better >= class_:
            continue
        before = {each: clusters.leader_of(each) for each in every}
        freed = clusters.claim(better, class_)
        assert freed == sorted(
            each for each, leader in before.items() if leader == class_ and clusters.leader_of(class_) == better
        )
        now = {each: clusters.leader_of(each) for each in every}
        assert all(now[each] is None for each in freed)
        assert all(leader is None or (now[leader] is None and leader < each) for each, leader in now.items())
        assert all(now[each] == before[each] for each in every if each != class_ and each not in freed)
        old, new = before[class_], now[class_]
        assert old is None or (new is not None and new <= old)
    free = {each for each in every if clusters.leader_of(each) is None}
    pairs = {(i, j) for i, j in combinations(sorted(free), 2)}
    for depth in range(14):
        assert set(clusters.edges(depth)) == {(i, j) for i, j in pairs if sorted(free).index(i) <= depth}


def test_a_candidate_of_many_followers_is_verified_against_their_leader_first() -> None:
    clusters = LeaderClusters(
        lambda classes: {class_: class_ for class_ in classes}, lambda leader, joint: 0.9 if leader else 0.5
    )
    alone, one, many = ClassId(40), {leader: [10 + leader] for leader in range(1, 8)}, list(range(20, 26))
    claims = [(ClassId(leader), ClassId(class_)) for leader, classes in {**one, 0: many}.items() for class_ in classes]
    clusters.propose([Candidate(class_, alone, None, (), "") for _, class_ in claims])
    for leader, class_ in claims:
        clusters.claim(leader, class_)
    assert list(clusters.via_pairs()) == [(alone, class_) for class_ in many[:3]]


def test_compiled_loops_load_without_scipy_linalg_and_leave_it_to_other_compiled_code() -> None:
    code = """
import sys
import numpy as np
from PIL import Image
import twinpix
list(twinpix.encode_pictures([("a", Image.effect_noise((200, 150), 90))], ["cascade"]))
print("scipy.linalg" in sys.modules, sys.modules["numba.np.arraymath"]._HAVE_BLAS)
import numba
@numba.njit
def product(a, b):
    return np.dot(a, b), np.convolve(a[0], b[0])
print(product(np.ones((2, 2)), np.ones((2, 2)))[0].tolist(), "scipy.linalg" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["False True", "[[2.0, 2.0], [2.0, 2.0]] True"]

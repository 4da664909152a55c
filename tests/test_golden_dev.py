"""Every image of the shared folder: the same hashes as imagededup (recorded), ImageHash and pdqhash."""

import gzip
import hashlib
import json
import warnings
from pathlib import Path

import imagehash
import numpy as np
import pdqhash
import pytest
from PIL import Image

from amounts import amount
from twinpix import fingerprints
from twinpix.errors import ImageError
from twinpix.formats import sniff
from twinpix.imaging import decode

GOLDEN = Path(__file__).parent / "golden" / "imagededup_dev.json.gz"
PARTS = 10  # by default half of the first part runs: every twentieth image
HASHES = ("ahash", "dhash", "phash", "whash")


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.full) for part in range(1, PARTS))])
@pytest.mark.filterwarnings("ignore")
def test_dev_images(shared: Path, part: int) -> None:
    golden = json.loads(gzip.decompress(GOLDEN.read_bytes()))["items"]
    every = sorted(path for path in (shared / "images/dev").rglob("*") if path.is_file())
    files = every[part::PARTS][:: amount(2, 1)]
    deduped = {name: fingerprints.make(name) for name in HASHES}
    hashed = {name: fingerprints.make(f"{name}:flavour=imagehash") for name in HASHES}
    compared, gaps = 0, []
    for path in files:
        data = path.read_bytes()
        expected = golden.get(hashlib.sha256(data).hexdigest())
        if (
            expected is None or sniff(data[:512], path.name) == "RAW"
        ):  # imagededup reads the thumbnail, twinpix the sensor
            continue
        decoded = decode(data, "reference", path.name)
        compared += 1
        for name, method in deduped.items():
            assert fingerprints.codes_of(method, [decoded])[0, 0].tobytes().hex() == expected[name], (path, name)
        image = opened(path)
        if image is None:
            continue
        theirs = {
            "ahash": imagehash.average_hash,
            "dhash": imagehash.dhash,
            "phash": imagehash.phash,
            "whash": imagehash.whash,
        }
        for name, method in hashed.items():
            try:
                expected_code = str(theirs[name](image))
            except ValueError:  # a mode that Pillow cannot turn to luma is a failure here too
                with pytest.raises(ImageError):
                    fingerprints.codes_of(method, [decoded])
                continue
            code = fingerprints.codes_of(method, [decoded])[0, 0].tobytes().hex()
            assert code == expected_code, (path, name)
        if min(image.size) >= 64 and fingerprints.detail_score_of(decoded) >= fingerprints.LOW_DETAIL_BELOW:
            bits, _ = pdqhash.compute(np.asarray(image.convert("RGB")))
            method = fingerprints.make("pdq")
            code = np.unpackbits(fingerprints.codes_of(method, [decoded])[0, 0])
            gaps.append(int(np.count_nonzero(code != bits)))
    assert compared > amount(150, 300)
    assert np.mean(gaps) < 2
    assert np.mean(np.array(gaps) > 10) < 0.02


def opened(path: Path) -> Image.Image | None:
    """The image as users of ImageHash open it; None if Pillow alone cannot read it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(path)
            image.load()
        except (OSError, SyntaxError, ValueError):
            return None
    return image


@pytest.mark.parametrize("path", ["compat/ukbench09268_corrupt.jpg"])
def test_an_unreadable_file_has_no_code(shared: Path, path: str) -> None:
    with pytest.raises(ImageError):
        decode((shared / "images" / path).read_bytes(), "reference")

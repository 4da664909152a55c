"""The server of `twinpix review`, started as a user does: who may use it, decisions, acts, and how it ends."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

import twinpix
from amounts import amount
from commands import run
from reviewing import Served, copies, make_report, served
from twinpix.review.security import LARGEST_BODY

GROUPS = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_report(tmp_path_factory.mktemp("review"), GROUPS)


@pytest.fixture(scope="module")
def shown(folder: Path) -> Iterator[Served]:
    """A server for tests that change nothing."""
    with served(folder) as server:
        yield server


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return make_report(tmp_path, 3)


def task(client: httpx.Client, **act: str) -> dict[str, Any]:
    """Run an act and return how it ended."""
    assert client.post("/api/act", json=act).status_code == 200
    for _ in range(600):
        found: dict[str, Any] = client.get("/api/task").json()
        if found["ended"]:
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- who may use it -------------------------------------------------------------------------------------


def test_the_link_gives_a_cookie_that_scripts_and_other_sites_cannot_use(shown: Served) -> None:
    answer = httpx.get(shown.link)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


@pytest.mark.parametrize("path", ["/", "/api/head", "/images/1", "/static/main.js", "/api/task"])
def test_without_the_token_nothing_is_shown(shown: Served, path: str) -> None:
    for cookies in ({}, {"twinpix-review": "wrong"}, {"twinpix-review": ""}):
        answer = httpx.get(shown.base + path, cookies=cookies)
        assert answer.status_code == 403
        assert b"photos" not in answer.content
    assert httpx.get(f"{shown.base}/?token=wrong").status_code == 403


def test_a_name_that_leads_to_this_machine_is_refused(shown: Served) -> None:
    with shown.client() as client:
        assert client.get("/api/head", headers={"host": "evil.example"}).status_code == 421
        assert client.get("/api/head", headers={"host": "127.0.0.1:1"}).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "https://127.0.0.1"])
def test_a_form_of_another_site_changes_nothing(shown: Served, origin: str) -> None:
    with shown.client() as client:
        answer = client.post("/api/groups/1/decision", json={"keeper": 1, "verdicts": {}}, headers={"origin": origin})
        assert answer.status_code == 403
        assert client.get("/api/groups/1").json()["decision"] is None


def test_every_answer_has_the_headers_of_a_closed_page(shown: Served) -> None:
    with shown.client() as client:
        for path in ("/", "/api/head", "/images/1", "/static/main.js", "/images/999"):
            headers = client.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "path", ["/images/x", "/images/-1", "/images/1/../../etc/passwd", "/static/../server.py", "/x"]
)
def test_only_numbers_of_the_report_lead_to_a_file(shown: Served, path: str) -> None:
    with shown.client() as client:
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/api/groups", {"start": "-1"}),
        ("/api/groups", {"number": "9" * 40}),
        ("/api/groups", {"order": "id; DROP TABLE groups"}),
        ("/api/groups", {"certainty": "x"}),
        ("/images/1", {"side": "1e9"}),
    ],
)
def test_wrong_parameters_are_refused(shown: Served, path: str, parameters: dict[str, str]) -> None:
    with shown.client() as client:
        assert client.get(path, params=parameters).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"not json", 400),
        (b"[]", 400),
        (b'{"keeper": "x"}', 400),
        (b'{"keeper": 1, "verdicts": {"2": "maybe"}}', 400),
        (b'{"keeper": 1, "verdicts": []}', 200),
        (b'{"keeper": 999}', 404),
        (b'{"keeper": 1, "verdicts": {"999": "discard"}}', 404),
        (b" " * (LARGEST_BODY + 1), 413),
    ],
)
def test_wrong_decisions_are_refused(shown: Served, body: bytes, status: int) -> None:
    with shown.client() as client:
        answer = client.post("/api/groups/1/decision", content=body)
        assert answer.status_code == status
        if status == 200:
            client.post("/api/take-back", json={})


# -- what it shows --------------------------------------------------------------------------------------


def test_groups_come_in_parts_with_their_images(shown: Served) -> None:
    with shown.client() as client:
        head = client.get("/api/head").json()
        assert (head["groups"], head["spec"]) == (GROUPS, "cascade")
        found = client.get("/api/groups", params={"order": "number", "start": 1, "number": 2}).json()
        assert [group["id"] for group in found["groups"]] == [2, 3]
        assert found["count"] == GROUPS
        one = client.get("/api/groups/2").json()
        assert len(one["images"]) == 3
        assert (one["decision"], one["changes"]) == (None, {})
        assert client.get("/api/groups/2/place", params={"order": "number"}).json() == {"place": 1}
        assert client.get("/api/groups/99").status_code == 404


def test_an_image_is_a_jpeg_of_the_asked_size(shown: Served, tmp_path: Path) -> None:
    with shown.client() as client:
        image = client.get("/api/groups/1").json()["images"][0]
        for side, size in ((120, (120, 90)), (4000, (480, 360))):
            answer = client.get(f"/images/{image['number']}", params={"side": side})
            assert answer.headers["content-type"] == "image/jpeg"
            (tmp_path / "x.jpg").write_bytes(answer.content)
            with Image.open(tmp_path / "x.jpg") as shown_image:
                assert shown_image.size == size


def test_two_images_are_laid_on_each_other_within_a_pixel(shown: Served) -> None:
    seen = set()
    with shown.client() as client:
        for number in range(1, GROUPS + 1):
            keeper, *others = client.get(f"/api/groups/{number}").json()["images"]
            for other in others:
                found = client.get(f"/api/pairs/{keeper['number']}/{other['number']}").json()
                seen.add(found["relation"])
                a, b, c, d, e, f = found["b_to_a"]
                x, y = other["width"] / 2, other["height"] / 2
                expected = corner_of(other["name"], keeper, (x, y))
                if expected is not None and keeper["name"].endswith("original.png"):
                    assert abs(a * x + c * y + e - expected[0]) < 1
                    assert abs(b * x + d * y + f - expected[1]) < 1
                answer = client.get(f"/differences/{keeper['number']}/{other['number']}")
                assert answer.content.startswith(b"\x89PNG")
    assert len(seen) >= 4


def corner_of(name: str, keeper: dict[str, Any], centre: tuple[float, float]) -> tuple[float, float] | None:
    """Where the centre of an edited copy is in its original, which is 480 by 360 pixels."""
    edit = int(name.rsplit(" ", 1)[1].removesuffix(".jpg")) if "edit" in name else -1
    return {0: (240.0, 180.0), 1: (250.0, 185.0), 2: (240.0, 180.0), 3: (240.0, 180.0), 4: (240.0, 180.0)}.get(edit)


def test_an_image_that_cannot_be_read_has_a_reason(report: Path) -> None:
    (report.parent / "photos" / "00 original.png").write_bytes(b"broken")
    with served(report) as server, server.client() as client:
        images = client.get("/api/groups/1").json()["images"]
        broken = next(image for image in images if image["name"].endswith("00 original.png"))
        answer = client.get(f"/images/{broken['number']}")
        assert answer.status_code == 422
        assert "not an image" in answer.text
        assert client.get("/api/groups/1").json()["changes"] == {str(broken["number"]): "changed"}


def test_the_tags_of_an_image_are_text(report: Path) -> None:
    with served(report) as server, server.client() as client:
        assert client.get("/api/tags/1").json() == {}


# -- decisions ------------------------------------------------------------------------------------------


def test_a_decision_is_kept_and_taken_back(report: Path) -> None:
    with served(report) as server, server.client() as client:
        group = client.get("/api/groups/1").json()
        first, second, third = (image["number"] for image in group["images"])
        decision = {"keeper": second, "verdicts": {first: "discard", third: "both"}}
        answer = client.post("/api/groups/1/decision", json=decision).json()
        expected = {"keeper": second, "verdicts": {str(first): "discard", str(third): "both"}}
        assert answer["decision"] == expected
        assert client.get("/api/groups", params={"state": "decided"}).json()["count"] == 1
    with served(report) as server, server.client() as client:  # a new start, the same store
        assert client.get("/api/groups/1").json()["decision"] == expected
        assert client.post("/api/take-back", json={}).json() == {"what": "group 1"}
        assert client.get("/api/groups/1").json()["decision"] is None
        assert client.post("/api/take-back", json={}).json() == {"what": ""}


def test_find_honours_decisions_and_renamed_files_keep_theirs(report: Path) -> None:
    photos = report.parent / "photos"
    with served(report) as server, server.client() as client:
        images = client.get("/api/groups/1").json()["images"]
        keeper, *others = (image["number"] for image in images)
        client.post("/api/groups/1/decision", json={"keeper": keeper, "verdicts": dict.fromkeys(others, "apart")})
        images = client.get("/api/groups/2").json()["images"]
        keeper, *others = (image["number"] for image in images)
        client.post("/api/groups/2/decision", json={"keeper": keeper, "verdicts": {}})
    for path in photos.iterdir():
        path.rename(photos / f"renamed {path.name}")
    again = twinpix.find(photos, store=str(report.parent / "store.sqlite"))
    assert len(again.groups) == 2
    again.save(report, force=True)
    with served(report) as server, server.client() as client:
        states = {group["id"]: group["state"] for group in client.get("/api/groups").json()["groups"]}
        assert sorted(states.values()) == ["", "decided"]


def test_selected_groups_are_decided_as_one_batch(report: Path) -> None:
    with served(report) as server, server.client() as client:
        images = client.get("/api/groups/1").json()["images"]
        second = images[1]["number"]
        client.post("/api/groups/1/decision", json={"keeper": second, "verdicts": {images[0]["number"]: "later"}})
        (report.parent / "photos" / "02 original.png").touch()
        changed = next(g["id"] for g in client.get("/api/groups", params={"text": "02 original"}).json()["groups"])
        ids = [1, 2, 3, 2]
        answer = client.post("/api/decide-groups", json={"groups": ids, "verdict": "discard"})
        assert answer.json() == {"groups": 2, "changed": 1}
        assert client.get("/api/groups/1").json()["decision"]["keeper"] == second  # the one chosen before
        assert client.get(f"/api/groups/{changed}").json()["state"] == ""
        assert client.post("/api/take-back", json={}).json() == {"what": "2 selected groups"}
        assert client.get("/api/groups").json()["states"] == {"": 2, "later": 1}
        assert client.post("/api/decide-groups", json={"groups": ids, "verdict": "apart"}).json()["groups"] == 3
        assert client.get("/api/groups").json()["states"] == {"decided": 3}
        for body in ({"groups": [9], "verdict": "discard"}, {"groups": [1], "verdict": "x"}, {"groups": ["x"]}):
            assert client.post("/api/decide-groups", json=body).status_code in (400, 404)


def test_a_rule_decides_many_groups_as_one_batch(report: Path) -> None:
    with served(report) as server, server.client() as client:
        counted = client.post("/api/decide-all", json={"filter": {}, "apply": False}).json()
        assert (counted["groups"], counted["images"], counted["left_out"]) == (3, 5, 0)
        assert sorted(counted["least"]) == [1, 2, 3]
        assert client.get("/api/groups").json()["states"] == {"": 3}
        (report.parent / "photos" / "02 original.png").touch()
        done = client.post("/api/decide-all", json={"filter": {}, "apply": True}).json()
        assert (done["groups"], done["left_out"], done["changed"]) == (2, 1, 1)
        assert client.get("/api/groups").json()["states"] == {"": 1, "decided": 2}
        client.post("/api/take-back", json={})
        assert client.get("/api/groups").json()["states"] == {"": 3}


def test_keep_rules_choose_other_keepers(report: Path) -> None:
    with served(report) as server, server.client() as client:
        rule = {"filter": {}, "keep": "path:*edit*", "apply": True}
        done = client.post("/api/decide-all", json=rule).json()
        assert (done["groups"], done["left_out"]) == (1, 2)  # groups of three would be split: not all match each other
        decided = client.get("/api/groups", params={"state": "decided"}).json()["groups"][0]["id"]
        group = client.get(f"/api/groups/{decided}").json()
        names = {image["number"]: image["name"] for image in group["images"]}
        assert "edit" in names[group["decision"]["keeper"]]
        answer = client.post("/api/decide-all", json={"filter": {}, "keep": "nonsense"})
        assert answer.status_code == 400
        assert "nonsense" in answer.json()["error"]


def test_decisions_are_exported_and_imported(report: Path) -> None:
    with served(report) as server, server.client() as client:
        client.post("/api/decide-all", json={"filter": {}, "apply": True})
        lines = client.get("/api/decisions").content
        assert lines.count(b"\n") == 6
        client.post("/api/take-back", json={})
        assert client.post("/api/decisions", content=lines).json() == {"changed": 5}
        assert client.get("/api/groups").json()["states"] == {"decided": 3}
        assert client.post("/api/decisions", content=b"nonsense").status_code == 400


def test_no_decision_is_lost_when_the_server_is_killed(report: Path) -> None:
    kill_while_deciding(report, amount(5, 15))


def kill_while_deciding(report: Path, rounds: int) -> None:
    """Decide at random, and kill the server at a random moment: what it answered is there afterwards, to the verdict.

    The one decision that was not answered may be there or not, as a whole.
    """
    rng = random.Random(5)
    known: dict[int, Any] = {1: None, 2: None, 3: None}
    for _ in range(rounds):
        pending: tuple[int, Any] | None = None
        with served(report) as server, server.client() as client:
            groups = {number: client.get(f"/api/groups/{number}").json() for number in known}
            timer = threading.Timer(rng.uniform(0.01, 0.3), os.kill, (server.process.pid, signal.SIGKILL))
            timer.start()
            with contextlib.suppress(httpx.HTTPError):
                while True:
                    number = rng.choice(list(known))
                    keeper, *others = rng.sample(
                        [image["number"] for image in groups[number]["images"]], k=len(groups[number]["images"])
                    )
                    decision = {
                        "keeper": keeper,
                        "verdicts": {str(other): rng.choice(["discard", "both", "apart", "later"]) for other in others},
                    }
                    pending = number, decision
                    if client.post(f"/api/groups/{number}/decision", json=decision).status_code == 200:
                        known[number], pending = decision, None
            timer.join()
        with served(report) as server, server.client() as client:
            for number, expected in known.items():
                found = client.get(f"/api/groups/{number}").json()["decision"]
                assert found == expected or (pending is not None and pending == (number, found))
                known[number] = found


# -- acts -----------------------------------------------------------------------------------------------


def test_decided_groups_are_moved_and_brought_back(report: Path) -> None:
    before = tree(report.parent / "photos")
    with served(report) as server, server.client() as client:
        nothing = task(client, what="plan", action="move", folder="away")
        assert nothing["facts"]["files"] == 0
        for number in (1, 2):
            keeper = client.get(f"/api/groups/{number}").json()["keeper"]
            client.post(f"/api/groups/{number}/decision", json={"keeper": keeper, "verdicts": {}})
        plan = task(client, what="plan", action="move", folder="away")
        assert (plan["facts"]["files"], plan["facts"]["permanent"]) == (4, False)
        assert tree(report.parent / "photos") == before
        done = task(client, what="apply", action="move", folder="away")
        assert (done["error"], done["facts"]["done"]) == ("", 4)
        assert len(tree(report.parent / "photos")) == len(before) - 4
        assert len(tree(report.parent / "away")) == 4
        (journal,) = client.get("/api/journals").json()
        assert task(client, what="undo", journal=journal["name"])["facts"]["done"] == 4
        assert tree(report.parent / "photos") == before


def test_deleting_needs_the_words(report: Path) -> None:
    before = tree(report.parent / "photos")
    with served(report) as server, server.client() as client:
        client.post("/api/decide-all", json={"filter": {}, "apply": True})
        refused = task(client, what="apply", action="delete")
        assert "to confirm" in refused["error"]
        assert tree(report.parent / "photos") == before
        done = task(client, what="apply", action="delete", confirmed="delete 5")
        assert done["facts"]["done"] == 5
        assert len(tree(report.parent / "photos")) == 3


@pytest.mark.parametrize(
    "act", [{"what": "apply", "action": "x"}, {"what": "plan", "action": "list"}, {"what": "nonsense"}, {}]
)
def test_unknown_acts_are_refused(shown: Served, act: dict[str, str]) -> None:
    with shown.client() as client:
        assert client.post("/api/act", json=act).status_code == 400


def test_an_act_that_cannot_be_done_has_a_reason(report: Path) -> None:
    with served(report) as server, server.client() as client:
        assert "to" in task(client, what="plan", action="move", folder="")["error"]
        assert "no such journal" in task(client, what="undo", journal="../../etc/passwd")["error"]


# -- start and end --------------------------------------------------------------------------------------


def test_requests_in_progress_at_the_end_leave_no_traceback(report: Path) -> None:
    command = [sys.executable, "-m", "twinpix", "review", report.name, "--no-open", "--no-store"]
    with subprocess.Popen(
        command, cwd=report.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        server = Served(process, process.stdout.readline().split()[-1])
        with server.client() as client, ThreadPoolExecutor(12) as threads:
            numbers = [1, 2, 3, 4, 5, 6] * 2
            waiting = [threads.submit(client.get, f"/images/{at}?side={4000 + at}") for at in numbers]
            process.send_signal(signal.SIGINT)
            for each in waiting:
                with contextlib.suppress(httpx.HTTPError):
                    assert each.result().status_code in (200, 503)
        _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    assert process.returncode == 0


def test_other_machines_are_let_in_only_on_request(report: Path) -> None:
    with served(report, "--host", "0.0.0.0") as server:
        assert "127.0.0.1" not in server.link
        port = server.base.rpartition(":")[2]
        local = server._replace(link=server.link.replace(server.base, f"http://127.0.0.1:{port}"))
        with local.client() as client:
            assert client.get("/api/head").status_code == 200
            assert client.get("/api/head", headers={"host": f"evil.example:{port}"}).status_code == 421


def test_it_ends_from_the_page_and_leaves_no_process(report: Path) -> None:
    with served(report) as server, server.client() as client:
        client.get("/images/1")
        assert client.post("/api/quit", json={}).status_code == 200
        assert server.process.wait(20) == 0
    assert not list(report.parent.glob("twinpix-review-*"))


def test_folders_are_searched_first_and_the_report_is_in_the_users_folder(report: Path, tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path / "home"), "XDG_STATE_HOME": str(tmp_path / "home" / "state")}
    with served(report.parent / "photos", env=home) as server, server.client() as client:
        assert server.head(client)["groups"] == 3
    assert server.process.returncode == 0
    assert len(list((tmp_path / "home" / "state" / "twinpix" / "reports").glob("photos-*.json"))) == 1


def test_before_the_report_is_there_the_page_is_told_so_and_ctrl_c_ends_the_search(report: Path) -> None:
    copies(report.parent / "more", 12)
    with served(report.parent / "more") as server, server.client(ready=False) as client:
        finding = client.get("/api/head").json()["finding"]
        assert set(finding) == {"stage", "total", "done", "error"}
        refused = client.get("/api/groups")
        assert (refused.status_code, refused.json()) == (503, {"error": "the report is not there yet"})
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 130  # as `find`


def test_a_search_that_fails_ends_the_review_with_its_reason(report: Path) -> None:
    done = run("review", report.parent / "absent", "--no-open")
    assert done.returncode == 2
    assert "absent" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("options", [("--port", "99999"), ("--host", "203.0.113.7")])
def test_an_address_that_cannot_be_used_is_said(report: Path, options: tuple[str, ...]) -> None:
    done = run("review", report, "--no-open", *options)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_hostile_report_is_refused(report: Path) -> None:
    report.write_text(report.read_text().replace("photos/00 original.png", "../../etc/passwd"))
    done = run("review", report, "--no-open")
    assert done.returncode != 0
    assert "cannot be trusted" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_store_of_decisions_is_private_to_the_user(report: Path) -> None:
    with served(report) as server, server.client() as client:
        client.post("/api/decide-all", json={"filter": {}, "apply": True})
    with sqlite3.connect(report.parent / "store.sqlite") as db:
        assert db.execute("SELECT count(*) FROM decisions").fetchone() == (5,)
    db.close()

"""Runs on a real Ray cluster of two nodes: the results of this machine, also when a node or a worker is lost."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest

import twinpix
from commands import run
from drawings import draw
from reports import copies_and_a_broken_image, plain
from twinpix.encoding import encoder
from twinpix.encoding.encode_task import EncodeItem, EncodeTask, Outcome
from twinpix.encoding.options import Options
from twinpix.errors import UsageError
from twinpix.evaluation.copies import find_copies
from twinpix.evaluation.methods import measure
from twinpix.executors import Begin, Lost, address_of
from twinpix.executors import cluster as executor_of_ray
from twinpix.match import verifier
from twinpix.match.verifier import VerifyTask
from twinpix.progress import Progress
from twinpix.search import bands, joins

ray = pytest.importorskip("ray", reason="needs Ray")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ray's cluster of several nodes needs Linux or macOS")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one core each, on this machine; this process is connected to them."""
    from ray.cluster_utils import Cluster

    # The nodes import the tasks of this file, and twinpix from where these tests do.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), str(Path(twinpix.__file__).parents[1])])
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()  # type: ignore[no-untyped-call]
    del os.environ["PYTHONPATH"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copies_and_a_broken_image(tmp_path_factory.mktemp("cluster") / "photos", 12)


class Notes(Progress):
    """Keeps the notes of a run."""

    def __init__(self) -> None:
        self.notes = list[str]()

    def note(self, text: str) -> None:
        self.notes.append(text)

    def costs(self) -> dict[str, list[str]]:
        """The cells of the only table of costs, by step."""
        (table,) = [note for note in self.notes if note.startswith("costs of the run:")]
        rows = [re.split(r"  +", line.strip()) for line in table.splitlines()[1:]]
        assert rows[0] == ["step", "seconds", "core seconds", "sent", "received", "retries"]
        return {step: cells for step, *cells in rows[1:]}


def test_the_report_is_that_of_this_machine(cluster: Any, photos: Path) -> None:
    """The costs of each step are noted at the end, only for a run on a cluster."""
    seen, nothing = Notes(), Notes()
    here = twinpix.find(photos, store=None, progress=nothing)
    there = twinpix.find(photos, store=None, executor=f"ray:address={cluster.address}", progress=seen)
    assert len(here.groups) == 12
    assert len(here.failures) == 1
    assert plain(there) == plain(here)
    costs = seen.costs()
    steps = ("list", "read and encode", "compare", "verify", "group", "other", "all")
    assert tuple(step for step in costs if step != "compile") == steps
    for step in ("read and encode", "verify", "all"):
        seconds, core_seconds, sent, received, retries = costs[step]
        assert float(seconds) > 0
        assert float(core_seconds) > 0.1
        assert sent.endswith(" kB")  # one of the two nodes is another machine
        assert received.endswith(" kB")
        assert retries == "0"
    assert costs["list"][2:] == costs["group"][2:] == ["0 bytes", "0 bytes", "0"]
    assert nothing.notes == []


class Number(NamedTuple):
    """An item of a task that runs in the worker of Ray itself."""

    value: int


class Title:
    """Returns the title of the process that does each item."""

    isolated: ClassVar[bool] = False
    stage: ClassVar[str] = "verify"

    def __call__(self, batch: Sequence[Number], begin: Begin) -> list[str]:
        return [Path("/proc/self/cmdline").read_text(encoding="utf-8").rstrip("\0 ") for _ in batch]


@pytest.fixture
def client(cluster: Any) -> Iterator[str]:
    """The address for clients of the cluster."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ray.util.client.server", "--host=127.0.0.1", f"--port={port}", "--mode=proxy"]
    with subprocess.Popen([*command, f"--address={cluster.address}"], stderr=subprocess.DEVNULL) as server:
        try:
            while not listens(port):
                assert server.poll() is None
                time.sleep(0.1)
            yield f"ray://127.0.0.1:{port}"
        finally:
            server.terminate()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_process_outside_the_cluster_is_a_client_of_it(client: str, photos: Path, tmp_path: Path) -> None:
    here, out = twinpix.find(photos, store=None), tmp_path / "report.json"
    done = run("find", photos, "--no-store", "--executor", f"ray:address={client}", "-o", out, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert plain(twinpix.Report.load(out)) == plain(here)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the titles of processes from /proc")
def test_tasks_of_ray_have_the_names_of_steps(cluster: Any) -> None:
    executor = executor_of_ray.OnRay(cluster.address)
    try:
        titles = dict(executor.map(Title(), [[Number(1)], [Number(2)]]))
    finally:
        executor.close()
    assert set(titles.values()) == {"ray::twinpix: verify"}


@pytest.mark.parametrize("method", ["phash:size=16", "cascade"])
def test_codes_are_compared_on_the_cluster(
    cluster: Any, photos: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = twinpix.find(photos, store=None, method=method)
    monkeypatch.setattr(joins, "WORTH_SENDING", -1.0)  # else only searches of seconds are sent
    monkeypatch.setattr(joins, "SMALL", 0)
    monkeypatch.setattr(bands, "_NEGLIGIBLE", 0.0)
    tasks, run_there = list[str](), executor_of_ray.OnRay.map

    def noting(executor: Any, task: Any, batches: Any) -> Any:
        tasks.append(type(task).__name__)
        return run_there(executor, task, batches)

    monkeypatch.setattr(executor_of_ray.OnRay, "map", noting)
    there = twinpix.find(photos, store=None, method=method, executor=f"ray:address={cluster.address}")
    assert tasks.count("JoinTask") >= (1 if method == "phash:size=16" else 3)  # the hash, and the codes of keypoints
    assert ("VoteTask" in tasks) == (method == "cascade")
    assert plain(there) == plain(here)


def test_encode_gives_the_codes_of_this_machine(cluster: Any, photos: Path, tmp_path: Path) -> None:
    methods = ["phash", "dhash:size=16"]
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    rows = twinpix.encode_files_as_stream(photos, methods, store=None)
    twinpix.write_codes(str(here), twinpix.header_of(methods), rows)
    specs = [word for method in methods for word in ("-m", method)]
    executor, work = f"ray:address={cluster.address}", tmp_path / "work"
    done = run("encode", photos, *specs, "--no-store", "--executor", executor, "--work", work, "-o", there)
    assert done.returncode == 0, done.stderr
    assert "35 images coded, 1 file could not be used" in done.stderr
    assert there.read_bytes() == here.read_bytes()
    again = twinpix.encode(photos, methods, store=None, executor=executor, work=work)  # reads nothing
    for mine, theirs in zip(twinpix.encode(photos, methods, store=None).values(), again.values(), strict=True):
        assert mine.codes.tolist() == theirs.codes.tolist()
        assert mine.failures == theirs.failures


def test_methods_are_measured_as_on_this_machine(cluster: Any, photos: Path, tmp_path: Path) -> None:
    """`evaluate` encodes, and `bench copies` edits and encodes, on the cluster."""
    names = sorted(path.name for path in photos.iterdir())
    truth = {name: [other for other in names if other[:2] == name[:2] and other != name] for name in names}
    for number in range(3):
        draw("scene", number, (120, 90)).save(tmp_path / f"{number}.png")
    here, there = (Options(store=None, executor=name) for name in ("local", f"ray:address={cluster.address}"))
    measured = [measure(truth, str(photos), ["phash"], options) for options in (here, there)]
    assert measured[0].images == 35
    assert str(measured[0]) == str(measured[1])
    found = [find_copies([str(tmp_path)], ["phash"], count=3, options=options) for options in (here, there)]
    assert found[0].images >= 2
    assert found[0] == found[1]


def test_a_node_that_is_lost_costs_no_image(cluster: Any, photos: Path) -> None:
    here = twinpix.find(photos, store=None)
    node = cluster.add_node(num_cpus=1)
    timer = threading.Timer(1.5, lambda: cluster.remove_node(node, allow_graceful=False))
    timer.start()
    there = twinpix.find(photos, store=None, executor=f"ray:address={cluster.address}")
    timer.join()
    assert plain(there) == plain(here)


class KillingEncode(EncodeTask):
    """Encodes images; `decoder.png` ends the process of its decoder, and `worker.png` the worker of Ray above it."""

    def __call__(self, batch: Sequence[EncodeItem], begin: Begin) -> list[Outcome]:
        for index, item in enumerate(batch):
            begin(index)
            if item.known is not None and item.uri.endswith("decoder.png"):
                os.abort()
            if item.known is not None and item.uri.endswith("worker.png"):
                kill_worker()
        return EncodeTask.__call__(self, batch, begin)


class KillingVerify(VerifyTask):
    """Verifies pairs; that of the original 3 and its resized copy ends the worker of Ray."""

    def _verify_item(self, item: Any) -> Any:
        if {Path(file.path).name for file in (item.a, item.b)} == {"03 original.png", "03 edit 3.jpg"}:
            kill_worker()
        return VerifyTask._verify_item(self, item)


def kill_worker() -> None:
    os.kill(os.getppid(), 9)
    time.sleep(5)


def test_an_image_or_pair_that_ends_its_worker_costs_one_result(
    cluster: Any, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    for number, name in enumerate(("05 decoder.png", "06 worker.png")):
        draw("scene", 200 + number, (300, 200)).save(folder / name)
    here = twinpix.find(photos, store=None)
    monkeypatch.setattr(encoder, "EncodeTask", KillingEncode)
    monkeypatch.setattr(verifier, "VerifyTask", KillingVerify)
    seen = Notes()
    there = twinpix.find(folder, store=None, executor=f"ray:address={cluster.address}", progress=seen)
    failed = {Path(failure.path).name: failure.error for failure in there.failures}
    assert set(failed) == {"broken.jpg", "05 decoder.png", "06 worker.png"}
    assert "crashed its decoder (SIGABRT)" in failed["05 decoder.png"]
    assert "ended its worker on the cluster 3 times" in failed["06 worker.png"]
    (pair,) = there.unverified
    assert {Path(pair.a).name, Path(pair.b).name} == {"03 original.png", "03 edit 3.jpg"}
    assert "ended its worker on the cluster 3 times" in pair.reason
    assert there.counts.images == here.counts.images
    assert all(int(seen.costs()[step][-1]) >= 5 for step in ("read and encode", "verify"))  # 3 together, 3 alone
    names = [
        {frozenset(Path(member.path).name for member in group.members) for group in report.groups}
        for report in (here, there)
    ]
    (whole,) = names[0] - names[1]
    assert {name[:2] for name in whole} == {"03"}
    assert all({name[:2] for name in part} == {"03"} for part in names[1] - names[0])


def squares(batch: Sequence[int], begin: Begin) -> list[int]:
    """Square numbers; 7 ends its process, and 13 is refused."""
    out = []
    for at, number in enumerate(batch):
        begin(at)
        if number == 7:
            os.abort()
        if number == 13:
            raise UsageError("thirteen is refused")
        out.append(number * number)
    return out


def results(cluster: Any, numbers: Sequence[int]) -> dict[int, Any]:
    executor = executor_of_ray.OnRay(cluster.address, timeout=20)
    try:
        return dict(executor.map(squares, [list(numbers[at : at + 4]) for at in range(0, len(numbers), 4)]))
    finally:
        executor.close()


def test_an_item_that_ends_its_process_costs_one_result(cluster: Any) -> None:
    found = results(cluster, range(10))
    lost = found.pop(7)
    assert isinstance(lost, Lost)
    assert "crashed its decoder (SIGABRT)" in lost.reason
    assert found == {number: number * number for number in range(10) if number != 7}


def test_the_exception_of_a_task_is_raised(cluster: Any) -> None:
    with pytest.raises(UsageError, match="thirteen is refused"):
        results(cluster, [12, 13])


def test_another_version_on_the_cluster_is_refused(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_of_ray, "_version", lambda: "0.0.1")
    with pytest.raises(UsageError, match=r"has twinpix .*, this one 0\.0\.1: install the same version"):
        results(cluster, [1])


def test_a_folder_that_the_cluster_lacks_is_said_at_once(cluster: Any, tmp_path: Path) -> None:
    actor = executor_of_ray.TwinpixWorker(executor_of_ray._version(), str(tmp_path / "absent"), 10)
    with pytest.raises(UsageError, match="has no folder"):
        actor.check()


@pytest.mark.parametrize("spec", ["", "spark", "ray:", "ray:address=", "ray:port=1", "local:2"])
def test_unknown_executors_are_refused(spec: str) -> None:
    with pytest.raises(UsageError, match="executor is local, ray or ray:address=ADDRESS"):
        address_of(spec)


def test_what_is_missing_is_said(photos: Path) -> None:
    """Without Ray its extra is named; where no cluster is, nothing is read."""
    block = "import sys; sys.modules['ray'] = None; from twinpix.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", block, "find", str(photos), "--executor", "ray"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "twinpix: --executor: Ray is not installed: install twinpix[ray]" in done.stderr
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:none"):
        done = run("find", photos, "--no-store", "--executor", f"ray:address={address}", env=dict(os.environ))
        assert done.returncode == 2
        assert f"twinpix: --executor: there is no Ray cluster at '{address}'" in done.stderr
        assert "Traceback" not in done.stderr

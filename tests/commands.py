"""Run `twinpix` as a command: in a process of its own, with its own streams and exit code.

A new interpreter spends 0.7 s of CPU time on imports alone, and the tests run several hundred commands. By default a
server process imports twinpix once, and each command runs in a fork of it, which differs in the imports only.
With `pytest --full`, and for a command with another environment or limits, a new interpreter is started.
"""

import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import amounts

_SECONDS = 120  # that a command may take
_AT_START = ("PYTHON", "LC_", "LANG", "OPENBLAS", "OMP", "NUMBA", "MPL")  # variables that a process reads as it starts
_servers: list["_Server"] = []


def run(*args: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `twinpix` with these arguments; `options` as of `subprocess.run`."""
    words = [str(each) for each in args]
    if amounts.is_full() or set(options) - {"input", "cwd"} or not hasattr(os, "fork"):
        return _in_new_interpreter(words, options)
    if not _servers:
        _servers.append(_Server())
    if _servers[0].environment != _at_start(os.environ):
        return _in_new_interpreter(words, options)
    return _servers[0].run(words, **options)


def close() -> None:
    """End the server."""
    while _servers:
        _servers.pop().close()


def _in_new_interpreter(words: list[str], options: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "twinpix", *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=_SECONDS, errors="surrogateescape", **options
    )


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_AT_START)}


class _Server:
    """The server process; each command is a fork of it."""

    def __init__(self) -> None:
        self.environment = _at_start(os.environ)
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(_SECONDS)
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self._socket.recv(1)  # it is ready

    def run(
        self, words: list[str], *, input: str | None = None, cwd: str | Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        text = (input or "").encode("utf-8", "surrogateescape")
        with contextlib.ExitStack() as open_files:
            ours, theirs = [], []
            for at in range(3):
                if at == 0 and input is None:
                    theirs.append(os.dup(0))
                    continue
                read, write = os.pipe()
                ours.append(open_files.enter_context(open(write if at == 0 else read, "wb" if at == 0 else "rb")))
                theirs.append(read if at == 0 else write)
            request = json.dumps([words, str(cwd or os.getcwd()), dict(os.environ)]).encode()
            socket.send_fds(self._socket, [len(request).to_bytes(4, "big")], theirs)
            for handle in theirs:
                os.close(handle)
            self._socket.sendall(request)
            heard: list[bytes] = [b"", b""]

            def hear(at: int) -> None:
                heard[at] = ours[at - 2].read()

            threads = [threading.Thread(target=hear, args=(at,), daemon=True) for at in range(2)]
            for thread in threads:
                thread.start()
            if input is not None:
                with contextlib.suppress(BrokenPipeError):
                    ours[0].write(text)
                    ours[0].close()
            try:
                status = int.from_bytes(self._socket.recv(4, socket.MSG_WAITALL), "big")
            except TimeoutError:
                close()
                raise subprocess.TimeoutExpired(words, _SECONDS) from None
            for thread in threads:
                thread.join()
        out, err = (_text(each) for each in heard)
        return subprocess.CompletedProcess(words, os.waitstatus_to_exitcode(status), out, err)

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _text(data: bytes) -> str:
    """As `subprocess.run` decodes what a process has printed."""
    return data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")


def _serve(pipe: socket.socket) -> None:
    _import_all()
    assert threading.active_count() == 1, "a fork would lose the other threads"
    pipe.send(b"r")
    while True:
        head, handles, _, _ = socket.recv_fds(pipe, 4, 3)
        if not head:
            pipe.close()
            return
        request = pipe.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
        child = os.fork()
        if not child:
            pipe.close()
            words, folder, environment = json.loads(request)
            _become(words, folder, environment, handles)
            return
        for handle in handles:
            os.close(handle)
        pipe.send(os.waitpid(child, 0)[1].to_bytes(4, "big"))


def _become(words: list[str], folder: str, environment: dict[str, str], handles: Any) -> None:
    """Run `python -m twinpix` with these arguments in this process; returns only if that does not end the process."""
    for number, handle in enumerate(handles):
        os.dup2(handle, number)
        os.close(handle)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder
    sys.argv[1:] = words
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    runpy.run_module("twinpix", run_name="__main__", alter_sys=True)


def load_for_forks() -> None:
    """Import the modules that each worker process would otherwise import again; workers are forks of this process."""
    import numpy.fft  # noqa: F401
    import threadpoolctl  # noqa: F401
    from PIL import Image

    Image.preinit()


def _import_all() -> None:
    """Import the modules of most commands, by comparing two drawn images."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does
    load_for_forks()
    import matplotlib.backends.backend_agg
    import matplotlib.pyplot  # noqa: F401 - its fonts are looked for once

    import twinpix
    from twinpix.cli import app

    for name in app._COMMANDS:
        app._Commands()[name]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        from drawings import draw

        for number in range(2):
            draw("scene", 1, (120, 90)).save(f"{folder}/{number}.png")
        twinpix.find(folder, store=None, workers=1)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))

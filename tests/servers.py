"""Servers on loopback for tests."""

import http.client
import logging
import os
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from twinpix.sources import storage


@contextmanager
def s3_server(requests: list[tuple[str, str, str]] | None = None) -> Iterator[Any]:
    """Run an S3 server, with its address and credentials in the environment; yields a file system of s3fs.

    The method, the path and the range of bytes of each request are added to `requests`.
    """
    s3fs = pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    if requests is not None:
        _note_requests(running._server, requests)
    _, port = running.get_host_and_port()
    reset = urllib.request.Request(f"http://127.0.0.1:{port}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()  # the buckets are of the process, and those of an earlier server remain
    saved = dict(os.environ)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "key-of-the-test",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    storage.end_thread()  # else the next run would end the thread of the file system of the test
    yield s3fs.S3FileSystem()
    s3fs.S3FileSystem.clear_instance_cache()  # other tests start a server with another address
    running.stop()
    os.environ.clear()
    os.environ |= saved


def _note_requests(server: Any, requests: list[tuple[str, str, str]]) -> None:
    answer = server.app

    def noting(environ: dict[str, Any], start_response: Any) -> Any:
        requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_RANGE", "")))
        return answer(environ, start_response)

    server.app = noting


CUT = 1
"""For `FailingProxy.answer`: the connection ends in the middle of the body."""


class FailingProxy(ThreadingHTTPServer):
    """A proxy in front of an S3 server, which it forwards to; `answer` may give another status for a request.

    It gets the method, the path and the names of the headers in lower case, and returns 0 to forward the request, a
    status to answer instead, and a negative status to answer after the request was forwarded. For `CUT` the request is
    forwarded, and the connection ends in the middle of the body.

    The signature of a request is of the address of the proxy, which the server of moto does not check.
    """

    daemon_threads = True

    def __init__(self, server: str) -> None:
        self.server = server.removeprefix("http://")
        self.answer: Callable[[str, str, set[str]], int] = lambda method, path, headers: 0
        self.asked: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Forwarding)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Forwarding(BaseHTTPRequestHandler):
    server: FailingProxy
    protocol_version = "HTTP/1.1"

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path))
        status = self.server.answer(self.command, self.path, {name.lower() for name in self.headers})
        if status <= 0 or status == CUT:
            there = http.client.HTTPConnection(self.server.server, timeout=30)
            there.request(self.command, self.path, body=body or None, headers=dict(self.headers))
            found = there.getresponse()
            data, headers = found.read(), found.getheaders()
            there.close()
            if status in (0, CUT):
                self._reply(found.status, headers, data, cut=status == CUT)
                return
            status = -status
        code = {403: "AccessDenied", 412: "PreconditionFailed", 501: "NotImplemented", 503: "SlowDown"}[status]
        words = "Please reduce your request rate." if status == 503 else code
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{words}</Message></Error>".encode()
        self._reply(status, [("Content-Type", "application/xml")], text)

    def _reply(self, status: int, headers: list[tuple[str, str]], data: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "server", "date"):
                self.send_header(name, value)
        length = dict(headers).get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection |= cut

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._forward
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def failing_proxy() -> Iterator[FailingProxy]:
    """Run a proxy in front of the S3 server of the environment, which then has the address of the proxy."""
    s3fs = pytest.importorskip("s3fs")
    address = os.environ["AWS_ENDPOINT_URL"]
    proxy = FailingProxy(address)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    os.environ["AWS_ENDPOINT_URL"] = proxy.address
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        yield proxy
    finally:
        os.environ["AWS_ENDPOINT_URL"] = address
        s3fs.S3FileSystem.clear_instance_cache()
        proxy.shutdown()
        proxy.server_close()
        thread.join()

"""Servers on loopback for tests."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@contextmanager
def s3_server() -> Iterator[Any]:
    """Run an S3 server, with its address and credentials in the environment; yields a file system of s3fs."""
    s3fs = pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    _, port = running.get_host_and_port()
    saved = dict(os.environ)
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "key-of-the-test",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    yield s3fs.S3FileSystem()
    s3fs.S3FileSystem.clear_instance_cache()  # other tests start a server with another address
    running.stop()
    os.environ.clear()
    os.environ |= saved


class FaultyProxy(ThreadingHTTPServer):
    """An HTTP proxy that answers some requests itself; `fault(method, path)` names how: 403, 503, cut, or "" to pass.

    `cut` sends the headers and half of the body, and closes the connection.
    """

    daemon_threads = True

    def __init__(self, target: str) -> None:
        self.target = target.removeprefix("http://")
        self.fault: Callable[[str, str], str] = lambda method, path: ""
        self.requests = list[tuple[str, str, str]]()  # method, path, fault
        super().__init__(("127.0.0.1", 0), _Proxied)


class _Proxied(BaseHTTPRequestHandler):
    server: FaultyProxy
    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        fault = self.server.fault(self.command, self.path)
        self.server.requests.append((self.command, self.path, fault))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if fault in ("403", "503"):
            self.send_response(int(fault))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        connection = HTTPConnection(self.server.target)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(data)))
        self.end_headers()
        if fault == "cut":
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815 - names that the base class calls

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def faulty_proxy(target: str) -> Iterator[FaultyProxy]:
    """Run a proxy before a server."""
    proxy = FaultyProxy(target)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    yield proxy
    proxy.shutdown()
    proxy.server_close()
    thread.join()

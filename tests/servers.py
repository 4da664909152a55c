"""Servers on loopback for tests."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


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


def _note_requests(server: Any, requests: list[tuple[str, str, str]]) -> None:
    answer = server.app

    def noting(environ: dict[str, Any], start_response: Any) -> Any:
        requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_RANGE", "")))
        return answer(environ, start_response)

    server.app = noting

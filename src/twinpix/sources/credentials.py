"""URLs as they are shown and stored, without the credentials in them."""

import hashlib
import re

from twinpix import machine

_WITH_QUERY = frozenset({"http", "https"})
_DIGEST = re.compile("digest=[0-9a-f]{16}")


def show_url(url: str) -> str:
    """Return a URL as it is shown and stored: without user and password, and with a digest for its query.

    A query may be a signature that grants access. `private_url` returns the complete URL, in this process and its
    workers only. A URL of a file of this machine (`file://`) becomes a path.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    if scheme == "file":
        from urllib.request import url2pathname  # it imports http, which takes 20 ms

        return url2pathname(rest.removeprefix("localhost"))
    host, slash, path = rest.partition("/")
    path, question, query = path.partition("?") if scheme in _WITH_QUERY else (path, "", "")
    shown = f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    if question and not _DIGEST.fullmatch(query):
        shown += f"?digest={hashlib.blake2b(query.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
    elif question:
        shown += f"?{query}"
    if shown != url:
        machine.shared[shown] = url
    return shown


def private_url(url: str) -> str:
    """Return the complete URL of one that `show_url` returned in this process."""
    return machine.shared.get(url, url)


def forget(url: str) -> None:
    """Forget the complete URL of one that `show_url` returned."""
    machine.shared.pop(url, None)

"""The keepers of moved objects: each is read in full once per run, and unchanged whenever a copy of it goes."""

import os

from twinpix.act import filesystem
from twinpix.act.objects import reading
from twinpix.act.objects.reading import Seen
from twinpix.errors import ImageError, SkipKind, StepError
from twinpix.model import in_container, is_remote
from twinpix.sources.storage import status_of
from twinpix.sources.uris import file_of, read
from twinpix.versions import UNKNOWN


class Keepers:
    """Checks keepers: objects, files, and members of archives and tables."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[bytes, str]] = {}  # version and digest of each keeper that was read

    def require(self, keeper: str, digest: str, source: str, seen: Seen) -> None:
        """Raise `StepError` unless the keeper has its bytes and is another object than the source."""
        try:
            if is_remote(keeper):
                _require_other(keeper, source, seen)
            now = version_now(keeper)
            known = self._known.get(keeper)
            if known is None or now == UNKNOWN or known[0] != now:
                known = self._known[keeper] = now, digest_of(keeper)
                if version_now(keeper) != now:
                    raise StepError("changed while it was read", SkipKind.CHANGED)
            if known[1] != digest:
                raise StepError("changed since find; run find again", SkipKind.CHANGED)
        except StepError as error:
            raise StepError(f"its keeper, {keeper}, {error}", SkipKind.KEEPER) from None


def version_now(location: str) -> bytes:
    """Return the version of a file or object, or of the container of a member; raises `StepError`."""
    file = file_of(location)
    if is_remote(file):
        seen = reading.look(file)
        if seen is None:
            raise StepError("no longer exists", SkipKind.GONE)
        return seen.version
    if not os.path.lexists(file):
        raise StepError("no longer exists", SkipKind.GONE)
    return reading.asked(lambda: status_of(file)).version


def digest_of(location: str) -> str:
    """Read an object, file or member in full; raises `StepError`."""
    if is_remote(location):
        return reading.sums_of(location, reading.require(location).size).digest
    if not in_container(location):
        path = os.path.realpath(location)
        return filesystem.digest_of(path, filesystem.facts_at(path))
    import xxhash

    try:
        data = read(location).data
    except ImageError as error:
        raise StepError(f"cannot be read: {error.reason}", SkipKind.UNREADABLE) from None
    return xxhash.xxh3_128_hexdigest(data or b"")


def _require_other(keeper: str, source: str, seen: Seen) -> None:
    """Raise `StepError` for two names of one object: a bucket may have several, such as an access point."""
    if reading.same_object(keeper, source):
        raise StepError("is the same object", SkipKind.SAME_FILE)
    if keeper.partition("://")[2].partition("/")[2] != source.partition("://")[2].partition("/")[2]:
        return
    other = reading.look(keeper)
    if other and (other.etag, other.modified_ns, other.size) == (seen.etag, seen.modified_ns, seen.size):
        raise StepError("may be the same object by another name of its bucket", SkipKind.SAME_FILE)

"""Checks before an image is left out: it and its keeper must be as the report says."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from twinpix.errors import ImageError
from twinpix.model import is_remote, row_of
from twinpix.sources import read
from twinpix.sources.redundant import Redundant
from twinpix.sources.storage import ahead, status_of, unchanged
from twinpix.sources.uris import container, file_of
from twinpix.usecases.exporting.shards import Shard
from twinpix.versions import UNKNOWN

CHANGED = "changed since find; run find again"


class Checks:
    """Digests of the images that are left out and of their keepers, compared with those of the report.

    The images of one file are read together, when the first of them is needed, because a compressed archive is
    decompressed as a whole. Later the version of the file shows whether it has changed.
    """

    def __init__(self, shards: Iterable[Shard]) -> None:
        self._needed: dict[str, dict[str, str]] = defaultdict(dict)
        for image in (image for shard in shards for sample in shard.samples for image in sample.images):
            self._needed[file_of(image.uri)][image.uri] = image.digest
            self._needed[file_of(image.keeper)][image.keeper] = image.keeper_digest
        self._known: dict[str, tuple[bytes, dict[str, str]]] = {}

    def reasons(self, shard: Shard) -> dict[str, str]:
        """Return the reason of each image of a shard, by its URI; objects of stores are read several at once."""
        images = [image for sample in shard.samples for image in sample.images]
        remote = bool(shard.column) and any(is_remote(image.uri) or is_remote(image.keeper) for image in images)
        found = ahead(self.reason, images) if remote else map(self.reason, images)
        return {image.uri: why for image, why in zip(images, found, strict=True)}

    def reason(self, image: Redundant) -> str:
        """Return why an image must stay; "" if it and its keeper are as in the report."""
        if why := self._reason(image.uri):
            return why
        return f"its keeper, {image.keeper}, {why}" if (why := self._reason(image.keeper)) else ""

    def _reason(self, uri: str) -> str:
        file = file_of(uri)
        try:
            now = status_of(file).version
        except ImageError as error:
            return error.reason
        known = self._known.get(file)
        if known is None or now == UNKNOWN or known[0] != now:
            try:
                with unchanged(file):
                    known = now, _compare(file, self._needed[file])
            except ImageError as error:  # written to meanwhile
                return error.reason
            self._known[file] = known
        return known[1][uri]


def _compare(file: str, digests: Mapping[str, str]) -> dict[str, str]:
    """Return for each image of a file, which may be the file itself, why it is not as in the report; "" if it is."""
    import xxhash

    source = container(file)
    reasons: dict[str, str] = {}
    for uri, digest in digests.items():
        try:
            data = (read(uri) if source is None or uri == file else source.read(file, name_in(uri, file))).data
        except ImageError as error:
            reasons[uri] = f"{error.reason}; run find again"
            continue
        same = data is not None and xxhash.xxh3_128_hexdigest(data) == digest
        reasons[uri] = "" if same else CHANGED
    return reasons


def name_in(uri: str, file: str) -> str:
    """Return the name of a member in its container."""
    return uri[len(file) + 1 :] if row_of(uri) else uri.partition("://")[2][: -len(file) - 2]

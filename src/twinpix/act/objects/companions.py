"""Companion objects of images in a store, by the rules for companion files, and the targets of both."""

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial

from twinpix import paths
from twinpix.act.objects import keepers, reading
from twinpix.act.planning.bundles import Files
from twinpix.act.planning.targets import names_of
from twinpix.act.sidecars.folders import Companions, Folders
from twinpix.act.sidecars.listing import READ, Listing, listing_from, listing_of, names_in, names_in_text
from twinpix.act.steps import Facts
from twinpix.errors import StepError
from twinpix.model import Report, is_remote
from twinpix.sources import storage
from twinpix.sources.uris import expand


class ObjectFiles(Files):
    """The facts and digests of companion objects, and of companion files of a keeper that is a file."""

    def facts(self, path: str) -> Facts:
        if not is_remote(path):
            return super().facts(path)
        seen = reading.require(path)
        ident = hash((path, seen.version)) & 0xFFFF_FFFF  # an object has no inode
        return Facts(-1, ident, seen.size, seen.modified_ns, 0, 0, 0, 0)

    def digest(self, path: str) -> str:
        return keepers.digest_of(path) if is_remote(path) else super().digest(path)

    def names(self, path: str) -> Iterable[str]:
        return [path] if is_remote(path) else super().names(path)

    def is_plain(self, path: str) -> bool:
        return is_remote(path) or super().is_plain(path)


class ObjectFolders(Folders):
    """Finds the companion objects of an image; each folder of the store is listed once.

    Folders above the scanned ones may not be listed with the user's rights: they count as empty.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        self._tops = tuple(root + "/" for root in roots)
        super().__init__(listing=self._list, names=self._names_in, is_folder=self._is_one)

    def of(self, image: str) -> Companions:
        found = super().of(_with_separators(image))
        sidecars = {_as_url(path): [_as_url(owner) for owner in owners] for path, owners in found.sidecars.items()}
        return Companions(sidecars, [_as_url(path) for path in found.pair])

    def owners_of_mask(self, path: str) -> list[str]:
        return [_as_url(owner) for owner in super().owners_of_mask(_with_separators(path))]

    def _list(self, folder: str) -> Listing:
        url = _as_url(folder)
        if not is_remote(url):
            return listing_of(folder)
        if not url.partition("://")[2].strip("/"):  # above all buckets
            return listing_from(())
        try:
            return listing_from(reading.asked(lambda: storage.names_in_folder(url.rstrip("/"))))
        except StepError:
            if url.startswith(self._tops):
                raise
            return listing_from(())

    def _is_one(self, folder: str) -> bool:
        url = _as_url(folder)
        return any(self._listing(folder)) if is_remote(url) else os.path.isdir(folder)

    def _names_in(self, path: str) -> frozenset[str]:
        url = _as_url(path)
        if not is_remote(url):
            return names_in(path)
        seen = reading.look(url)
        if seen is None or not seen.size:
            return frozenset()
        get = partial(storage.retried, url, lambda fs, key: fs.cat_file(key, start=0, end=min(READ, seen.size)))
        return names_in_text(reading.asked(get))


def _with_separators(url: str) -> str:
    """Return a URL with the separator of paths of this system, for the functions on paths."""
    return url.replace("/", os.sep) if is_remote(url) else url


def _as_url(path: str) -> str:
    """Return the URL of a name that `_with_separators` has made; a path stays as it is."""
    url = path.replace(os.sep, "/")
    return url if os.sep != "/" and is_remote(url) else path


class ObjectNames:
    """Assigns targets: each object at its place in the tree below the target, under a name that no object has."""

    def __init__(self, target: str, tops: Mapping[str, bool]) -> None:
        self._target = target
        self.tops = tops
        named = names_of([top for top, folder in self.tops.items() if folder])
        self._trees = sorted(((top, named.get(top, "")) for top in self.tops), key=lambda each: -len(each[0]))
        self._taken: set[str] = set()
        self._listing = cache(_names_at)

    def of(self, urls: Sequence[str]) -> list[str]:
        """Return the targets of the objects of one unit: if they must be numbered, with one number."""
        plain = [f"{self._target}/{self._tree(url)}" for url in urls]
        targets, number = plain, 1
        while any(map(self._is_taken, targets)):
            number += 1
            targets = [number_url(target, number) for target in plain]
        self._taken.update(targets)
        return targets

    def is_inside(self, url: str) -> bool:
        """True for an object in the scanned folders."""
        return any(url.startswith(top + "/") for top in self.tops)

    def _tree(self, url: str) -> str:
        top, name = next(each for each in self._trees if url.startswith(each[0] + "/"))
        return f"{name}/{url[len(top) + 1 :]}" if name else url[len(top) + 1 :]

    def _is_taken(self, url: str) -> bool:
        folder, _, name = url.rpartition("/")
        return url in self._taken or name in self._listing(folder)


def tops_of(report: Report, roots: Iterable[str]) -> dict[str, bool]:
    """Return the folders of these paths of a report, without a final slash; False for that of an object as a path."""
    named = {member.path for group in report.groups for member in group.members}
    named |= {image.path for image in report.unique or ()}
    found: dict[str, bool] = {}
    for root in (url for given in roots if is_remote(given) for url in expand(given)):
        if "*" in root:
            found[root.partition("*")[0].rpartition("/")[0]] = True
        elif root in named:
            found.setdefault(root.rpartition("/")[0], False)
        else:
            found[root.rstrip("/")] = True
    return found


def number_url(url: str, number: int) -> str:
    """Return a URL with a number in its name."""
    folder, _, name = url.rpartition("/")
    return f"{folder}/{paths.number_name(name, number)}"


def _names_at(folder: str) -> frozenset[str]:
    """Return the names in a folder of the target; raises `StepError`."""
    return frozenset(name for name, _ in reading.asked(lambda: storage.names_in_folder(folder)))


def problem_of(url: str, folders: Folders, names: ObjectNames, *, alone: bool) -> str:
    """Return why an image stays because of its companion objects: they cannot be listed or, unless `alone`, moved."""
    try:
        folders.owners_of_mask(url)
        outside = [] if alone else [side for side in folders.of(url).sidecars if not names.is_inside(side)]
    except StepError as error:
        return f"its companion objects cannot be listed: {error}"
    if not outside:
        return ""
    where = f"has the companion object {outside[0]}, which is outside of the scanned folders"
    return f"{where}; --sidecars keep moves the image alone"

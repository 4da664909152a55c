"""The move of one object: checked copy first, then deletion. Undo is the same in the other direction."""

from twinpix.act.objects import changes, reading
from twinpix.act.objects.reading import Seen, Sums
from twinpix.errors import SkipKind, StepError


class Transfer:
    """The move of one object, from the check of its bytes to its deletion.

    The source is deleted only while it is as it was read in full, and the copy as it was checked. The copy is removed
    again only if the source is as it was read, and the copy has the same bytes.
    """

    def __init__(self, source: str, target: str, size: int, digest: str) -> None:
        self.source, self.target = source, target
        self._size, self._digest = size, digest
        self.seen: Seen | None = None  # the source when it was read in full
        self._sums: Sums | None = None  # of the source
        self._made: Seen | None = None  # the copy when it was checked
        self._begun = False  # a copy may exist
        self.deleted = False  # of the source

    def read(self) -> Seen:
        """Read the source in full; raises `StepError` unless it has the expected bytes."""
        seen = reading.require(self.source)
        if seen.size > changes.LARGEST:
            raise StepError(f"is larger than {changes.LARGEST >> 30} GiB", SkipKind.UNSUPPORTED)
        sums = reading.sums_of(self.source, seen.size) if seen.size == self._size else None
        if sums is None or sums.digest != self._digest:
            raise StepError("changed since find; run find again", SkipKind.CHANGED)
        self.seen, self._sums = seen, sums
        return seen

    def copy(self) -> None:
        """Copy the source, and check the copy; raises `StepError`."""
        assert self.seen is not None
        self._begun = True
        try:
            changes.copy(self.source, self.target, self.seen)
        except StepError as error:
            if error.kind is not SkipKind.NAME_TAKEN or not self._was_copied():
                self._begun = error.kind is not SkipKind.NAME_TAKEN  # what has the name is another object
                raise
        self._made = self._require_copy()

    def _was_copied(self) -> bool:
        """True if the copy exists, although the store refused it: a request whose answer is lost is made again."""
        try:
            self._require_copy()
        except StepError as error:
            if error.kind is SkipKind.CHANGED:
                return False
            raise
        return True

    def adopt(self) -> None:
        """Take an existing object for the copy, if it has the bytes of the source, which was read; else `StepError`."""
        self._begun = True
        self._made = self._require_copy()

    def _require_copy(self) -> Seen:
        """Return the copy; raises `StepError` unless it has the bytes of the source.

        An ETag that is the MD5 of the bytes that were read proves it; any other ETag (an upload in parts, encryption
        with a key) says nothing, and the copy is read.
        """
        assert self._sums is not None
        made = reading.look(self.target)
        if made is None:
            raise StepError("could not be copied: the store has no copy afterwards", SkipKind.CHANGED)
        same = made.size == self._size
        if same and made.etag != self._sums.md5:
            same = reading.sums_of(self.target, made.size).digest == self._digest
        if not same:
            raise StepError(f"could not be copied: what is at {self.target} has other bytes", SkipKind.CHANGED)
        return made

    def delete(self) -> None:
        """Delete the source, if it and its copy are unchanged; raises `StepError`."""
        assert self.seen is not None
        assert self._made is not None
        self._require(self.source, self.seen, "changed during this step")
        self._require(self.target, self._made, "its copy was changed or removed during this step")
        try:
            changes.delete(self.source, self.seen)
        except StepError:
            if reading.look(self.source) is not None:  # else it was deleted, although the store reported an error
                raise
        self.deleted = True

    def drop_copy(self) -> None:
        """Remove the copy that this run made; raises `StepError` if it stays."""
        if not self._begun or self.deleted or reading.look(self.target) is None:
            return
        assert self.seen is not None
        self._require(self.source, self.seen, "changed during this step")
        now = self._require_copy()
        if self._made is not None and now.version != self._made.version:
            raise StepError("its copy was changed during this step", SkipKind.CHANGED)
        try:
            changes.delete(self.target, now)
        except StepError:
            if reading.look(self.target) is not None:
                raise

    def _require(self, url: str, seen: Seen, why: str) -> None:
        now = reading.look(url)
        if now is None or now.version != seen.version:
            raise StepError(why, SkipKind.CHANGED)

"""All errors that twinpix raises intentionally, with their exit codes on the command line."""

from enum import IntEnum, StrEnum


class Exit(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    SOME_FAILED = 1  # finished, but some images failed and --strict was given, or --copy-kept left files behind
    USAGE = 2
    REFUSED = 3  # an action, or writing a result, was refused or failed
    FOUND = 10  # duplicates found and --fail-if-found was given, also when images failed
    NOTHING_COMPARED = 11  # no image could be read, or there is none and --fail-if-found or --strict was given
    INTERRUPTED = 130


class SkipKind(StrEnum):
    """Why an action leaves a file alone, for programs; `reason` has the words."""

    OTHER = "other"  # of an action of another package, which names no kind

    # decided while planning
    RELATION = "relation"  # only duplicates with other relations to the keeper were requested
    PARTLY_COMPARED = "partly-compared"  # it or the keeper has frames, pages or a video that were not compared
    MAYBE_DAMAGED = "maybe-damaged"  # it or the keeper is damaged, and it is unknown which
    KEEPER_EMPTIED = "keeper-emptied"  # the keeper is in a trash, snapshot or cache folder
    OTHER_BYTES = "other-bytes"  # the action replaces only files with the keeper's bytes
    IN_CONTAINER = "in-container"  # it or the keeper is inside an archive
    IN_STORE = "in-store"  # it or the keeper is an object of a store, or is in another store than the target
    IS_FILE = "is-file"  # it is a file, and objects of a store are moved
    IN_LIBRARY = "in-library"  # it is in a library of another program
    IN_REFERENCE = "in-reference"  # it is in a reference folder
    BEHIND_LINK = "behind-link"  # it is reached through a symbolic link
    OUTSIDE = "outside"  # a symbolic link leads out of the scanned folders
    LINKED_TO = "linked-to"  # a symbolic link to it would be broken
    WITH_PAIR = "with-pair"  # the other file of its RAW and JPEG pair stays
    WITH_COMPANION = "with-companion"  # a companion file of it would be lost, or separated from it
    COMPANION = "companion"  # it is the mask, thumbnail or the like of an image, and goes only with it
    NOT_COPIED = "not-copied"  # neither an image nor a companion file of one, or an image inside an archive

    # found by the checks, while planning or immediately before a step
    CHANGED = "changed"  # it is not the file that was scanned
    GONE = "gone"  # there is no file of that name
    NO_FILE = "no-file"  # it is a symbolic link or no regular file
    SAME_FILE = "same-file"  # it is another name of the keeper, or of another duplicate
    KEEPER = "keeper"  # the keeper was changed, is gone, cannot be read, or is being removed
    IN_USE = "in-use"  # it is the keeper of another run
    NOT_RECORDED = "not-recorded"  # the journal does not say enough to repeat the checks

    # found while a step is done, repaired or undone
    UNSUPPORTED = "unsupported"  # the file system cannot do this, or the trash refuses the file
    NAME_TAKEN = "name-taken"  # another file has its name
    PERMANENT = "permanent"  # the action has no undo
    UNREADABLE = "unreadable"  # a line of the journal cannot be read
    DENIED = "denied"  # the store denies the permission
    SYSTEM = "system"  # an error of the operating system, or of a store


class TwinpixError(Exception):
    """An error that the user can correct; its message names the thing, what is wrong and what to do."""

    exit_code: Exit = Exit.REFUSED


class UsageError(TwinpixError):
    """A wrong option, an unknown plugin, a path that does not exist.

    `reason` is the last part of its message, and `field` the name of the parameter that is wrong, if it is one. The
    command line prints its option instead of this name where the message begins with it, or before the message.
    """

    exit_code = Exit.USAGE

    def __init__(self, message: str, reason: str = "", *, field: str = "") -> None:
        super().__init__(message)
        self.reason, self.field = reason or message, field


class OutputError(TwinpixError):
    """A result could not be written; the existing file is unchanged."""


class ReportError(TwinpixError):
    """A report or journal that cannot be trusted: of another schema, damaged, or inconsistent."""


class CompareError(TwinpixError):
    """Two readable images cannot be compared."""


class RefusedError(TwinpixError):
    """An action was not begun, because it cannot be done safely; nothing was changed."""


class StoppedError(TwinpixError):
    """The user has stopped the run; the message names what is kept."""

    exit_code = Exit.INTERRUPTED


class StoreError(TwinpixError):
    """The store at this path cannot be used."""


class WorkerError(TwinpixError):
    """No worker processes can be started."""


class StepError(Exception):
    """One file is left alone for this reason; the run continues."""

    def __init__(self, message: str, kind: SkipKind = SkipKind.OTHER) -> None:
        super().__init__(message)
        self.kind = kind


def system_reason(error: OSError) -> str:
    """Return an error of the operating system in words, without the path."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


class ImageError(Exception):
    """One image could not be read or encoded; it is reported as a failure, and the run continues.

    `lasting` is False if another run may succeed: memory or a library was missing. In `reason`, which may repeat names
    of a member or column, control characters and undecodable bytes are escaped: it is shown on terminals and logged.
    """

    def __init__(self, stage: str, reason: str, *, lasting: bool = True) -> None:
        if not reason.isprintable():
            reason = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in reason)
        super().__init__(stage, reason)  # the arguments with which it is unpickled from a worker
        self.stage, self.reason, self.lasting = stage, reason, lasting

    def __str__(self) -> str:
        return self.reason

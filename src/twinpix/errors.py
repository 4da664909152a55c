"""All errors that twinpix raises intentionally, with their exit codes on the command line."""

from enum import IntEnum, StrEnum


class Exit(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    SOME_FAILED = 1  # finished, but some images failed and --strict was given, or --copy-kept left files behind
    USAGE = 2
    REFUSED = 3  # an action, or writing a result, was refused or failed
    FOUND = 10  # duplicates found and --fail-if-found was given, also when images failed
    NOTHING_COMPARED = 11  # --fail-if-found or --strict was given, and there was no image to compare
    INTERRUPTED = 130


class SkipKind(StrEnum):
    """Why an action leaves a file alone, for programs; `reason` has the words."""

    OTHER = "other"
    OTHER_BYTES = "other-bytes"  # the action replaces only files with the keeper's bytes
    WITH_COMPANION = "with-companion"  # a companion file of it would be lost, or separated from it
    NOT_COPIED = "not-copied"  # neither an image nor a companion file of one


class TwinpixError(Exception):
    """An error that the user can correct; its message names the thing, what is wrong and what to do."""

    exit_code: Exit = Exit.REFUSED


class UsageError(TwinpixError):
    """A wrong option, an unknown plugin, a path that does not exist; `reason` is the last part of its message."""

    exit_code = Exit.USAGE

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


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

    @property
    def reason(self) -> str:
        return str(self)


def system_reason(error: OSError) -> str:
    """Return an error of the operating system in words, without the path."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


class ImageError(Exception):
    """One image could not be read or encoded; it is reported as a failure, and the run continues.

    `lasting` is False if another run may succeed: memory or a library was missing.
    """

    def __init__(self, stage: str, reason: str, *, lasting: bool = True) -> None:
        super().__init__(stage, reason)  # the arguments with which it is unpickled from a worker
        self.stage, self.reason, self.lasting = stage, reason, lasting

    def __str__(self) -> str:
        return self.reason

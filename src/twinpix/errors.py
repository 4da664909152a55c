"""Every error twinpix raises on purpose, each with the exit code it becomes on the command line."""

from enum import IntEnum, StrEnum


class Exit(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    SOME_FAILED = 1  # finished, but some images failed and --strict was given, or --copy-kept left files behind
    USAGE = 2
    REFUSED = 3  # an action, or writing a result, was refused or failed
    FOUND = 10  # duplicates found and --fail-if-found was given, also when images failed
    NOTHING_COMPARED = 11  # a gate (--fail-if-found, --strict) was asked for, and there was no image to compare
    INTERRUPTED = 130


class SkipKind(StrEnum):
    """Why an action leaves a file alone, as far as programs decide by it; the words are in the row's `reason`."""

    OTHER = "other"
    OTHER_BYTES = "other-bytes"  # the action takes files of the keeper's bytes only
    WITH_COMPANION = "with-companion"  # a companion file of it would be lost, or separated from it
    NOT_COPIED = "not-copied"  # no image and no companion file of one


class TwinpixError(Exception):
    """Something the user can act on; its message says what, where and what to do next."""

    exit_code: Exit = Exit.REFUSED


class UsageError(TwinpixError):
    """A wrong option, an unknown plugin, a path that is not there; `reason` is the last part of its message."""

    exit_code = Exit.USAGE

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


class OutputError(TwinpixError):
    """A result could not be written; what was there before is untouched."""


class ReportError(TwinpixError):
    """A report, or a journal, that cannot be trusted: of another schema, damaged, or contradicting itself."""


class CompareError(TwinpixError):
    """Two images that can be read cannot be compared."""


class RefusedError(TwinpixError):
    """An action that is not begun, because it could not be carried through safely; nothing was touched."""


class StoppedError(TwinpixError):
    """The user has stopped it; what is said tells what is kept."""

    exit_code = Exit.INTERRUPTED


class StoreError(TwinpixError):
    """The store cannot be used at this place."""


class WorkerError(TwinpixError):
    """Processes to share the work among cannot be started."""


class StepError(Exception):
    """One file is left alone, for this reason. Becomes a row, never ends a run."""

    def __init__(self, message: str, kind: SkipKind = SkipKind.OTHER) -> None:
        super().__init__(message)
        self.kind = kind

    @property
    def reason(self) -> str:
        return str(self)


def system_reason(error: OSError) -> str:
    """An operating system's error in words, without the path that stands beside it anyway."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


class ImageError(Exception):
    """One image could not be read or coded. Becomes a failure row, never ends a run.

    `lasting` is False for what another run may do better: it lacked memory, or a library.
    """

    def __init__(self, stage: str, reason: str, *, lasting: bool = True) -> None:
        super().__init__(stage, reason)  # what it is made of again when a worker hands it over
        self.stage, self.reason, self.lasting = stage, reason, lasting

    def __str__(self) -> str:
        return self.reason

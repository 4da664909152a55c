"""The exceptions that the verification of one pair may raise, in numerics and in OpenCV, and their text for reports."""

from twinpix.imaging.opencv import opencv


def faults() -> tuple[type[Exception], ...]:
    """Return the exceptions that concern one pair only, so that the other pairs can be verified.

    `numpy.linalg.LinAlgError` is a `ValueError`.
    """
    return (opencv().error, ValueError, ArithmeticError, IndexError, MemoryError)


def reason_of(error: Exception) -> str:
    """Return an exception as one line of text for a report."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

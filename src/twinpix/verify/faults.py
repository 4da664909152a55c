"""Which exceptions the verification of one pair may raise, in numerics and in OpenCV, and their reasons in words."""

from twinpix.imaging.opencv import opencv


def faults() -> tuple[type[Exception], ...]:
    """The exceptions that say that one pair cannot be verified, and nothing of the other pairs.

    `numpy.linalg.LinAlgError` is a `ValueError`.
    """
    return (opencv().error, ValueError, ArithmeticError, IndexError, MemoryError)


def reason_of(error: Exception) -> str:
    """One line of text for a report."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

"""What a call of the script asks for."""

import os
from dataclasses import dataclass

from twinpix import plugins
from twinpix.errors import UsageError

METHOD = "dhash"  # 64 bits; decoded as a reference these are imagededup's codes
BITS = 64
_THRESHOLD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options by the script's names; raises `UsageError` for what is not there, and for what does not go together."""

    dirs: tuple[str, ...] = ()
    root: str | None = None
    duplicates_dir: str = "duplicates"
    encoder: str = "CNN"
    threshold: float | None = None
    display_duplicates: bool = False
    encodings_in: tuple[str, ...] = ()
    encodings_out: str | None = None
    encodings_only: bool = False
    dry_run: bool = False
    no_data_dir: bool = False
    no_annot: bool = False

    def __post_init__(self) -> None:
        if not self.dirs and not self.encodings_in:
            raise UsageError("name at least one data set with --dirs, or a file with --encodings-in")
        if "" in (*self.dirs, *self.encodings_in, self.duplicates_dir, self.root, self.encodings_out):
            raise UsageError("a name is empty")
        if self.encodings_only and self.encodings_out is None:
            raise UsageError("--encodings-only needs --encodings-out FILE: there would be nothing to do")
        if self.root is not None and not os.path.isdir(self.root):
            raise UsageError(f"no such folder: {self.root}")
        self._check_encoder()

    def _check_encoder(self) -> None:
        if self.encoder == "CNN":
            there = plugins.exists("fingerprints", "cnn")
            raise UsageError(f"the CNN is not there yet{' for this command' if there else ''}: give --encoder DHash")
        if self.threshold is not None and not (self.threshold.is_integer() and 0 <= self.threshold <= BITS):
            raise UsageError(
                f"the threshold of DHash is a whole number of bits from 0 to {BITS}, not {self.threshold:g}"
            )

    @property
    def radius(self) -> int:
        """Bits in which the codes of duplicates differ at most."""
        return _THRESHOLD if self.threshold is None else int(self.threshold)

    @property
    def duplicates(self) -> str:
        """The folder that duplicates are moved to, absolute."""
        return os.path.abspath(self.duplicates_dir)

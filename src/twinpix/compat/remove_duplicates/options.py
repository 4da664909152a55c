"""The options of the script."""

import os
from dataclasses import dataclass

from twinpix.compat.remove_duplicates.encoders import ENCODERS, Encoder
from twinpix.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options by the script's names; raises `UsageError` for missing values and for options that exclude each other."""

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
    force: bool = False  # whether the encodings may replace a file that twinpix did not write

    def __post_init__(self) -> None:
        if not self.dirs and not self.encodings_in:
            raise UsageError("name at least one data set with --dirs, or a file with --encodings-in")
        if "" in (*self.dirs, *self.encodings_in, self.duplicates_dir, self.root, self.encodings_out):
            raise UsageError("a name is empty")
        if self.encodings_only and self.encodings_out is None:
            raise UsageError("--encodings-only needs --encodings-out FILE: there would be nothing to do")
        if self.root is not None and not os.path.isdir(self.root):
            raise UsageError(f"no such folder: {self.root}")
        self.encoding.radius(self.threshold)

    @property
    def encoding(self) -> Encoder:
        """The encoder of the images."""
        return ENCODERS[self.encoder]

    @property
    def radius(self) -> float:
        """The largest distance of duplicates."""
        return self.encoding.radius(self.threshold)

    @property
    def duplicates(self) -> str:
        """The absolute path of the folder to which duplicates are moved."""
        return os.path.abspath(self.duplicates_dir)

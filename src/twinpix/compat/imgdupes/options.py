"""The arguments and options of imgdupes."""

import math
from dataclasses import dataclass

from twinpix.errors import UsageError
from twinpix.machine import cores

HASHES = {  # imgdupes' name: the twinpix method with ImageHash's conventions
    "ahash": "ahash:size={},flavour=imagehash",
    "phash": "phash:size={},flavour=imagehash",
    "dhash": "dhash:size={},flavour=imagehash",
    "whash": "whash:size={},flavour=imagehash",
    "phash_org": "phash_org:size={}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Arguments and options by their imgdupes names; raises `UsageError` for an unknown hash or a negative distance."""

    target_dir: str | None
    hash_method: str
    hamming_distance: int
    files_from: str | None = None
    recursive: bool = False
    delete: bool = False
    imgcat: bool = False
    summarize: bool = False
    noprompt: bool = False
    query: str | None = None
    hash_bits: int = 64
    sort: str = "filesize"
    reverse: bool = False
    num_proc: int | None = None
    log: bool = False
    no_cache: bool = False
    no_subdir_warning: bool = False
    sameline: bool = False
    dry_run: bool = False
    faiss_flat: bool = False
    faiss_flat_k: int = 20
    size: str = "256x256"
    space: int = 0
    space_color: str = "black"
    tile_num: int = 4
    interpolation: str = "INTER_LINEAR"
    no_keep_aspect: bool = False
    ngt: bool = False
    ngt_k: int = 20
    ngt_epsilon: float = 0.1
    ngt_edges: int = 10
    ngt_edges_for_search: int = 40
    hnsw: bool = False
    hnsw_k: int = 20
    hnsw_ef_construction: int = 100
    hnsw_m: int = 16
    hnsw_ef: int = 50
    faiss_cuda: bool = False
    cuda_device: int = -1

    def __post_init__(self) -> None:
        if self.hash_method not in HASHES:
            raise UsageError(f"the hash is one of {', '.join(HASHES)}, not {self.hash_method!r}")
        if self.hamming_distance < 0:
            raise UsageError(f"the distance must not be negative, it is {self.hamming_distance}")

    @property
    def side(self) -> int:
        """Number of rows of a hash, and of bits in a row."""
        return math.isqrt(self.hash_bits)

    @property
    def bits(self) -> int:
        """Number of bits of a hash: `hash_bits`, or the next lower square."""
        return self.side**2

    @property
    def spec(self) -> str:
        """The twinpix method that computes the hash."""
        return HASHES[self.hash_method].format(self.side)

    @property
    def threads(self) -> int:
        """Number of threads for the search library."""
        return self.num_proc or cores()

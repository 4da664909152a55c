"""`twinpix imgdupes`."""

from enum import StrEnum
from typing import Annotated

import typer

from twinpix.errors import UsageError

_IGNORED = "Accepted and ignored, for compatibility."
_POSITIONALS = "[TARGET_DIR] HASH DISTANCE"


class SortName(StrEnum):
    filesize = "filesize"
    filepath = "filepath"
    imagesize = "imagesize"
    width = "width"
    height = "height"
    none = "none"


def imgdupes(
    positionals: Annotated[
        list[str],
        typer.Argument(
            metavar=_POSITIONALS,
            help="A folder (or --files-from); ahash, phash, dhash, whash or phash_org; the largest distance in bits.",
        ),
    ],
    files_from: Annotated[
        str | None,
        typer.Option("--files-from", "-T", metavar="FILE", help="The images named there instead of a folder's."),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Search sub-folders.")] = False,
    delete: Annotated[bool, typer.Option("--delete", "-d", help="Ask for each set what to keep, delete the rest.")] = (
        False
    ),
    imgcat: Annotated[bool, typer.Option("--imgcat", "-c", help="Show each set's images in the terminal.")] = False,
    summarize: Annotated[bool, typer.Option("--summarize", "-m", help="Count duplicates at the end.")] = False,
    noprompt: Annotated[
        bool, typer.Option("--noprompt", "-N", help="With --delete: keep the first of each set, ask nothing.")
    ] = False,
    query: Annotated[
        str | None, typer.Option("--query", metavar="FILE", help="Only the images that are similar to this one.")
    ] = None,
    hash_bits: Annotated[
        int, typer.Option("--hash-bits", min=4, metavar="N", help="Bits of a hash: the square of a number.")
    ] = 64,
    sort: Annotated[
        SortName, typer.Option("--sort", help="Order within a set: all but filepath begin with the largest.")
    ] = SortName.filesize,
    reverse: Annotated[bool, typer.Option("--reverse", help="Sort the other way round.")] = False,
    num_proc: Annotated[
        int | None, typer.Option("--num-proc", min=1, metavar="N", help="Processes; default: one per core.")
    ] = None,
    log: Annotated[
        bool, typer.Option("--log", help="Write what was found and what was deleted to logs in the current folder.")
    ] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Store no hashes between runs.")] = False,
    no_subdir_warning: Annotated[
        bool, typer.Option("--no-subdir-warning", help="With --delete: do not report sets that span folders.")
    ] = False,
    sameline: Annotated[bool, typer.Option("--sameline", help="One line per set.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing.")] = False,
    faiss_flat: Annotated[bool, typer.Option("--faiss-flat", help="Search with faiss (IndexFlatL2).")] = False,
    faiss_flat_k: Annotated[
        int, typer.Option("--faiss-flat-k", min=1, metavar="N", help="Neighbours that faiss returns.")
    ] = 20,
    size: Annotated[str, typer.Option("--size", metavar="WxH", help="With --imgcat: pixels of each image.")] = (
        "256x256"
    ),
    space: Annotated[
        int, typer.Option("--space", min=0, metavar="N", help="With --imgcat: pixels between images.")
    ] = 0,
    space_color: Annotated[
        str, typer.Option("--space-color", metavar="NAME", help="With --imgcat: colour between images.")
    ] = "black",
    tile_num: Annotated[
        int, typer.Option("--tile-num", min=1, metavar="N", help="With --imgcat: images side by side.")
    ] = 4,
    interpolation: Annotated[
        str, typer.Option("--interpolation", metavar="NAME", help="With --imgcat: OpenCV's name of a filter.")
    ] = "INTER_LINEAR",
    no_keep_aspect: Annotated[
        bool, typer.Option("--no-keep-aspect", help="With --imgcat: stretch images to --size.")
    ] = False,
    ngt: Annotated[bool, typer.Option("--ngt", help="Accepted for compatibility: the exact search runs.")] = False,
    ngt_k: Annotated[int, typer.Option("--ngt-k", min=1, metavar="N", help=_IGNORED)] = 20,
    ngt_epsilon: Annotated[float, typer.Option("--ngt-epsilon", metavar="X", help=_IGNORED)] = 0.1,
    ngt_edges: Annotated[int, typer.Option("--ngt-edges", min=1, metavar="N", help=_IGNORED)] = 10,
    ngt_edges_for_search: Annotated[
        int, typer.Option("--ngt-edges-for-search", min=1, metavar="N", help=_IGNORED)
    ] = 40,
    hnsw: Annotated[bool, typer.Option("--hnsw", help="Search in an HNSW graph of faiss (approximate).")] = False,
    hnsw_k: Annotated[int, typer.Option("--hnsw-k", min=1, metavar="N", help="Neighbours that --hnsw finds.")] = 20,
    hnsw_ef_construction: Annotated[
        int, typer.Option("--hnsw-ef-construction", min=1, metavar="N", help="Candidates while the graph is built.")
    ] = 100,
    hnsw_m: Annotated[int, typer.Option("--hnsw-m", min=2, metavar="N", help="Links of a node of the graph.")] = 16,
    hnsw_ef: Annotated[
        int, typer.Option("--hnsw-ef", min=1, metavar="N", help="Candidates while the graph is searched.")
    ] = 50,
    faiss_cuda: Annotated[
        bool,
        typer.Option("--faiss-cuda", help="Accepted and ignored, for compatibility: the search runs on the processor."),
    ] = False,
    cuda_device: Annotated[
        int,
        typer.Option("--cuda-device", metavar="N", help="Accepted and ignored, for compatibility, like --faiss-cuda."),
    ] = -1,
) -> int:
    """Find and delete near-duplicate images with imgdupes' options and output.

    The search is exact unless --hnsw is given. Hashes are stored unless --no-cache is given.
    """
    given = locals()
    target_dir, hash_method, hamming_distance = _positionals(given.pop("positionals"))
    from twinpix.compat import imgdupes as front_end

    return front_end.run(
        front_end.Options(target_dir=target_dir, hash_method=hash_method, hamming_distance=hamming_distance, **given)
    )


def _positionals(given: list[str]) -> tuple[str | None, str, int]:
    """Return folder, hash and distance; if there are two arguments, the folder is missing."""
    if not 2 <= len(given) <= 3:
        raise UsageError(f"imgdupes takes {_POSITIONALS}, not {len(given)} arguments")
    method, distance = given[-2:]
    try:
        return (given[0] if len(given) == 3 else None), method, int(distance)
    except ValueError:
        raise UsageError(f"the distance is a whole number, not {distance!r}") from None

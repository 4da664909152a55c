"""Write log files of the sets and of the deleted files to the current folder."""

import re
import time
from collections.abc import Sequence

from twinpix import outputs, paths
from twinpix.compat.imgdupes import output
from twinpix.compat.imgdupes.engines import Engine
from twinpix.compat.imgdupes.grouping import Set
from twinpix.compat.imgdupes.options import Options
from twinpix.report.base import encode_text
from twinpix.text import without_controls


def write_found(sets: Sequence[Set], options: Options, by: Engine) -> None:
    """Write the sets as they are printed; raises `OutputError` if the file cannot be written."""
    body = "".join(output.set_lines(images, options) for images in sets)
    if not options.sameline:
        body = body.removesuffix("\n")  # empty lines stand only between sets
    _write("dup", output.query_line(options) + body, options, by)


def write_deleted(paths: Sequence[str], options: Options, by: Engine) -> None:
    """Write the deleted paths, one per line; raises `OutputError` if the file cannot be written."""
    _write("del", "".join(f"{without_controls(path)}\n" for path in paths), options, by)


def _write(kind: str, text: str, options: Options, by: Engine) -> None:
    what = f"{kind}_{by.name}_{_source(options)}_{options.hash_method}_{options.bits}_{options.hamming_distance}"
    name = paths.free_name(f"{time.strftime('%Y%m%d%H%M%S')}_{what}.log")
    outputs.write(name, encode_text([text]), outputs.UNMARKED)


def _source(options: Options) -> str:
    """Return the folder or file list for a log's name: spaces (in a list, dots too) become `_`, others are removed."""
    if options.files_from is not None:
        text = options.files_from.strip().replace(".", "_")
    else:
        text = (options.target_dir or "").strip()
    return re.sub(r"[^-\w.]", "", text.replace(" ", "_"))

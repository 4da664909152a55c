"""`twinpix encode`."""

import io
import re
import sys
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated

import typer

import twinpix
from twinpix.cli import common
from twinpix.cli.common import DecodeName
from twinpix.encoding.options import FAST_METHOD
from twinpix.errors import Exit, UsageError
from twinpix.model import Bytes2D, Fingerprints
from twinpix.outputs import Kind, starts
from twinpix.progress.terminal import progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinpix.encoding.options import Options
    from twinpix.usecases.codes import Coded

_SPEC = re.compile(rb'\{\s*"[a-z_]+[^"]*":\s*\{')  # JSON of encode: method, then path, then code
_KINDS = {
    "jsonl": starts("codes file of twinpix", b'{"schema": "twinpix.codes/'),
    "json": Kind("codes file of twinpix", lambda file: _SPEC.match(file.read(512)) is not None),
    "csv": starts("codes file of twinpix", b"path,method,code\n"),
    "npz": Kind("codes file of twinpix", lambda file: file.read(4) == b"PK\3\4" and b"/names.npy" in file.read(256)),
}


def encode(
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH...", help=common.PATHS_HELP)] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Output file: .jsonl (written during the run), .json, .csv or .npz; - for JSON on stdout.",
        ),
    ] = "-",
    method: Annotated[
        list[str] | None,
        typer.Option("--method", "-m", metavar="SPEC", help="May be repeated: one decode serves all methods."),
    ] = None,
    transforms: Annotated[
        bool,
        typer.Option("--transforms", "-t", help="Eight fingerprints for each image: all rotations and mirror images."),
    ] = False,
    table: common.TableOption = None,
    column: common.ColumnOption = "",
    recursive: common.RecursiveOption = True,
    hidden: common.HiddenOption = False,
    follow_links: common.FollowOption = False,
    force: common.ForceOption = False,
    decode: common.DecodeOption = DecodeName.fast,
    device: common.DeviceOption = "",
    workers: common.WorkersOption = 0,
    executor: common.ExecutorOption = "local",
    timeout: common.TimeoutOption = 60.0,
    store: common.StoreOption = None,
    no_store: common.NoStoreOption = False,
    work: common.WorkOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when an image could not be used.")] = False,
) -> int:
    """Write the fingerprints of images: hexadecimal in JSON and CSV, arrays in NPZ (names, and one for each method)."""
    specs, method = method or [FAST_METHOD], None
    chosen = common.options(locals())
    from twinpix import outputs
    from twinpix.text import plural

    _refuse_pixels(specs)
    paths = paths or []
    if not paths and not table:
        raise UsageError("name at least one folder, image or table")
    kind = "json" if output == "-" else PurePath(output).suffix.lower().lstrip(".")
    if kind not in ("jsonl", "json", "csv", "npz"):
        raise UsageError(f"codes are written to .jsonl, .json, .csv or .npz, not to {output}")
    if output != "-":
        outputs.require(output, _KINDS[kind], force=force)
    if kind == "jsonl":
        return _stream(paths, specs, chosen, output, strict=strict, force=force)
    coded = twinpix.encode(
        paths,
        specs,
        chosen,
        progress=progress(),
    )
    data = {"json": _json, "csv": _csv, "npz": _npz}[kind](coded)
    if output == "-":
        sys.stdout.buffer.write(data)
    else:
        outputs.write(output, [data], _KINDS[kind], force=force)
    first = next(iter(coded.values()))
    what = f"{plural(len(first.refs), 'image')} coded"
    failed = {failure.path for prints in coded.values() for failure in prints.failures}
    if failed:
        what += f", {plural(len(failed), 'file')} could not be used"
    typer.echo(what if output == "-" else f"{what}: {output}", err=True)
    common.print_failures(first.failures)
    return Exit.SOME_FAILED if strict and failed else Exit.DONE


def _refuse_pixels(specs: list[str]) -> None:
    """Raise `UsageError` for a method whose codes alone are no match: its pairs must be verified on the pixels."""
    from twinpix import fingerprints

    for spec in specs:
        if fingerprints.make(spec).proposes:
            raise UsageError(f"{spec} compares pixels: its codes alone match nothing. Encode by a hash or by cnn")


def _stream(paths: list[str], specs: list[str], options: "Options", output: str, *, strict: bool, force: bool) -> int:
    """Write the codes while they are computed."""
    from twinpix.text import plural, printable

    failed: list[str] = []

    def rows() -> "Iterator[Coded]":
        for row in twinpix.encode_files_as_stream(paths, specs, options, progress=progress()):
            if row.error:
                failed.append(f"  {printable(row.path)}: {row.error}")
            yield row

    count = twinpix.write_codes(output, twinpix.header_of(specs, options), rows(), force=force)
    unused = f", {plural(len(failed), 'file')} could not be used" if failed else ""
    typer.echo("\n".join([f"{plural(count, 'image')} coded{unused}: {output}", *failed[:10]]), err=True)
    return Exit.SOME_FAILED if strict and failed else Exit.DONE


def _json(coded: dict[str, Fingerprints]) -> bytes:
    from twinpix.report.base import encode_text
    from twinpix.report.json import dumps

    return b"".join(
        encode_text(
            dumps(
                {
                    spec: {ref.uri: _hex(code) for ref, code in zip(prints.refs, prints.codes, strict=True)}
                    for spec, prints in coded.items()
                }
            )
        )
    )


def _csv(coded: dict[str, Fingerprints]) -> bytes:
    import csv

    import numpy as np

    from twinpix.report.base import encode_text

    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["path", "method", "code"])
    for spec, prints in coded.items():
        for ref, code in zip(prints.refs, prints.codes, strict=True):
            rows.writerow([ref.uri, spec, " ".join(turn.tobytes().hex() for turn in np.atleast_2d(code))])
    return b"".join(encode_text([out.getvalue()]))


def _npz(coded: dict[str, Fingerprints]) -> bytes:
    import os

    import numpy as np

    arrays = {}
    for spec, prints in coded.items():
        names = [os.fsencode(ref.uri) for ref in prints.refs]
        arrays[f"{spec}/names"] = np.array(names, dtype=bytes)
        arrays[f"{spec}/codes"] = prints.codes
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def _hex(code: Bytes2D) -> str | list[str]:
    """Return one code in hexadecimal, or a list of the codes of eight orientations."""
    return code.tobytes().hex() if code.ndim == 1 else [turn.tobytes().hex() for turn in code]

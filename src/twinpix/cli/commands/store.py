"""`twinpix store info|clear|export|import`."""

from typing import Annotated

import typer

from twinpix.cli.command import Command
from twinpix.errors import Exit
from twinpix.progress.terminal import LineProgress

app = typer.Typer(
    help="Show, clear, export or import stored results.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_File = Annotated[str | None, typer.Option("--store", metavar="FILE", help="Another store than the default one.")]


@app.command(cls=Command)
def info(store: _File = None) -> int:
    """Print where the store is and what it contains."""
    from twinpix.encoding.options import Options
    from twinpix.encoding.session import open_store
    from twinpix.text import bytes_text, plural

    with open_store(Options(store=store or "default"), LineProgress()) as opened:
        found = opened.info()
    print(f"{found.path}: {bytes_text(found.bytes)}")
    print(f"{plural(found.files, 'file')} known, {plural(found.codes, 'code')}, {plural(found.failures, 'failure')}")
    if found.verdicts:
        print(f"{plural(found.verdicts, 'stored verification')}")
    for spec, count in found.specs.items():
        print(f"  {count:>9,}  {spec}")
    if found.exclusions:
        print(f"{plural(found.exclusions, 'pair')} marked as not duplicates")
    if found.decisions:
        print(f"{plural(found.decisions, 'copy', 'copies')} decided by you")
    return Exit.DONE


@app.command(cls=Command)
def clear(
    store: _File = None,
    exclusions: Annotated[
        bool, typer.Option("--exclusions", help="Also the pairs marked as not duplicates, and decisions.")
    ] = False,
    verdicts: Annotated[bool, typer.Option("--verdicts", hidden=True, help="Old name of --exclusions.")] = False,
) -> int:
    """Delete all stored codes and verifications. Pairs marked as not duplicates, and decisions, are kept."""
    from twinpix.encoding.options import Options
    from twinpix.encoding.session import open_store
    from twinpix.text import plural

    with open_store(Options(store=store or "default"), LineProgress()) as opened:
        held = opened.info()
        opened.clear(exclusions=exclusions or verdicts)
    counts = plural(held.codes, "code"), plural(held.verdicts, "verification"), plural(held.failures, "failure")
    summary = f"deleted {counts[0]}, {counts[1]} and {counts[2]}: {held.path}"
    what = "deleted too" if exclusions or verdicts else "kept (--exclusions deletes them)"
    if held.exclusions:
        summary += f"\n{plural(held.exclusions, 'pair')} marked as not duplicates: {what}"
    if held.decisions:
        summary += f"\n{plural(held.decisions, 'copy', 'copies')} decided by you: {what}"
    print(summary)
    return Exit.DONE


@app.command("export", cls=Command)
def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to write; - is stdout.")],
    store: _File = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is no earlier export.")] = False,
) -> int:
    """Write the pairs marked as not duplicates to a JSON file.

    Images are identified by the digests of their files, so that the file is valid on every machine.
    """
    import sys

    from twinpix import outputs
    from twinpix.encoding.options import Options
    from twinpix.encoding.session import open_store
    from twinpix.match import exclusions

    with open_store(Options(store=store or "default"), LineProgress()) as opened:
        text = exclusions.export_pairs(opened)
    if file == "-":
        sys.stdout.write(text)
    else:
        outputs.write(file, [text.encode()], exclusions.PAIRS, force=force)
    return Exit.DONE


@app.command("import", cls=Command)
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file that export wrote.")], store: _File = None
) -> int:
    """Import pairs marked as not duplicates; stored pairs are kept."""
    from twinpix.encoding.options import Options
    from twinpix.encoding.session import open_store
    from twinpix.match import exclusions
    from twinpix.text import plural

    with open_store(Options(store=store or "default"), LineProgress()) as opened:
        count = exclusions.import_pairs(opened, file)
    print(f"imported {plural(count, 'pair')}")
    return Exit.DONE

"""`twinpix resolve`."""

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

import twinpix
from twinpix import plugins
from twinpix.cli import acting, common, finding
from twinpix.errors import Exit, UsageError
from twinpix.model import is_remote
from twinpix.sources.credentials import show_url

if TYPE_CHECKING:
    from twinpix.act.actions import Action
    from twinpix.encoding.options import Options
    from twinpix.model import Relation, Report

_CHOICES = (
    "--trash, --move DIR or URL, --copy-kept DIR, --delete, --hardlink, --symlink, --reflink, --export TARGET or "
    "--list FILE"
)


def resolve(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="REPORT|PATH...", help="A JSON report of find, or what find takes: then it runs first."),
    ],
    trash: Annotated[bool, typer.Option("--trash", help="Move duplicates to the system trash.")] = False,
    move: Annotated[
        str | None,
        typer.Option(
            "--move",
            metavar="DIR",
            help="Move duplicates to DIR, with their folders; objects of a store to a URL in it (s3://bucket/dups).",
        ),
    ] = None,
    copy_kept: Annotated[
        str | None,
        typer.Option("--copy-kept", metavar="DIR", help="Copy the keeper of each group and all unique images to DIR."),
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete duplicates permanently: there is no undo; asks first.")
    ] = False,
    hardlink: Annotated[bool, typer.Option("--hardlink", help="Replace identical files with hard links.")] = False,
    symlink: Annotated[
        bool, typer.Option("--symlink", help="Replace identical files with symbolic links to the keeper.")
    ] = False,
    reflink: Annotated[
        bool, typer.Option("--reflink", help="Replace identical files with reflinks (Btrfs, XFS, APFS).")
    ] = False,
    action: Annotated[
        str | None,
        typer.Option(
            "--action",
            metavar="SPEC",
            help=f"An action by the name of its plugin, as move:to=DIR: {', '.join(plugins.own('actions'))}.",
        ),
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(
            "--export",
            metavar="TARGET",
            help="Write the archives and tables of the report again, without duplicates, to TARGET: a folder or a URL.",
        ),
    ] = None,
    list_to: Annotated[
        str | None,
        typer.Option(
            "--list",
            metavar="FILE",
            help="Write the duplicates to FILE, also those inside archives, by id, path or URI; - is the output.",
        ),
    ] = None,
    null: Annotated[bool, typer.Option("--null", "-0", help="With --list: end each name with a zero byte.")] = False,
    force: Annotated[bool, typer.Option("--force", help="With --list: replace any file.")] = False,
    keep: Annotated[
        str | None, typer.Option("--keep", metavar="RULES", help="Choose the keepers again, by rules as in find.")
    ] = None,
    stricter: Annotated[
        float | None,
        typer.Option("--stricter", metavar="N", help="Only matches within this radius, below the report's."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="RELATIONS",
            help="Only these relations to the keeper, comma-separated: identical-file, identical-pixels, "
            "re-encoded, resized, cropped, ...",
        ),
    ] = None,
    sidecars: Annotated[
        common.Sidecars,
        typer.Option(
            "--sidecars",
            help="Companion files (XMP, edits, live photo videos): same: moved with their image if the keeper has "
            "the same, else both stay; all: always moved with it; keep: never moved.",
        ),
    ] = common.Sidecars.same,
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="Choose the images to keep, group by group.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="With --interactive: draw each group in the terminal.")] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Carry out the plan; without this option it is only printed.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask: needed by --delete --apply without a terminal.")
    ] = False,
    journal: Annotated[
        str | None,
        typer.Option("--journal", metavar="FILE", help="Journal of all steps, for undo; default: beside the report."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    store: common.StoreOption = None,
    no_store: common.NoStoreOption = False,
) -> int:
    """Print the plan of an action on duplicates, and with --apply carry it out.

    Every file is checked immediately before its step: a file that changed since find is left alone. The keeper of each
    group stays, nothing is overwritten, and undo reverses all actions but --delete. Groups that you decided in review,
    or with --interactive, are as you decided.
    """
    options = common.options({"store": store, "no_store": no_store})
    plain = {"trash": trash, "delete": delete, "hardlink": hardlink, "symlink": symlink, "reflink": reflink}
    folders = {"move": move, "copy": copy_kept}
    if (null or force) and list_to is None:
        raise UsageError(f"{'--null' if null else '--force'} needs --list: give both")
    if export is not None or list_to is not None:
        if (export is not None and list_to is not None) or any(plain.values()) or any((move, copy_kept, action)):
            raise UsageError(f"choose one action only for the duplicates: {_CHOICES}")
        name = "--export" if export is not None else "--list"
        given = {"--interactive": interactive, "--show": show, "--journal": journal is not None}
        given |= {"--yes": yes}
        given |= {"--json": as_json, "--apply": apply} if list_to is not None else {}
        if refused := next((option for option, on in given.items() if on), ""):
            raise UsageError(f"{refused} cannot be combined with {name}")
        from twinpix.cli import exporting

        report = _find_first(paths, options, as_json=as_json or list_to == "-")
        found = _report(report, keep, stricter, options)
        if export is not None:
            source = os.path.abspath(report)
            return exporting.export(found, export, _relations(only), source=source, apply=apply, as_json=as_json)
        return exporting.write_list(found, str(list_to), _relations(only), null=null, force=force)
    if move is not None and is_remote(move := show_url(move)):
        if any(plain.values()) or any((copy_kept, action)):
            raise UsageError(f"choose one action only for the duplicates: {_CHOICES}")
        given = {"--interactive": interactive, "--show": show}
        if refused := next((option for option, on in given.items() if on), ""):
            raise UsageError(f"{refused} cannot be combined with --move URL")
        from twinpix.cli import objects

        report = _find_first(paths, options, as_json=as_json)
        found = _report(report, keep, stricter, options)
        only_these, at = _relations(only), os.path.abspath(report)
        kind = sidecars.value
        return objects.move(found, move, only_these, kind, source=at, journal=journal, apply=apply, as_json=as_json)
    folders["move"] = move
    act = _action(plain, folders, action)
    from twinpix.act import actions, session
    from twinpix.cli import confirming, dialogue
    from twinpix.machine import no_garbage_collection
    from twinpix.progress.terminal import progress
    from twinpix.ui import outcome_text, plan_text

    if show and not interactive:
        raise UsageError("--show needs --interactive: give both")
    if as_json and interactive:
        raise UsageError("--json cannot be combined with --interactive, which prints for people")
    report = _find_first(paths, options, as_json=as_json)
    found = _report(report, keep, stricter, None if interactive else options)
    decided = dialogue.ask_user(found, options, show=show) if interactive else None
    with session.open_run(report, plugins.name_of(act), actions.options_of(act), path=journal, apply=apply) as run:
        plan = twinpix.plan(
            found,
            act,
            sidecars=sidecars.value,
            only=_relations(only),
            choices=decided.kept if decided else None,
            dealt_with=run.dealt_with,
            source=os.path.abspath(report),
        )
        with no_garbage_collection():
            common.print_plan([] if as_json else plan_text.lines(plan), apply=apply)
        if not apply:
            if as_json:
                print(plan_text.as_json(plan), end="")
            elif plan.units:
                print("nothing was changed; add --apply to carry out the plan")
            return Exit.DONE
        end, how = (decided.end, decided.how_to_continue) if decided else (confirming.DialogueEnd.ALL_DECIDED, "")
        if not confirming.confirm(plan, act, end, yes=yes, how_to_continue=how):
            print("nothing was done")
            return Exit.REFUSED if act.permanent else Exit.DONE
        outcome = twinpix.apply(plan, run.journal, progress())
        outcome.skipped += run.unrepaired
    if as_json:
        print(plan_text.as_json(plan, outcome), end="")
    else:
        sys.stdout.writelines(f"{line}\n" for line in plan_text.result(plan, outcome))
    return outcome_text.exit_code(outcome)


def _find_first(paths: list[str], options: "Options", *, as_json: bool) -> str:
    """Return the path of the report; of images to find first, that of a new one.

    With `as_json` the standard output is kept for the result.
    """
    if finding.is_report(paths):
        return paths[0]
    from twinpix.progress.terminal import progress

    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        return finding.find_report(paths, options, progress())


def _report(path: str, keep: str | None, stricter: float | None, options: "Options | None") -> "Report":
    """Read a report; with options, the groups that the user decided before are as decided, which is said."""
    from contextlib import closing

    from twinpix import report as reports
    from twinpix.act import decisions, regroup
    from twinpix.encoding.session import open_store
    from twinpix.progress.terminal import LineProgress
    from twinpix.text import plural

    found = reports.read(path)
    if keep is not None or stricter is not None:
        found = regroup.decide_again(found, keep, stricter)
    if options is None or options.store is None:
        return found
    with open_store(options, LineProgress()) as opened, closing(decisions.Decisions.of(opened)) as known:
        kept = decisions.kept_by(known, found)
    if not kept:
        return found
    later = sum(not paths for paths in kept.values())
    rest = f", {later:,} left for later" if later else ""
    acting.say(f"{plural(len(kept) - later, 'group')} as you decided before{rest} (--no-store: as the report proposes)")
    return regroup.as_decided(found, kept)


def _relations(text: str | None) -> "list[Relation]":
    """Return relations by name, which `plan` checks; raises `UsageError` for none."""
    from typing import cast

    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if text is not None and not names:
        raise UsageError("--only needs at least one relation")
    return cast("list[Relation]", names)


def _action(plain: Mapping[str, bool], to: Mapping[str, str | None], spec: str | None) -> "Action":
    """Return the requested action; raises `UsageError` for none, and for several."""
    from twinpix.act import actions

    chosen = [actions.make(name, {}) for name, on in plain.items() if on]
    chosen += [actions.make(name, {"to": folder}) for name, folder in to.items() if folder is not None]
    chosen += [actions.make(spec)] if spec is not None else []
    if len(chosen) != 1:
        raise UsageError(f"choose {'an action' if not chosen else 'one action only'} for the duplicates: {_CHOICES}")
    return chosen[0]

"""`twinpix evaluate`."""

from typing import TYPE_CHECKING, Annotated

import typer

from twinpix.cli import common
from twinpix.cli.common import DecodeName
from twinpix.encoding.options import FAST_METHOD
from twinpix.errors import Exit, UsageError
from twinpix.model import format_distance
from twinpix.progress.terminal import progress

if TYPE_CHECKING:
    from twinpix.evaluation.methods import Measurement


def evaluate(
    truth: Annotated[
        str, typer.Argument(metavar="TRUTH", help="JSON map, CSV of pairs, or a folder with a folder for each group.")
    ],
    retrieved: Annotated[
        str | None, typer.Argument(metavar="[RETRIEVED]", help="JSON map, CSV of pairs, or a report of find.")
    ] = None,
    folder: Annotated[
        str | None, typer.Option("--in", metavar="PATH", help="Measure methods on the images in this folder instead.")
    ] = None,
    methods: Annotated[
        str, typer.Option("--methods", metavar="SPEC,...", help="Methods to measure, with --in.")
    ] = FAST_METHOD,
    transforms: common.TransformsOption = None,
    decode: common.DecodeOption = DecodeName.fast,
    search: common.SearchOption = "auto",
    workers: common.WorkersOption = 0,
    executor: common.ExecutorOption = "local",
    timeout: common.TimeoutOption = 60.0,
    store: common.StoreOption = None,
    no_store: common.NoStoreOption = False,
    work: common.WorkOption = None,
    plot: Annotated[
        str | None, typer.Option("--plot", metavar="FILE", help="Draw precision against recall, with --in.")
    ] = None,
    force: common.ForceOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Measure a result, or methods on images, against ground truth.

    Names are relative to PATH, or to the folder that was searched.
    """
    chosen = common.options(locals())
    if (retrieved is None) == (folder is None):
        raise UsageError("give RETRIEVED, what was found, or --in PATH, images to measure methods on")
    if retrieved is not None:
        return _scores(truth, retrieved, as_json)
    from twinpix.evaluation import read_truth
    from twinpix.evaluation.methods import measure

    specs = common.specs(methods)
    if plot:
        from twinpix.ui import figure

        figure.require(plot, force=force)
    known = read_truth(truth)
    found = measure(known, str(folder), specs, chosen, progress())
    if plot:
        from twinpix import ui

        curves = {method.spec: (method.curve.precision, method.curve.recall) for method in found.methods}
        marked = {method.spec: method.curve.recommended for method in found.methods}
        steps = {method.spec: method.step for method in found.methods}
        ui.save(ui.precision_recall(curves, marked, steps), plot, force=force)
    _print_measurement(found, as_json)
    return Exit.DONE


def _scores(truth: str, retrieved: str, as_json: bool) -> int:
    from twinpix.evaluation import contradiction_of, read_map, read_truth, score
    from twinpix.evaluation.truth import rename_to_known
    from twinpix.report.json import dumps
    from twinpix.text import plural

    known = read_truth(truth)
    found = rename_to_known(read_map(retrieved), known)
    unknown = [name for name in found if name not in known]
    predicted = {name: [other for other in found.get(name, []) if other in known] for name in known}
    for path, names in ((truth, known), (retrieved, predicted)):
        if contradiction := contradiction_of(names):
            raise UsageError(f"{path} cannot be evaluated: {contradiction}")
    if not known:
        raise UsageError(f"{truth} names no image")
    scores = score(known, predicted)
    if as_json:
        print(dumps(scores._asdict()), end="")
    else:
        width = max(map(len, scores._fields))
        for name, value in scores._asdict().items():
            print(f"{name.replace('_', ' '):<{width}}  {value:.4f}")
    if unknown:
        typer.echo(f"twinpix: ignored {plural(len(unknown), 'name')} missing from the ground truth", err=True)
    return Exit.DONE


def _print_measurement(found: "Measurement", as_json: bool) -> None:
    from twinpix.report.json import dumps
    from twinpix.text import plural

    if as_json:
        rows = [
            {
                "method": method.spec,
                "bits": method.bits,
                "normal": method.normal,
                "recommended": method.recommended,
                "step": method.step,
                "precision": method.curve.precision.tolist(),
                "recall": method.curve.recall.tolist(),
                "f1": method.curve.f1.tolist(),
            }
            for method in found.methods
        ]
        print(dumps({"images": found.images, "pairs": found.pairs, "methods": rows}), end="")
        return
    print(f"{plural(found.images, 'image')}, {plural(found.pairs, 'pair')} of copies\n")
    width = max(len("method"), *(len(method.spec) for method in found.methods))
    print(f"{'':<{width}}  {'best F1':^33}  {'normal strictness':^27}")
    print(f"{'method':<{width}}  {'radius':>6} {'precision':>9} {'recall':>7} {'F1':>7}  ", end="")
    print(f"{'radius':>8} {'precision':>9} {'recall':>7}")
    for method in found.methods:
        at = method.curve.recommended
        precision, recall, f1 = (column[at] for column in method.curve[:3])
        radius = format_distance(method.recommended)
        print(f"{method.spec:<{width}}  {radius:>6} {precision:>9.4f} {recall:>7.4f} {f1:>7.4f}  ", end="")
        print(f"{format_distance(method.normal):>8} {method.usual[0]:>9.4f} {method.usual[1]:>7.4f}")
    best = max(found.methods, key=lambda method: float(method.curve.f1[method.curve.recommended]))
    print(f"\nfor images like these: --method {best.spec} --radius {format_distance(best.recommended)}")
    if found.without_code:
        names = ", ".join(found.without_code[:3]) + (", …" if len(found.without_code) > 3 else "")
        what = plural(len(found.without_code), "name")
        typer.echo(f"twinpix: {what} in the ground truth without a readable image: {names}", err=True)

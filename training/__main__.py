"""``python -m training pack|train|score|export|codes``; see README.md."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

LOOKED_AT = 4000
"""Number of images from which the export computes the principal axes of the descriptors."""


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (_pack, _train, _score, _export, _codes):
        add(commands)
    args = parser.parse_args()
    work: Callable[[argparse.Namespace], None] = args.work
    work(args)


def _pack(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("pack", help="tar files of images to one array")
    parser.add_argument("tars", type=Path, nargs="+", metavar="TAR")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")

    def work(args: argparse.Namespace) -> None:
        from training.pack import pack

        print(f"{pack(args.tars, args.out):,} images packed into {args.out}")

    parser.set_defaults(work=work)


def _train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from training.train import OtherRecipeError, Recipe, train

    parser = commands.add_parser("train", help="train, or resume a stopped run")
    parser.add_argument("packed", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    settings = [f for f in fields(Recipe) if isinstance(f.default, int | float)]
    for f in settings:
        parser.add_argument("--" + f.name.replace("_", "-"), type=type(f.default), default=f.default)

    def work(args: argparse.Namespace) -> None:
        try:
            train(args.packed, args.out, Recipe(**{f.name: getattr(args, f.name) for f in settings}))
        except OtherRecipeError as error:
            parser.exit(2, f"{error}\n")

    parser.set_defaults(work=work)


def _score(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("score", help="recall of edited copies")
    parser.add_argument("state", type=Path)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--prefixes", type=int, nargs="+", default=[64, 128, 256, 512, 1024])
    parser.add_argument("--turns", type=int, nargs="+", default=[1, 8], choices=[1, 8])

    def work(args: argparse.Namespace) -> None:
        from training.score import score

        for folder in args.folders:
            print(score(args.state, folder, args.side, tuple(args.prefixes), tuple(args.turns)), flush=True)

    parser.set_defaults(work=work)


def _export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("export", help="write the ONNX file and its JSON")
    parser.add_argument("state", type=Path)
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument(
        "--packed", type=Path, metavar="FOLDER", help="rotate descriptors to the principal axes of these images"
    )
    parser.add_argument("--facts", type=json.loads, default={}, help='JSON: {"dims": …, "radii": {"strict": …, …}}')

    def work(args: argparse.Namespace) -> None:
        import numpy as np

        from training.export import export

        images = None
        if args.packed:
            every = np.load(args.packed / "level0.npy", mmap_mode="r")
            images = every[:: max(1, len(every) // LOOKED_AT)]
        export(args.state, args.model, args.side, args.facts, images)
        print(f"{args.model.stat().st_size:,} bytes: {args.model}")

    parser.set_defaults(work=work)


def _codes(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("codes", help="learn the embedding of keypoint descriptors in 64 bits")
    parser.add_argument("packed", type=Path, metavar="FOLDER")
    parser.add_argument("out", type=Path, metavar="CODES.npz")
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)

    def work(args: argparse.Namespace) -> None:
        from training.codes import learn

        for name, value in learn(args.packed, args.out, args.pictures, args.seed).items():
            print(f"{name}: {value:,.6g}")

    parser.set_defaults(work=work)


if __name__ == "__main__":
    main()

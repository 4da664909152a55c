"""``python -m training pack|train``."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="tar files of pictures to one array")
    packing.add_argument("tars", type=Path, nargs="+")
    packing.add_argument("--out", type=Path, required=True)
    training = commands.add_parser("train", help="train, or go on with a run that was stopped")
    training.add_argument("packed", type=Path)
    training.add_argument("--out", type=Path, required=True)
    from training.train import Recipe, train

    settings = [f for f in fields(Recipe) if isinstance(f.default, int | float)]
    for f in settings:
        training.add_argument("--" + f.name.replace("_", "-"), type=type(f.default), default=f.default)
    args = parser.parse_args()
    if args.command == "pack":
        from training.pack import pack

        print(f"{pack(args.tars, args.out):,} pictures packed into {args.out}")
    elif args.command == "train":
        train(args.packed, args.out, Recipe(**{f.name: getattr(args, f.name) for f in settings}))


if __name__ == "__main__":
    main()

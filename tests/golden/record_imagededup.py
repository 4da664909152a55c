"""Record the hashes of imagededup for every image below a folder.

usage: record_imagededup.py FOLDER OUTPUT [--by-content]
       record_imagededup.py --generated OUTPUT

Run it where imagededup is installed. Files that imagededup cannot read are absent. Keys are
paths relative to FOLDER or, with --by-content, the files' SHA-256, so that no name is recorded.
--generated draws the images of tests/drawings.py again and stores the SHA-256 of each with its
hashes. An OUTPUT that ends in .gz is compressed, always to the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

from imagededup.methods import AHash, DHash, PHash, WHash

METHODS = {
    "phash": PHash(verbose=False),
    "ahash": AHash(verbose=False),
    "dhash": DHash(verbose=False),
    "whash": WHash(verbose=False),
}
PACKAGES = ("imagededup", "Pillow", "numpy", "scipy", "PyWavelets")


def hashes(path: Path) -> dict[str, str]:
    """Every method's hash; empty when the file cannot be read."""
    found = {}
    for name, method in METHODS.items():
        code = method.encode_image(image_file=path)
        if code is None:
            return {}
        found[name] = str(code)
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def record_folder(folder: Path, by_content: bool) -> dict[str, dict[str, str]]:
    items: dict[str, dict[str, str]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        key = sha256(path) if by_content else path.relative_to(folder).as_posix()
        if key not in items and (found := hashes(path)):
            items[key] = found
    return items


def record_generated(folder: Path) -> dict[str, dict[str, str]]:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from drawings import KINDS, LOW_KINDS, draw, save_modes

    save_modes(folder / "modes")
    (folder / "drawn").mkdir()
    sizes = ((200, 150), (97, 133), (640, 427))
    for kind in (*KINDS, *LOW_KINDS):
        for seed, size in enumerate(sizes):
            draw(kind, seed, size).save(folder / "drawn" / f"{kind}-{seed}-{size[0]}x{size[1]}.png")
    items = record_folder(folder, by_content=False)
    return {key: {**found, "sha256": sha256(folder / key)} for key, found in items.items()}


def write(output: Path, items: dict[str, dict[str, str]]) -> None:
    made = {"versions": {name: version(name) for name in PACKAGES}, "items": items}
    text = json.dumps(made, indent=1, sort_keys=True) + "\n"
    data = text.encode()
    output.write_bytes(gzip.compress(data, 9, mtime=0) if output.suffix == ".gz" else data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("output", type=Path)
    parser.add_argument("--by-content", action="store_true")
    parser.add_argument("--generated", action="store_true")
    args = parser.parse_args()
    if (args.folder is None) != args.generated:
        parser.error("give either FOLDER or --generated")
    warnings.simplefilter("ignore")
    if args.generated:
        with tempfile.TemporaryDirectory() as scratch:
            items = record_generated(Path(scratch))
    else:
        items = record_folder(args.folder, args.by_content)
    write(args.output, items)
    print(f"{len(items)} images recorded in {args.output.name}")


if __name__ == "__main__":
    main()

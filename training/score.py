"""Recall of edited copies with a trained state at fixed false-match rates, for each prefix of the descriptor."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePath

import numpy as np

import twinpix
from training.export import export
from twinpix import fingerprints
from twinpix.evaluation.rates import distances, points, radius_of

RATES = (1e-4, 1e-5, 1e-6)


def score(state: Path, folder: Path, side: int, prefixes: tuple[int, ...], turns: tuple[int, ...] = (1, 8)) -> str:
    """A Markdown table of recall (and radius), and the edits with a recall below 0.9 at the last rate.

    `folder` holds ``original/`` and a folder for each edit; files with the same stem are copies of one image. The state
    is exported and run as in the package. `turns`: 1 for the images as they are, 8 for all orientations.
    """
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "network.onnx"
        export(state, model, side, {})
        spec = f"cnn:model={model}"
        (prints,) = twinpix.encode([folder], [spec], transforms=max(turns) > 1, store=None).values()
        method = fingerprints.make(spec)
    names = [PurePath(uri) for uri in prints.refs.uris]
    stems, edits = np.array([name.stem for name in names]), np.array([name.parent.name for name in names])
    first, edited = np.flatnonzero(edits == "original"), np.flatnonzero(edits != "original")
    same = stems[first][:, None] == stems[edited][None]
    codes = prints.codes if prints.codes.ndim == 3 else prints.codes[:, None]
    lines = [
        f"{len(first)} images, {len(set(edits)) - 1} edits, {side} pixels\n",
        "| numbers | orientations | " + " | ".join(f"{rate:g}" for rate in RATES) + " | weakest at the last |",
        "|---|---|" + "---|" * (len(RATES) + 1),
    ]
    for dims in prefixes:
        for count in turns:
            part = np.ascontiguousarray(codes[..., : 2 * dims])
            gaps = distances(method, part[first, 0], part[edited, :count])
            found = points(gaps, same, RATES)
            cells = [f"{point.recall:.3f} ({radius_of(method, int(point.radius)):.3f})" for point in found]
            near = (gaps <= found[-1].radius) & same
            shares = {edit: near[:, edits[edited] == edit].sum() / len(first) for edit in sorted(set(edits[edited]))}
            weak = ", ".join(f"{edit} {share:.2f}" for edit, share in shares.items() if share < 0.9)
            lines.append(f"| {dims} | {count} | " + " | ".join(cells) + f" | {weak or '-'} |")
    return "\n".join(lines)

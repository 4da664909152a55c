"""`encode`: the codes of images, for use elsewhere."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from twinpix import fingerprints, plugins, sources
from twinpix.model import Failure, Fingerprints
from twinpix.pipeline.coding import Coder
from twinpix.pipeline.finding import opened
from twinpix.pipeline.options import Options
from twinpix.pipeline.progress import Progress


def encode(
    paths: Sequence[str | os.PathLike[str]],
    methods: Sequence[str] = (),
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    **changes: Any,
) -> dict[str, Fingerprints]:
    """The codes of every image below `paths` by each of `methods` (default: the options' one), by spec.

    Each file is read and decoded once, whatever the number of methods. Codes are `(n, bytes)` uint8, most
    significant bit first, or `(n, 8, bytes)` with transforms.
    """
    options = replace(options or Options(), **changes)
    progress = progress or Progress()
    names = [os.fspath(path) for path in paths]
    sources.require(names)
    prints = tuple(fingerprints.make(text) for text in methods or [options.method])
    listing = sources.scan(names, recursive=options.recursive, hidden=options.hidden, follow_links=options.follow_links)
    with opened(options, progress) as store:
        coder = Coder(store, prints, options.decode, options.transforms, options.workers, options.timeout, progress)
        digests = coder.code(listing.refs)
    out = {}
    for number, method in enumerate(prints):
        rows, codes, failures = [], [], [*listing.failures, *coder.failures]
        for row, digest in enumerate(digests):
            if not digest:
                continue
            result = coder.result(digest, number)
            if result.code is None:
                failures.append(Failure(listing.refs.uris[row], result.stage, result.error))
            else:
                rows.append(row)
                codes.append(result.code)
        shape = (len(rows), 8, method.bits // 8) if options.transforms else (len(rows), method.bits // 8)
        array = np.frombuffer(b"".join(codes), dtype=np.uint8).reshape(shape)
        spec = plugins.describe(method)
        out[spec] = Fingerprints(listing.refs.take(rows), array, spec, sorted(failures, key=lambda f: f.path))
    return out

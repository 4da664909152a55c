"""`encode`: the codes of images, for use elsewhere."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from twinpix import fingerprints, plugins, sources
from twinpix.encoding.encoder import Encoder
from twinpix.encoding.methods import methods_of
from twinpix.encoding.options import Options, Paths, names_of
from twinpix.encoding.session import open_session, scan
from twinpix.fingerprints import Fingerprint, width_of
from twinpix.imaging.traits import from_text
from twinpix.model import Failure, Fingerprints
from twinpix.progress import Progress, ProgressLike, progress_of


def encode(
    paths: Paths | Iterable[Paths],
    methods: Sequence[str] = (),
    options: Options | None = None,
    *,
    progress: ProgressLike = None,
    **changes: Any,
) -> dict[str, Fingerprints]:
    """The codes of every image below `paths` by each of `methods` (default: the options' one), by spec.

    Each file is read and decoded once, whatever the number of methods. Codes are `(n, bytes)` uint8, most
    significant bit first, or `(n, 8, bytes)` with transforms.
    """
    options = Options.of(options, changes)
    progress = progress_of(progress)
    names = names_of(paths)
    sources.require(names)
    prints = methods_of(options, methods or [options.method])
    return _coded(scan(options, progress, names), prints, options, progress)


def encode_files(
    names: Sequence[str],
    methods: Sequence[str] = (),
    options: Options | None = None,
    *,
    progress: ProgressLike = None,
    **changes: Any,
) -> dict[str, Fingerprints]:
    """The codes of these files, a row for each that could be coded, in the order given; see `encode`."""
    options = Options.of(options, changes)
    prints = methods_of(options, methods or [options.method])
    return _coded(sources.named(names), prints, options, progress_of(progress))


def _coded(
    listing: sources.Listing, prints: Sequence[Fingerprint], options: Options, progress: Progress
) -> dict[str, Fingerprints]:
    with open_session(options, progress) as session:
        encoder = Encoder(session, prints, options.decode, bool(options.transforms))
        digests = encoder.encode(listing.refs)
    out = {}
    for number, method in enumerate(prints):
        rows, codes, results, failures = [], [], [], [*listing.failures, *encoder.failures]
        for row, digest in enumerate(digests):
            if not digest:
                continue
            result = encoder.result(digest, number)
            if result.code is None:
                failures.append(Failure(listing.refs.uris[row], result.stage, result.error))
            else:
                rows.append(row)
                codes.append(result.code)
                results.append(result)
        width = width_of(method)
        turns = fingerprints.turns_of(method, bool(options.transforms))
        shape = (len(rows), turns, width) if turns > 1 else (len(rows), width)
        array = np.frombuffer(b"".join(codes), dtype=np.uint8).reshape(shape)
        spec = plugins.describe(method)
        failures.sort(key=lambda failure: failure.path)
        out[spec] = Fingerprints(
            listing.refs.take(rows),
            array,
            spec,
            failures,
            formats=[result.format for result in results],
            damaged=[result.damaged for result in results],
            sizes=[(result.width, result.height) for result in results],
            digests=[digests[row].hex() for row in rows],
            traits=[from_text(result.traits) for result in results],
        )
    return out

"""`encode`: compute the fingerprints of images for other programs."""

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
    """Compute the fingerprints of images. Each file is read and decoded once, whatever the number of methods.

    Args:
        paths: One or several folders and image files.
        methods: Fingerprints with their options, e.g. `["phash", "pdq"]`; that of the options if empty.
        options: Options of the run; the default ones if None.
        progress: As for `find`.
        **changes: Fields of `Options` that replace those in `options`.

    Returns:
        For each method its fingerprints: `codes` is uint8 of shape (n, bytes), most significant bit first, or
        (n, 8, bytes) with `transforms`. The codes of a network are little-endian float16 vectors, as bytes.

    Raises:
        UsageError: A path does not exist, or a method or option is unknown or unsuitable.
        StoreError: `store` names a file that is no store of twinpix, or a store that cannot be used.
        WorkerError: The worker processes have ended and no more of them can be started.

    Example:
        >>> prints = twinpix.encode("photos", ["phash"], store=None)["phash"]
        >>> prints.codes.shape, prints.codes.dtype.name, prints.refs.uris[0]
        ((3, 8), 'uint8', 'photos/beach.jpg')
    """
    options = Options.of(options, changes)
    progress = progress_of(progress)
    names = names_of(paths)
    sources.require(names)
    prints = methods_of(options, methods or [options.code_method])
    return _encode(scan(options, progress, names), prints, options, progress)


def encode_files(
    names: Sequence[str],
    methods: Sequence[str] = (),
    options: Options | None = None,
    *,
    progress: ProgressLike = None,
    **changes: Any,
) -> dict[str, Fingerprints]:
    """Compute the fingerprints of these files, in the given order, without those that failed; see `encode`."""
    options = Options.of(options, changes)
    prints = methods_of(options, methods or [options.code_method])
    return _encode(sources.list_named(names), prints, options, progress_of(progress))


def _encode(
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

"""Verdicts of earlier verifications in the store: the same inputs give the same verdict."""

import contextlib
import json
from collections.abc import Iterable

import numpy as np
import xxhash

from twinpix.store import Store
from twinpix.verify import VERSION, Verdict

Known = Verdict | None
"""The result of a verification; None: undecided in quick mode."""


class VerdictCache:
    """The stored verdicts. The key has everything that a verdict depends on, so any run may reuse it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, keys: Iterable[bytes]) -> dict[bytes, Known]:
        """Return the stored verdicts of these keys."""
        found = {}
        for key, text in self._store.verdicts(keys).items():
            with contextlib.suppress(ValueError, TypeError):  # a row of a damaged store is ignored
                found[key] = _read(text)
        return found

    def put(self, key: bytes, verdict: Known) -> None:
        """Store a verdict."""
        self._store.put_verdict(key, _text(verdict))


def verdict_key(a: bytes, b: bytes, guess: tuple[float, ...], *how: float) -> bytes:
    """Return the key for contents with these digests, beginning with a transform; `how` are the other inputs."""
    numbers = np.array([VERSION, *how, *guess], dtype="<f8")
    return xxhash.xxh3_128_digest(a + b + numbers.tobytes())


def _text(verdict: Known) -> str:
    if verdict is None:
        return "null"
    fields = {**verdict._asdict(), "a_to_b": None if verdict.a_to_b is None else verdict.a_to_b.ravel().tolist()}
    return json.dumps(list(fields.values()), separators=(",", ":"))


def _read(text: str) -> Known:
    fields = json.loads(text)
    if fields is None:
        return None
    relation, detail, back, agrees, (of_a, of_b), inliers, there, *flags, (border_a, border_b), rejection = fields
    a_to_b = None if there is None else np.array(there, dtype=np.float64).reshape(2, 3)
    verdict = Verdict(relation, detail, back, agrees, (of_a, of_b), inliers, a_to_b, *flags)
    return verdict._replace(borders=(border_a, border_b), rejection=rejection)

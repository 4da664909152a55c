"""Ranks of classes: which one has the better file to keep."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from twinpix import keep
from twinpix.encoding.images import Images
from twinpix.encoding.members import members_of
from twinpix.match.classes import CodeClasses
from twinpix.model import ClassId, FileRow


def ranks_of(
    images: Images, classes: CodeClasses, chain: keep.Chain, wanted: Collection[ClassId]
) -> Mapping[ClassId, Any]:
    """Return for each wanted class the sort key of its best file."""
    class_of = classes.of[images.content]
    rows = np.flatnonzero(np.isin(class_of, np.array(sorted(wanted), dtype=np.int64)))
    files = [FileRow(row) for row in rows.tolist()]
    out: dict[ClassId, Any] = {}
    for file, member in members_of(images, files).items():
        key, place = chain.key(member), ClassId(int(class_of[file]))
        out[place] = min(out.get(place, key), key)
    return out

"""Convert files of a run to members of a report."""

from collections.abc import Iterable

from twinpix.encoding.images import Images
from twinpix.imaging.traits import from_text
from twinpix.managed import in_library
from twinpix.model import FileRow, Member


def members_of(images: Images, files: Iterable[FileRow]) -> dict[FileRow, Member]:
    """Return the report member of each of these files."""
    out = {}
    for file in files:
        ref, number = images.refs[file], images.content_of(file)
        result = images.contents[number]
        traits = from_text(result.traits)
        out[file] = Member(
            path=ref.uri,
            size=ref.size,
            width=result.width,
            height=result.height,
            mtime_ns=ref.modified_ns,
            digest=images.contents.digest(number).hex(),
            format=result.format,
            damaged=result.damaged,
            reference=ref.reference or in_library(ref.uri),
            link=ref.link,
            root=ref.root,
            frames=traits.frames if traits else 1,
            traits=traits,
        )
    return out

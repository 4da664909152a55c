"""Files that cannot be decoded, or are too large to decode: files with equal bytes form a group."""

from collections.abc import Mapping, Sequence

from twinpix import keep
from twinpix.linking.base import is_allowed
from twinpix.model import Group, Match, Member, Ref, Refs, relate_to_keeper


def identical(
    refs: Refs, undecoded: Mapping[bytes, Sequence[int]], chain: keep.Chain, *, cross: bool, after: int
) -> list[Group]:
    """Group files with equal bytes among those that could not be decoded; numbers begin at `after` + 1.

    `undecoded` are rows of `refs` by the digest of their content.
    """
    groups: list[Group] = []
    for digest, rows in undecoded.items():
        files = {_member(refs[row], digest): refs[row] for row in rows}
        left = sorted(files, key=chain.key)
        while left:
            head, *others = left
            mine = [other for other in others if _may_match(files[head], files[other], cross)]
            left = [other for other in others if other not in mine]
            if mine:
                matches = [Match(head.path, other.path, 0, "identical-file", same_code=True) for other in mine]
                members = relate_to_keeper(head.path, [head, *mine], matches)
                rule, reason = chain.explain(head, mine)
                groups.append(Group(after + len(groups) + 1, head.path, reason, members, matches, rule=rule))
    return groups


def _may_match(a: Ref, b: Ref, cross: bool) -> bool:
    roots = (a.root, b.root) if cross else (0, 0)
    return is_allowed((roots[0], a.reference), (roots[1], b.reference), cross=cross)


def _member(ref: Ref, digest: bytes) -> Member:
    return Member(
        path=ref.uri,
        size=ref.size,
        width=0,
        height=0,
        mtime_ns=ref.modified_ns,
        digest=digest.hex(),
        reference=ref.reference,
        link=ref.link,
        root=ref.root,
    )

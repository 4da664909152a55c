"""The file whose path matches a pattern stays; without a pattern, the first path in order of names."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Path:
    """`path:*/originals/*` prefers what matches; `*` stands for any characters, `/` included."""

    pattern: str = ""

    def key(self, member: Member) -> tuple[bool, str]:
        if self.pattern:
            return not fnmatchcase(member.path, self.pattern), ""
        return False, member.path

    def reason(self, member: Member, other: Member) -> str:
        return f"path matches {self.pattern}" if self.pattern else "first of equals by path"

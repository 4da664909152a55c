"""Keep the file whose path matches a pattern; without a pattern, the first path in alphabetical order."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from twinpix.model import Member, sort_key


@dataclass(frozen=True, slots=True)
class Path:
    """`path:*/originals/*` prefers paths that match; `*` matches any characters, `/` too."""

    pattern: str = ""

    def key(self, member: Member) -> tuple[bool, str]:
        if self.pattern:
            return not fnmatchcase(member.path, self.pattern), ""
        return False, sort_key(member.path)

    def reason(self, member: Member, other: Member) -> str:
        return f"path matches {self.pattern}" if self.pattern else "first by path among equals"

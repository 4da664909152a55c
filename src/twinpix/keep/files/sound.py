"""Keep the file without broken metadata or checksums, which some programs cannot read."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Sound:
    """The pixels of both files are intact."""

    def key(self, member: Member) -> bool:
        return member.traits is not None and bool(member.traits.fault)

    def reason(self, member: Member, other: Member) -> str:
        fault = other.traits.fault if other.traits else ""
        return f"no broken parts (the other: {fault})"

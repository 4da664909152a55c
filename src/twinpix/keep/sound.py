"""The file in which nothing is broken stays: metadata and checksums too, at which some programs stop."""

from dataclasses import dataclass

from twinpix.model import Member


@dataclass(frozen=True, slots=True)
class Sound:
    """The pixels of the other are whole, too."""

    def key(self, member: Member) -> bool:
        return member.traits is not None and bool(member.traits.fault)

    def reason(self, member: Member, other: Member) -> str:
        fault = other.traits.fault if other.traits else ""
        return f"nothing in it is broken (the other: {fault})"

"""Keep the file that is not named like a copy."""

import re
from dataclasses import dataclass

from twinpix.model import Member, file_name

_WORD = (
    r"copy|copies|copie|copia|cópia|còpia|kopie|kopia|kópia|kópie|kopi|kopio|kopya|kopija|másolat|копия|копія|"
    r"копие|αντίγραφο|コピー|副本|拷贝|拷貝|複製|复制|복사본|bản sao|salinan|สำเนา|نسخة|עותק"
)
_COUNT = r"(?:[ _-]*(?:\(\d{1,3}\)|\d{1,3}))?"
_NAMED_LIKE_A_COPY = (
    re.compile(
        rf"^(?:{_WORD})(?: *\(\d{{1,3}}\)| *\d{{1,3}})?(?: +(?:of|de|di|do|da|von|van|av|af|z|от|из) +| *[-–—_] *| +)",
        re.I,
    ),
    re.compile(rf"[ ._–—-]+[(\[]?(?:{_WORD})[)\]]?{_COUNT}$", re.I),
    re.compile(r"(?:のコピー|的副本|的拷贝|的拷貝|の複製)(?: *\(?\d{1,3}\)?)?$"),
    re.compile(r" ?\(\d{1,3}\)$"),  # browsers, Windows
    re.compile(r"~\d{1,2}$"),  # Android
)


@dataclass(frozen=True, slots=True)
class Plain:
    """`Copy of X.jpg`, `X copy 2.jpg`, `X - Kopie.jpg` and `X (1).jpg` are copies of `X.jpg`, in many languages."""

    def key(self, member: Member) -> bool:
        return is_named_like_a_copy(member.path)

    def reason(self, member: Member, other: Member) -> str:
        return "plain name (the next best is named like a copy)"


def is_named_like_a_copy(path: str) -> bool:
    """True for the path or URI of a file with a name that programs give to copies."""
    name = file_name(path)
    stem = name.rpartition(".")[0] or name
    return any(pattern.search(stem) for pattern in _NAMED_LIKE_A_COPY)

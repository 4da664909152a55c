"""Families of documents, drawn by code: one design with different values in its fields, and scans of these documents.

`document(family, design, number, fields)` draws one document: number 0 is the first of its design, every other one
differs from it in the values of `fields` fields. Two documents with different numbers are different documents, however
similar they are.
`scanned` makes a scan of one: slightly rotated, noisy, unevenly lit, as a JPEG of quality 60.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from drawings import draw

Rng = np.random.Generator
Colour = tuple[int, int, int]
_NAMES = ("Anna", "Ben", "Carla", "David", "Elif", "Farid", "Grete", "Hugo", "Ines", "Jonas", "Klara", "Lars", "Mina")
_LAST = ("Aalto", "Berg", "Costa", "Dahl", "Eriksen", "Fuchs", "Garcia", "Horvat", "Ivanov", "Jensen", "Keller", "Lund")
_TOWNS = ("Bergen", "Cork", "Dover", "Essen", "Faro", "Graz", "Horsens", "Izmir", "Jena", "Krems", "Linz", "Malmo")
_WORDS = (
    *("amber", "bridge", "candle", "delta", "engine", "forest", "garden", "harbour", "island", "jacket", "kettle"),
    *("ladder", "market", "needle", "orange", "pocket", "quartz", "river", "signal", "timber", "valley", "window"),
)
_OTHER_WORDS = ("ambra", "ponte", "candela", "motore", "foresta", "giardino", "porto", "isola", "giacca", "scala")
_MONTHS = "January February March April May June July August September October November December"
INK: Colour = (25, 25, 30)


def _rng(*key: object) -> Rng:
    return np.random.default_rng(list("/".join(map(str, key)).encode()))


def _digits(rng: Rng, count: int) -> str:
    return "".join(str(digit) for digit in rng.integers(0, 10, count))


def _words(rng: Rng, count: int, of: tuple[str, ...] = _WORDS) -> str:
    return " ".join(of[int(at)] for at in rng.integers(0, len(of), count))


_VALUES: dict[str, Callable[[Rng], str]] = {
    "number": lambda rng: _digits(rng, 8),
    "short": lambda rng: str(rng.integers(10, 99)),
    "count": lambda rng: str(rng.integers(100, 999)),
    "amount": lambda rng: f"{rng.integers(10, 999)}.{rng.integers(0, 100):02d}",
    "date": lambda rng: f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.{rng.integers(1970, 2026)}",
    "time": lambda rng: f"{rng.integers(0, 24):02d}:{rng.integers(0, 60):02d}",
    "name": lambda rng: f"{_NAMES[rng.integers(0, len(_NAMES))]} {_LAST[rng.integers(0, len(_LAST))]}",
    "town": lambda rng: str(_TOWNS[rng.integers(0, len(_TOWNS))]),
    "seat": lambda rng: f"{rng.integers(1, 60)}{'ABCDEF'[rng.integers(0, 6)]}",
    "code": lambda rng: "".join("ABCDEFGHJKLMNPRSTUVWXYZ23456789"[at] for at in rng.integers(0, 31, 6)),
    "plate": lambda rng: (
        "".join("ABCDEFGHJKLMNPRSTUVWXYZ"[at] for at in rng.integers(0, 23, 3)) + " " + _digits(rng, 3)
    ),
    "words": lambda rng: _words(rng, int(rng.integers(4, 7))),
    "other words": lambda rng: _words(rng, int(rng.integers(4, 7)), _OTHER_WORDS),
    "pitch": lambda rng: str(rng.integers(-2, 11)),
    "level": lambda rng: str(rng.integers(5, 100)),
}


@dataclass
class Sheet:
    """A page that is drawn on, and the values of its fields in their order."""

    key: tuple[object, ...]  # of the family and its design
    number: int
    changed: frozenset[int] | None  # fields; None: they are only counted
    size: tuple[int, int]
    background: Colour = (255, 255, 255)
    font: str = ""  # of a font file; "": the default font of Pillow
    count: int = 0
    image: Image.Image = field(init=False)
    pen: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        self.image = Image.new("RGB", self.size, self.background)
        self.pen = ImageDraw.Draw(self.image)

    @property
    def unit(self) -> float:
        """A thousandth of the longer side."""
        return max(self.size) / 1000

    def value(self, kind: str) -> str:
        """The value of the next field."""
        at, self.count = self.count, self.count + 1
        first = _VALUES[kind](_rng(*self.key, at, 0))
        if self.changed is None or at not in self.changed:
            return first
        other, tries = first, 0
        while other == first:
            other, tries = _VALUES[kind](_rng(*self.key, at, self.number, tries)), tries + 1
        return other

    def text(self, x: float, y: float, text: str, size: float, fill: Colour = INK, **how: object) -> None:
        """Text at a position and with a height in thousandths of the longer side."""
        pixels = max(7.0, size * self.unit)
        font = ImageFont.truetype(self.font, pixels) if self.font else ImageFont.load_default(size=pixels)
        self.pen.text((x * self.unit, y * self.unit), text, fill, font, **how)  # type: ignore[arg-type]

    def box(
        self, x: float, y: float, w: float, h: float, fill: Colour | None = None, line: Colour | None = INK
    ) -> None:
        ends = (x * self.unit, y * self.unit, (x + w) * self.unit, (y + h) * self.unit)
        self.pen.rectangle(ends, fill, line, max(1, round(1.5 * self.unit)))

    def line(self, x: float, y: float, to_x: float, to_y: float, fill: Colour = INK, wide: float = 1.2) -> None:
        ends = (x * self.unit, y * self.unit, to_x * self.unit, to_y * self.unit)
        self.pen.line(ends, fill, max(1, round(wide * self.unit)))

    def paste_drawing(self, kind: str, seed: int, x: float, y: float, w: float, h: float) -> None:
        size = (max(8, round(w * self.unit)), max(8, round(h * self.unit)))
        self.image.paste(draw(kind, seed, size), (round(x * self.unit), round(y * self.unit)))


# -- families: each draws on a sheet; `rng` chooses the design -----------------------------------


def form(sheet: Sheet, rng: Rng) -> None:
    sheet.text(40, 40, f"APPLICATION FORM {_digits(rng, 2)}-B", 40)
    labels = ("Name:", "Number:", "Date:", "City:", "Phone:", "Policy:", "Amount:", "Rate:", "Code:", "Branch:")
    kinds = ("name", "number", "date", "town", "number", "number", "amount", "amount", "code", "number")
    step = 84 if rng.random() < 0.5 else 72
    for row, (label, kind) in enumerate(zip(labels, kinds, strict=True)):
        y = 130 + step * row
        sheet.text(50, y + 10, label, 22)
        sheet.box(260, y, 430, 46, line=(120, 120, 120))
        sheet.text(280, y + 10, sheet.value(kind), 24, (20, 20, 90))


def invoice(sheet: Sheet, rng: Rng) -> None:
    sheet.text(60, 50, _words(rng, 2).title() + " Ltd", 34, (20, 60, 120))
    sheet.text(60, 96, "12 Harbour Street", 16)
    sheet.text(470, 60, "INVOICE", 36)
    sheet.text(470, 110, "No. " + sheet.value("number"), 17)
    sheet.text(470, 134, "Date " + sheet.value("date"), 17)
    sheet.text(60, 170, "To " + sheet.value("name"), 18)
    sheet.text(60, 194, sheet.value("town"), 18)
    sheet.box(60, 250, 590, 32, (225, 230, 240))
    for x, head in ((70, "Item"), (360, "Qty"), (450, "Price"), (560, "Total")):
        sheet.text(x, 257, head, 17)
    for row in range(8):
        y = 292 + 34 * row
        sheet.text(70, y, sheet.value("words")[:22], 16)
        for x, kind in ((360, "short"), (450, "amount"), (560, "amount")):
            sheet.text(x, y, sheet.value(kind), 16)
        sheet.line(60, y + 26, 650, y + 26, (200, 200, 200))
    sheet.text(450, 590, "Total", 22)
    sheet.text(550, 590, sheet.value("amount"), 22)
    sheet.text(60, 700, "Payable within 30 days. Thank you for your business.", 15)


def receipt(sheet: Sheet, rng: Rng) -> None:
    sheet.text(90, 30, _words(rng, 1).upper() + " MARKET", 34)
    sheet.text(90, 80, "Main Street 4", 20)
    for row in range(14):
        y = 140 + 44 * row
        sheet.text(30, y, _words(rng, 1).title(), 24)
        sheet.text(330, y, sheet.value("amount"), 24)
    sheet.line(30, 770, 470, 770)
    sheet.text(30, 790, "TOTAL", 32)
    sheet.text(300, 790, sheet.value("amount"), 32)
    sheet.text(30, 860, sheet.value("date") + "  " + sheet.value("time"), 22)
    sheet.text(30, 900, "Receipt " + sheet.value("number"), 22)


def ticket(sheet: Sheet, rng: Rng) -> None:
    sheet.box(10, 10, 980, 380, line=(60, 60, 60))
    sheet.box(10, 10, 980, 70, (int(rng.integers(10, 120)), 40, int(rng.integers(60, 160))))
    sheet.text(40, 24, "BOARDING PASS  " + _words(rng, 1).upper() + " AIR", 36, (255, 255, 255))
    for x, y, head, kind in (
        *((40, 110, "PASSENGER", "name"), (420, 110, "FLIGHT", "code"), (620, 110, "DATE", "date")),
        *((40, 210, "FROM", "town"), (240, 210, "TO", "town"), (420, 210, "GATE", "seat"), (620, 210, "TIME", "time")),
        *((40, 300, "SEAT", "seat"), (240, 300, "CLASS", "short"), (420, 300, "TICKET", "number")),
    ):
        sheet.text(x, y, head, 15, (110, 110, 110))
        sheet.text(x, y + 20, sheet.value(kind), 28)
    bars = _rng(*sheet.key, "bars")  # the same code on all: of a machine that was not set
    for at in range(46):
        if bars.random() < 0.5:
            sheet.box(830, 100 + 6 * at, 130, 4, INK)


def bill(sheet: Sheet, rng: Rng) -> None:
    """A page with few words, mostly empty."""
    sheet.text(40, 40, _words(rng, 2).title() + " Trading", 30)
    for row, kind in enumerate(("number", "date", "name", "code")):
        sheet.text(400, 150 + 28 * row, ("Invoice no.", "Date", "Customer", "Order")[row], 16)
        sheet.text(525, 150 + 28 * row, sheet.value(kind), 16)
    for row in range(8):
        y = 370 + 34 * row
        sheet.line(42, y - 6, 665, y - 6, (180, 180, 180))
        sheet.text(50, y, _words(rng, 1).title(), 16)
        sheet.text(580, y, sheet.value("amount"), 16)
    sheet.text(455, 700, "Total", 20)
    sheet.text(567, 700, sheet.value("amount"), 20)


def entrance(sheet: Sheet, rng: Rng) -> None:
    """A ticket in large letters."""
    sheet.box(0, 0, 1000, 90, (20, 40, 120))
    sheet.text(30, 25, "CITY " + _words(rng, 1).upper() + " HALL", 38, (255, 255, 255))
    for at, (head, kind) in enumerate(
        (("Row", "short"), ("Seat", "short"), ("Date", "date"), ("Price", "amount"), ("No.", "number"))
    ):
        x, y = 40 + at % 3 * 310, 130 + at // 3 * 120
        sheet.text(x, y, head, 22)
        sheet.text(x, y + 30, sheet.value(kind), 36)


def timetable(sheet: Sheet, rng: Rng) -> None:
    sheet.text(40, 30, f"Line {rng.integers(2, 90)}   Central Station", 36)
    for column in range(7):
        sheet.text(210 + 108 * column, 100, f"Run {column + 1}", 18, (90, 90, 90))
    for row in range(12):
        y = 140 + 44 * row
        if row % 2:
            sheet.box(30, y - 8, 940, 44, (238, 242, 247), None)
        sheet.text(40, y, _TOWNS[(row + int(rng.integers(0, 3))) % len(_TOWNS)], 20)
        for column in range(7):
            sheet.text(210 + 108 * column, y, sheet.value("time"), 20)


def calendar(sheet: Sheet, rng: Rng) -> None:
    month = int(sheet.value("count")) % 12
    first = int(sheet.value("count")) % 7
    days = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month]
    names = tuple(_MONTHS.split())
    sheet.text(380, 20, names[month], 52, (170, 20, 20))
    left, top, wide, tall = 40, 150, 130, 100
    for column, day in enumerate(("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")):
        sheet.text(left + 16 + wide * column, 105, day, 30)
    for row in range(6):
        for column in range(7):
            sheet.box(left + wide * column, top + tall * row, wide, tall)
            number = 7 * row + column - first + 1
            if 1 <= number <= days:
                sheet.text(left + 30 + wide * column, top + 26 + tall * row, str(number), 34)


def certificate(sheet: Sheet, rng: Rng) -> None:
    sheet.box(20, 20, 960, 660, line=(150, 120, 40))
    sheet.box(34, 34, 932, 632, line=(150, 120, 40))
    sheet.text(500, 130, "Certificate of " + _words(rng, 1).title(), 58, (60, 50, 90), anchor="mm")
    sheet.text(500, 220, "This is to certify that", 24, anchor="mm")
    sheet.text(500, 290, sheet.value("name"), 46, (20, 20, 90), anchor="mm")
    sheet.text(500, 360, "has completed the course of " + _words(rng, 2), 24, anchor="mm")
    sheet.text(500, 410, "with " + sheet.value("short") + " of 100 points", 24, anchor="mm")
    sheet.text(200, 580, sheet.value("date"), 22, anchor="mm")
    sheet.text(780, 580, "No. " + sheet.value("number"), 22, anchor="mm")
    sheet.line(620, 555, 940, 555)


def id_card(sheet: Sheet, rng: Rng) -> None:
    sheet.box(0, 0, 999, 90, (30, 70, 140), None)
    sheet.text(30, 20, "IDENTITY CARD  " + _words(rng, 1).upper(), 44, (255, 255, 255))
    sheet.paste_drawing("portrait", int(rng.integers(0, 1000)), 40, 130, 260, 340)
    kinds = (("Surname, name", "name"), ("Date of birth", "date"), ("Place of birth", "town"), ("Expiry", "date"))
    for row, (label, kind) in enumerate(kinds):
        sheet.text(350, 130 + 85 * row, label, 18, (90, 100, 120))
        sheet.text(350, 154 + 85 * row, sheet.value(kind), 32)
    sheet.text(40, 520, "ID<<" + sheet.value("code") + sheet.value("number") + "<<<<<<" + sheet.value("number"), 36)


def dashboard(sheet: Sheet, rng: Rng) -> None:
    sheet.box(0, 0, 1000, 50, (40, 48, 66), None)
    sheet.text(20, 12, _words(rng, 2).title() + " overview", 22, (255, 255, 255))
    for at in range(4):
        x = 20 + 243 * at
        sheet.box(x, 70, 228, 120, (250, 250, 252), (200, 205, 215))
        sheet.text(x + 15, 82, _words(rng, 1).title(), 17, (110, 115, 130))
        sheet.text(x + 15, 115, sheet.value("amount"), 40, (30, 60, 120))
    sheet.box(20, 210, 600, 330, (250, 250, 252), (200, 205, 215))
    for at in range(10):
        high = 2.6 * int(sheet.value("level"))
        sheet.box(50 + 55 * at, 520 - high, 34, high, (70, 120, 190), None)
    sheet.box(640, 210, 340, 330, (250, 250, 252), (200, 205, 215))
    for row in range(7):
        sheet.text(655, 226 + 43 * row, _words(rng, 1).title(), 19)
        sheet.text(880, 226 + 43 * row, sheet.value("count"), 19)


def table(sheet: Sheet, rng: Rng) -> None:
    sheet.text(40, 24, "Measured values, series " + _digits(rng, 3), 28)
    for column in range(8):
        sheet.box(40 + 115 * column, 76, 115, 36, (215, 220, 230))
        sheet.text(52 + 115 * column, 84, f"X{column + 1}", 19)
    for row in range(14):
        for column in range(8):
            sheet.box(40 + 115 * column, 112 + 36 * row, 115, 36, line=(150, 150, 150))
            sheet.text(52 + 115 * column, 120 + 36 * row, sheet.value("amount"), 19)


def sheet_music(sheet: Sheet, rng: Rng) -> None:
    sheet.text(270, 30, _words(rng, 2).title(), 34)
    for system in range(7):
        top = 120 + 120 * system
        for line in range(5):
            sheet.line(50, top + 11 * line, 660, top + 11 * line)
        for bar in range(5):
            sheet.line(50 + 152.5 * bar, top, 50 + 152.5 * bar, top + 44)
        for at in range(12):
            x, y = 75 + 49 * at, top + 44 - 5.5 * int(sheet.value("pitch"))
            sheet.pen.ellipse([v * sheet.unit for v in (x - 7, y - 5, x + 7, y + 5)], INK)
            sheet.line(x + 6, y, x + 6, y - 36, wide=2)


def comic(sheet: Sheet, rng: Rng) -> None:
    for panel in range(4):
        x, y = 20 + 340 * (panel % 2), 20 + 480 * (panel // 2)
        sheet.paste_drawing("scene", int(rng.integers(0, 1000)), x, y, 325, 465)
        sheet.box(x, y, 325, 465)
        for part in range(2):
            top = y + 20 + 330 * part
            sheet.pen.ellipse([v * sheet.unit for v in (x + 20, top, x + 305, top + 110)], (255, 255, 255), INK, 2)
            words = sheet.value("words" if sheet.number == 0 else "other words").upper().split()
            for line in range(2):
                text = " ".join(words[2 * line : 2 * line + 2])
                sheet.text(x + 162, top + 38 + 34 * line, text, 24, anchor="mm")


def chat(sheet: Sheet, rng: Rng) -> None:
    sheet.box(0, 0, 500, 80, (7, 94, 84), None)
    sheet.text(80, 24, sheet.value("name"), 26, (255, 255, 255))
    for row in range(9):
        mine = bool(rng.random() < 0.5)
        x, y, wide = (150 if mine else 20), 100 + 98 * row, int(rng.integers(240, 320))
        sheet.box(x, y, wide, 82, (220, 248, 198) if mine else (255, 255, 255), (210, 210, 205))
        words = sheet.value("words").split()
        sheet.text(x + 14, y + 10, " ".join(words[:3])[:24], 19)
        sheet.text(x + 14, y + 36, " ".join(words[3:5])[:24], 19)
        sheet.text(x + wide - 50, y + 60, sheet.value("time"), 13, (130, 130, 130))


def game_card(sheet: Sheet, rng: Rng) -> None:
    tint = tuple(int(v) for v in rng.integers(90, 230, 3))
    sheet.box(15, 15, 690, 970, (tint[0], tint[1], tint[2]))
    sheet.box(45, 40, 630, 70, (245, 240, 225))
    sheet.text(65, 54, sheet.value("name"), 38)
    sheet.paste_drawing("scene", int(rng.integers(0, 1000)), 45, 125, 630, 420)
    sheet.box(45, 560, 630, 330, (245, 240, 225))
    for line in range(5):
        sheet.text(65, 580 + 48 * line, sheet.value("words")[:34], 28)
    sheet.box(540, 905, 140, 60, (245, 240, 225))
    sheet.text(560, 915, f"{sheet.value('short')}/{sheet.value('short')}", 38)


def page(sheet: Sheet, rng: Rng) -> None:
    """Lines of text in which some words differ."""
    sheet.text(80, 60, _words(rng, 3).title(), 34)
    for row in range(32):
        sheet.text(80, 130 + 26 * row, f"{_words(rng, 4)} {sheet.value('town')} {_words(rng, 2)}", 17)


def scores(sheet: Sheet, rng: Rng) -> None:
    """A league table on a dark background."""
    sheet.text(40, 30, _words(rng, 1).upper() + " LEAGUE", 44, (255, 210, 60))
    for row in range(10):
        y = 110 + 54 * row
        sheet.text(40, y, f"{row + 1}", 26, (160, 170, 190))
        sheet.text(100, y, sheet.value("town") + " United", 26, (235, 238, 245))
        for x in (480, 600, 720, 850):
            sheet.text(x, y, sheet.value("short"), 26, (235, 238, 245))
        sheet.line(30, y + 44, 970, y + 44, (60, 70, 95))


def label(sheet: Sheet, rng: Rng) -> None:
    """A parcel's label."""
    sheet.box(15, 15, 670, 970)
    sheet.text(40, 40, _words(rng, 1).upper() + " PARCEL", 52)
    sheet.line(15, 120, 685, 120, wide=4)
    for row, kind in enumerate(("name", "town", "number", "date")):
        sheet.text(40, 150 + 60 * row, sheet.value(kind), 34)
    sheet.line(15, 420, 685, 420, wide=4)
    bits = _rng(*sheet.key, "code", sheet.value("number")).random(80) < 0.5
    for at in np.flatnonzero(bits).tolist():
        sheet.box(60 + 7 * at, 460, 6, 220, INK, None)
    sheet.text(180, 700, sheet.value("number") + sheet.value("short"), 36)
    sheet.text(40, 800, "Weight " + sheet.value("amount") + " kg", 30)


@dataclass(frozen=True)
class Family:
    """How documents of a family are drawn."""

    draw: Callable[[Sheet, Rng], None]
    shape: tuple[float, float]  # width and height; the larger one is 1
    background: Colour = (255, 255, 255)


FAMILIES: dict[str, Family] = {
    "form": Family(form, (0.77, 1)),
    "invoice": Family(invoice, (0.707, 1)),
    "receipt": Family(receipt, (0.5, 1), (250, 249, 245)),
    "ticket": Family(ticket, (1, 0.4)),
    "bill": Family(bill, (0.707, 1)),
    "entrance": Family(entrance, (1, 0.42)),
    "calendar": Family(calendar, (1, 0.8)),
    "id card": Family(id_card, (1, 0.6), (225, 235, 245)),
    "dashboard": Family(dashboard, (1, 0.56), (240, 242, 246)),
    "table": Family(table, (1, 0.66)),
    "comic": Family(comic, (0.707, 1)),
    "game card": Family(game_card, (0.72, 1), (30, 28, 26)),
    "page": Family(page, (0.707, 1)),
    "sheet music": Family(sheet_music, (0.707, 1)),
}
HELD_OUT: dict[str, Family] = {
    "timetable": Family(timetable, (1, 0.7)),
    "certificate": Family(certificate, (1, 0.7), (252, 249, 240)),
    "chat": Family(chat, (0.5, 1), (236, 229, 221)),
    "scores": Family(scores, (1, 0.68), (22, 28, 45)),
    "label": Family(label, (0.7, 1)),
}
"""Held-out families: nothing was tuned on them."""


def document(
    family: str, design: int, number: int = 0, fields: int | None = None, side: int = 1000, font: str = ""
) -> Image.Image:
    """One document of a design; other numbers have other values in `fields` fields, 1 to 10 by default."""
    kind = (FAMILIES | HELD_OUT)[family]
    size = (round(kind.shape[0] * side), round(kind.shape[1] * side))
    key = (family, design)
    counted = Sheet(key, 0, None, (64, 64))
    kind.draw(counted, _rng(*key))
    chance = _rng(*key, "fields", number)
    many = min(counted.count, int(chance.integers(1, 11)) if fields is None else fields)
    if family == "comic" and number:  # in another language
        many = counted.count
    changed = chance.choice(counted.count, many, replace=False).tolist() if number else []
    sheet = Sheet(key, number, frozenset(changed), size, kind.background, font)
    kind.draw(sheet, _rng(*key))
    return sheet.image


def scanned(
    image: Image.Image, seed: int, *, turned: float = 0.8, noise: float = 6.0, quality: int = 60
) -> Image.Image:
    """A scan: rotated by at most `degrees`, unevenly lit, noisy, as a JPEG."""
    rng = _rng("scan", seed)
    angle = float(rng.uniform(-turned, turned))
    corner = tuple(int(v) for v in np.asarray(image)[2, 2])
    out = np.asarray(image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=corner)).astype(np.float32)
    across = np.linspace(1, rng.uniform(0.9, 1), out.shape[1], dtype=np.float32)[None, :, None]
    grain = rng.normal(0, noise, out.shape[:2]).astype(np.float32)[..., None]
    file = io.BytesIO()
    Image.fromarray(np.clip(out * across + grain, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def taken(kind: str, seed: int, text: str, *, stamp: bool = False, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A photo with a number plate, or with a time stamp in its corner."""
    image = draw(kind, seed, size)
    pen, unit = ImageDraw.Draw(image), size[1] / 480
    if stamp:
        font = ImageFont.load_default(size=22 * unit)
        pen.text((size[0] - 240 * unit, size[1] - 36 * unit), text, (255, 170, 40), font)
        return image
    font = ImageFont.load_default(size=28 * unit)
    x, y = size[0] * 0.4, size[1] * 0.68
    pen.rectangle((x, y, x + 140 * unit, y + 36 * unit), (250, 250, 250), (15, 15, 15), max(1, round(3 * unit)))
    pen.text((x + 10 * unit, y + 3 * unit), text, (15, 15, 15), font)
    return image

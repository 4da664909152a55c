"""Images in a terminal: the output is decoded again, as a terminal would do it."""

import base64
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from twinpix.errors import UsageError
from twinpix.ui.inline import INTERPOLATIONS, PROTOCOLS, Protocol, detect, encode, parse_size, show, tile
from twinpix.ui.inline.tiling import _fit

Pixels = NDArray[np.integer[Any]]
RED, GREEN, BLUE, BLACK, WHITE = (255, 0, 0), (0, 128, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)
TMUX = {"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "tmux-256color"}
TRUE = {"COLORTERM": "truecolor"}


def noise(seed: int, width: int, height: int, colours: int = 0) -> Image.Image:
    """Any colours, or only a few."""
    chance = np.random.default_rng(seed)
    if not colours:
        return Image.fromarray(chance.integers(0, 256, (height, width, 3), dtype=np.uint8))
    palette = chance.integers(0, 256, (colours, 3), dtype=np.uint8)
    return Image.fromarray(palette[chance.integers(0, colours, (height, width))])


noise_images = st.builds(noise, st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 20), st.integers(0, 5))


def same(one: Image.Image, other: Image.Image) -> bool:
    return one.mode == other.mode and one.size == other.size and one.tobytes() == other.tobytes()


# -- decoders, as far as they are needed ---------------------------------------------------------------


def outside(data: bytes) -> bytes:
    """The output that tmux passes on: the content of every passthrough sequence, nothing else."""
    out, rest = b"", data
    while (start := rest.find(b"\x1bPtmux;")) >= 0:
        inner, rest = b"", rest[start + 7 :]
        while not rest.startswith(b"\x1b\\"):
            if rest.startswith(b"\x1b"):
                assert rest[1:2] == b"\x1b", "a single ESC ends the sequence"
                rest = rest[1:]
            stop = max(1, rest.find(b"\x1b", 1))
            inner, rest = inner + rest[:stop], rest[stop:]
        out, rest = out + inner, rest[2:]
    return out


def from_iterm2(data: bytes) -> tuple[Image.Image, str]:
    match = re.fullmatch(rb"\x1b\]1337;File=size=(\d+);inline=1(;width=\d+px)?:([A-Za-z0-9+/=]+)\a\n?", data)
    assert match
    png = base64.b64decode(match[3], validate=True)
    assert len(png) == int(match[1])
    return Image.open(io.BytesIO(png), formats=["PNG"]), (match[2] or b"").decode()


def from_kitty(data: bytes) -> Image.Image:
    commands = re.findall(rb"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", data)
    assert b"".join(b"\x1b_G%s;%s\x1b\\" % command for command in commands) == data.removesuffix(b"\n")
    keys = [dict(pair.split("=") for pair in keys.decode().split(",")) for keys, _ in commands]
    assert keys[0] | {"m": ""} == {"a": "T", "f": "100", "q": "2", "m": ""}
    assert [key["m"] for key in keys] == ["1"] * (len(keys) - 1) + ["0"]
    assert all(set(key) == {"m"} for key in keys[1:])
    assert all(len(payload) == 4096 for _, payload in commands[:-1])
    assert 0 < len(commands[-1][1]) <= 4096
    return Image.open(io.BytesIO(base64.b64decode(b"".join(part for _, part in commands))), formats=["PNG"])


def from_sixel(data: bytes) -> Pixels:
    """Percent of red, green and blue of each pixel; every pixel of the raster painted, once, and none beside it."""
    head = re.match(rb'\x1bP[\d;]*q"1;1;(\d+);(\d+)', data)
    assert head
    assert data.endswith(b"\x1b\\\n")
    width, height = int(head[1]), int(head[2])
    grid, palette = np.full((height, width), -1), {}
    x = top = colour = 0
    body, at = data[head.end() : -3].decode("ascii"), 0
    for token in re.finditer(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|(\$)|(-)|(?:!(\d+))?([?-~])", body):
        assert token.start() == at
        at = token.end()
        number, r, g, b, chosen, back, down, count, bits = token.groups()
        if number:
            palette[int(number)] = (int(r), int(g), int(b))
        elif chosen:
            colour = int(chosen)
        elif back:
            x = 0
        elif down:
            x, top = 0, top + 6
        else:
            for row in (row for row in range(6) if ord(bits) - 63 >> row & 1):
                painted = grid[top + row, x : x + int(count or 1)]
                assert (painted == -1).all()
                assert painted.size == int(count or 1)
                painted[:] = colour
            x += int(count or 1)
            assert x <= width
    assert at == len(body)
    assert (grid >= 0).all()
    assert len(palette) <= 255
    return np.array([[palette[number] for number in row] for row in grid.tolist()])


CUBE = (0, 95, 135, 175, 215, 255)


def colour_of(parameters: list[int]) -> tuple[int, ...] | None:
    """Pops one colour from the parameters of a graphics sequence."""
    match parameters:
        case [38 | 48, 2, r, g, b, *rest]:
            parameters[:] = rest
            return r, g, b
        case [38 | 48, 5, number, *rest]:
            parameters[:] = rest
            assert 16 <= number < 232
            red, rest_of_it = divmod(number - 16, 36)
            return CUBE[red], CUBE[rest_of_it // 6], CUBE[rest_of_it % 6]
        case [49, *rest]:
            parameters[:] = rest
            return None
    raise AssertionError(parameters)


def from_blocks(data: bytes) -> list[list[tuple[int, ...]]]:
    """The rows of pixels that the text represents."""
    text = data.decode()
    assert text.endswith("\x1b[0m\n")
    rows: list[list[tuple[int, ...]]] = []
    for line in text.removesuffix("\n").split("\n"):
        assert line.endswith("\x1b[0m")
        upper: list[tuple[int, ...]] = []
        lower: list[tuple[int, ...]] = []
        above: tuple[int, ...] | None = None
        below: tuple[int, ...] | None = None
        for piece in re.findall(r"\x1b\[[\d;]*m|.", line.removesuffix("\x1b[0m")):
            if piece == "▀":
                assert above is not None
                upper.append(above)
                if below is not None:
                    lower.append(below)
            else:
                parameters = [int(number) for number in piece[2:-1].split(";")]
                assert parameters[0] == 38
                above, below = colour_of(parameters), colour_of(parameters)
                assert not parameters
        rows += [upper, lower] if lower else [upper]
    return rows


# -- the tile --------------------------------------------------------------------------------------------


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    """A wide image, a high one, a square one, and a missing one."""
    for name, size, colour in (("wide", (40, 20), RED), ("high", (10, 30), GREEN), ("square", (8, 8), BLUE)):
        Image.new("RGB", size, colour).save(tmp_path / f"{name}.png")
    return [str(tmp_path / f"{name}.png") for name in ("wide", "high", "square", "gone")]


def expected(size: tuple[int, int], background: tuple[int, int, int], *boxes: tuple[Any, ...]) -> Image.Image:
    out = Image.new("RGB", size, background)
    for left, top, right, bottom, colour in boxes:
        out.paste(colour, (left, top, right, bottom))
    return out


def test_cells_are_placed_in_rows(images: list[str]) -> None:
    drawn = tile(images[:3], size=(16, 16), columns=2, space_color="white")
    wide, high, square = (0, 4, 16, 12, RED), (21, 0, 26, 16, GREEN), (0, 16, 16, 32, BLUE)
    assert same(drawn, expected((32, 32), WHITE, wide, high, square))
    alone = tile(images[:1], size=(16, 16), columns=4)
    assert same(alone, expected((16, 16), BLACK, (0, 4, 16, 12, RED)))


def test_space_is_left_and_above_each_cell(images: list[str]) -> None:
    drawn = tile(images, size=(16, 12), columns=3, space=3, space_color="#0000fF")
    assert drawn.size == (3 * 19, 2 * 15)
    wide, high = (3, 5, 19, 13, RED), (28, 3, 32, 15, GREEN)
    assert same(drawn, expected((57, 30), BLUE, wide, high, (3, 18, 19, 30, BLACK)))


def test_stretched(images: list[str]) -> None:
    drawn = tile(images[:2], size=(6, 7), keep_aspect=False, space_color="white")
    assert same(drawn, expected((12, 7), WHITE, (0, 0, 6, 7, RED), (6, 0, 12, 7, GREEN)))


def test_a_non_image_is_black(images: list[str], tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    for path in (images[3], str(tmp_path / "text.jpg"), str(tmp_path), "zero\0byte"):
        assert same(
            tile([path], size=(5, 4), space=1, space_color="white"), expected((6, 5), WHITE, (1, 1, 6, 5, BLACK))
        )


def test_images_are_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "white").save(tmp_path / "turned.jpg", exif=exif)
    assert same(tile([str(tmp_path / "turned.jpg")], size=(8, 8)), expected((8, 8), BLACK, (2, 0, 6, 8, WHITE)))


@pytest.mark.parametrize("name", INTERPOLATIONS)
def test_interpolations(name: str, tmp_path: Path) -> None:
    image, path = noise(1, 500, 400), str(tmp_path / "noise.png")
    image.save(path)
    scaled = image.resize((100, 80), INTERPOLATIONS[name])
    for written in (name, f"INTER_{name}", name.lower()):
        drawn = tile([path], size=(100, 100), interpolation=written)
        assert same(drawn.crop((0, 10, 100, 90)), scaled)


@given(*[st.tuples(st.integers(1, most), st.integers(1, most)) for most in (5000, 300)])
def test_an_image_fills_its_cell_one_way(size: tuple[int, int], cell: tuple[int, int]) -> None:
    scaled, corner = _fit(size, cell)
    assert cell[0] in scaled[:1] or cell[1] in scaled[1:]
    for way in (0, 1):
        assert 1 <= scaled[way] <= cell[way]
        assert 0 <= corner[way] <= cell[way] - scaled[way]
        assert 0 <= cell[way] - scaled[way] - 2 * corner[way] <= 2 or scaled[way] == 1
        exact = min(cell[way], size[way] * cell[1 - way] / size[1 - way])
        assert scaled[way] == 1 or exact - 1.001 < scaled[way] <= exact + 0.001


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": (0, 5)}, "starts at 1x1"),
        ({"size": (5, -1)}, "starts at 1x1"),
        ({"size": (100_000, 100_000)}, "choose a smaller size"),
        ({"space": -1}, "its space at 0"),
        ({"columns": 0}, "at least one image and one column"),
        ({"paths": []}, "at least one image and one column"),
        ({"space_color": "no such"}, "'no such' is no colour: give a name"),
        ({"space_color": "#12345"}, "'#12345' is no colour"),
        ({"interpolation": "INTER_MAX"}, "there are: INTER_NEAREST, INTER_NEAREST_EXACT, INTER_LINEAR, "),
    ],
)
def test_invalid_tiles(images: list[str], change: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        tile(**{"paths": images, **change})


def test_sizes() -> None:
    assert parse_size("256x128") == (256, 128)
    for text in (
        "",
        "256",
        "256x",
        "x256",
        "0x1",
        "1x0",
        "-1x1",
        "1.5x2",
        "1x2x3",
        " 1x2",
        "1x2\n",
        "٣x٣",
        "9999999x1",
    ):
        with pytest.raises(UsageError, match="like 256x256"):
            parse_size(text)


# -- terminal detection ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({}, "blocks"),
        ({"TERM": "xterm-256color"}, "blocks"),
        ({"TERM": "dumb", "TERM_PROGRAM": "Apple_Terminal"}, "blocks"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode"}, "iterm2"),
        ({"TERM": "xterm", "TERM_PROGRAM": "mintty"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({**TMUX, "TERM_PROGRAM": "tmux", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({**TMUX, "TERM_PROGRAM": "tmux", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode", "KITTY_WINDOW_ID": "1"}, "iterm2"),
        ({"TERM": "xterm-kitty", "TERM_PROGRAM": "vscode"}, "kitty"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "foot-extra", "TERM_PROGRAM": "vscode"}, "sixel"),
        ({"TERM": "mlterm-256color"}, "sixel"),
        ({"TERM": "xterm-sixel"}, "sixel"),
        ({"TERM": "xterm-kitty", "TWINPIX_TERMINAL": "blocks"}, "blocks"),
        ({"TERM": "xterm", "TWINPIX_TERMINAL": "sixel"}, "sixel"),
        ({"TERM": "xterm-kitty", "TWINPIX_TERMINAL": ""}, "kitty"),
    ],
)
def test_terminals(environment: Mapping[str, str], protocol: Protocol) -> None:
    assert detect(environment) == protocol


def test_an_unknown_terminal() -> None:
    with pytest.raises(UsageError, match="TWINPIX_TERMINAL=vt52: choose one of iterm2, kitty, sixel, blocks"):
        detect({"TWINPIX_TERMINAL": "vt52"})


# -- output ----------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(image=noise_images)
def test_a_png_in_the_text(image: Image.Image) -> None:
    written = encode(image, "iterm2", 80, {})
    assert same(from_iterm2(written)[0], image)
    assert written.endswith(b"\n")
    assert same(from_kitty(encode(image, "kitty", 80, {})), image)


@pytest.mark.parametrize("environment", [TMUX, {"TERM": "screen-256color"}, {"TERM": "xterm", "TMUX": "x"}])
def test_tmux_passes_it_through(environment: Mapping[str, str]) -> None:
    image = noise(2, 90, 70)
    readers: dict[Protocol, Callable[[bytes], Image.Image]] = {
        "iterm2": lambda data: from_iterm2(data)[0],
        "kitty": from_kitty,
    }
    for protocol, read in readers.items():
        written = encode(image, protocol, 80, environment)
        assert written.endswith(b"\x1b\\\n")
        assert outside(written) == encode(image, protocol, 80, {"TERM": "xterm"}).removesuffix(b"\n")
        assert same(read(outside(written)), image)
    pieces = encode(image, "kitty", 80, environment).split(b"\x1bPtmux;")[1:]
    assert len(pieces) > 1
    assert max(map(len, pieces)) < 4200


def test_more_data_than_tmux_accepts() -> None:
    image = noise(3, 700, 650)
    assert len(encode(image, "iterm2", 80, {})) > 1_700_000
    written = encode(image, "iterm2", 80, TMUX)
    assert len(written) < 1_000_000
    sent, width = from_iterm2(outside(written))
    assert width == ";width=700px"
    assert same(sent, image.reduce(2))


@settings(max_examples=150, deadline=None)
@given(image=noise_images)
def test_sixels(image: Image.Image) -> None:
    shown = from_sixel(encode(image, "sixel", 80, {}))
    reduced = np.asarray(image.quantize(255).convert("RGB"))
    assert (shown == np.round(reduced * (100 / 255))).all()


def test_sixels_of_a_large_image(draw_image: Any) -> None:
    image = draw_image(1, (301, 200))
    written = encode(image, "sixel", 80, TMUX)
    assert written.startswith(b'\x1bP0;1q"1;1;301;200#0;2;')
    assert np.abs(from_sixel(written) * 2.55 - np.asarray(image)).mean() < 4
    plain = encode(Image.new("RGB", (500, 8), (255, 0, 51)), "sixel", 80, {})
    assert plain == b'\x1bP0;1q"1;1;500;8#0;2;100;0;20#0!500~-#0!500B\x1b\\\n'


@settings(max_examples=60, deadline=None)
@given(image=noise_images)
def test_blocks(image: Image.Image) -> None:
    for colours in ("truecolor", "24bit"):
        shown = from_blocks(encode(image, "blocks", 40, {"COLORTERM": colours}))
        assert (np.array(shown) == np.asarray(image)).all()
    levels = np.array(CUBE)
    nearest = levels[np.abs(np.asarray(image)[..., None] - levels + 0.1).argmin(axis=-1)]  # a tie: the upper one
    assert (np.array(from_blocks(encode(image, "blocks", 40, {"COLORTERM": ""}))) == nearest).all()


@pytest.mark.parametrize(("columns", "shape"), [(40, (20, 40)), (39, (20, 39)), (7, (4, 7)), (1, (1, 1)), (0, (1, 1))])
def test_blocks_fit_the_terminal(columns: int, shape: tuple[int, int]) -> None:
    image = expected((200, 100), RED, (100, 0, 200, 100, BLUE))
    shown = np.array(from_blocks(encode(image, "blocks", columns, TRUE)))
    assert shown.shape == (*shape, 3)
    if columns == 40:
        assert (shown[:, :17] == RED).all()
        assert (shown[:, 23:] == BLUE).all()


def test_other_modes_are_drawn_too() -> None:
    image = noise(4, 9, 7, 4).convert("P", palette=Image.Palette.ADAPTIVE)
    for protocol in PROTOCOLS:
        assert encode(image, protocol, 80, TRUE) == encode(image.convert("RGB"), protocol, 80, TRUE)


def test_show(images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    with out.open("wb") as stream:
        show(images, stream, {"TERM": "xterm-kitty"}, size=(20, 10), space=2, columns=3)
        assert same(from_kitty(out.read_bytes()), tile(images, (20, 10), 2, columns=3))  # before it is closed
    for name in ("TERM", "COLORTERM", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TWINPIX_TERMINAL", "blocks")
    monkeypatch.setenv("COLUMNS", "33")
    for width, wide in ((0, 33), (12, 12)):
        written = io.BytesIO()
        show(images, written, width=width)
        assert {len(row) for row in from_blocks(written.getvalue())} == {wide}

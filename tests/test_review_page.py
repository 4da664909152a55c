"""The page of `twinpix review` in a real browser: keys, ways to compare, dialogs, names, sizes, accessibility."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import ExifTags, Image

import twinpix
from drawings import draw
from reviewing import make_report, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = Path(__file__).parents[1] / "build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
GROUPS = 6
WAIT_SECONDS = 30.0

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page of a server, with what it wrote to the console."""

    def __init__(self, page: "Page", link: str) -> None:
        self.page = page
        self.faults: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(link)
        page.wait_for_selector("html[data-ready]")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def selected(self) -> str:
        return self.page.locator(".row[aria-selected=true]").inner_text()

    def verdicts(self) -> list[str]:
        return [
            text.partition(" · ")[2] for text in self.page.locator(".member .verdict:first-of-type").all_inner_texts()
        ]

    def states(self) -> str:
        return self.page.locator("#states").inner_text()

    def wait(self, expression: str) -> None:
        """Wait until an expression is true; the page's policy forbids the function of Playwright for this."""
        end = time.monotonic() + WAIT_SECONDS
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, expression
            self.page.wait_for_timeout(20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_report(tmp_path_factory.mktemp("page"), GROUPS)


@pytest.fixture
def opened(folder: Path, browser: "Browser", request: pytest.FixtureRequest) -> Iterator[Opened]:
    (folder.parent / "store.sqlite").unlink(missing_ok=True)
    options = getattr(request, "param", {"viewport": {"width": 1440, "height": 900}})
    with served(folder) as server:
        context = browser.new_context(**options)
        opened = Opened(context.new_page(), server.link)
        yield opened
        context.close()
        assert opened.faults == []
        assert all(url.startswith((server.base, "blob:", "data:")) for url in opened.requests)


# -- the keyboard alone ---------------------------------------------------------------------------------


def test_all_groups_are_decided_with_the_keyboard_and_all_are_taken_back(opened: Opened) -> None:
    assert opened.states() == f"{GROUPS} undecided"
    for done in range(1, GROUPS + 1):
        opened.press("Enter")
        opened.wait(f"document.getElementById('states').textContent.includes('{done} decided')")
    assert "undecided" not in opened.states()
    for left in range(GROUPS - 1, -1, -1):
        opened.press("u")
        words = f"{left} decided" if left else f"{GROUPS} undecided"
        opened.wait(f"document.getElementById('states').textContent.includes('{words}')")
    opened.press("Control+z")
    opened.wait("document.getElementById('message').textContent.includes('no decision')")


def test_keys_mark_images_and_each_mark_is_written_at_once(opened: Opened) -> None:
    opened.wait("document.querySelectorAll('.member').length === 3")
    assert opened.verdicts() == ["proposed: keep", "proposed: discard", "proposed: discard"]
    opened.press("s")
    opened.wait("document.querySelectorAll('.verdict.both').length === 1")
    assert opened.verdicts() == ["keep", "keep too", "discard"]
    opened.press("ArrowRight", "x")
    opened.wait("document.querySelectorAll('.verdict.apart').length === 1")
    assert opened.verdicts() == ["keep", "keep too", "not a copy"]
    opened.press("d")
    opened.wait("document.querySelectorAll('.verdict.discard').length === 1")
    opened.press("2")
    opened.wait("document.querySelectorAll('.member')[1].querySelector('.keep') !== null")
    assert opened.verdicts() == ["discard", "keep", "discard"]
    opened.page.reload()
    opened.page.wait_for_selector("html[data-ready]")
    opened.wait("document.querySelectorAll('.member').length === 3")
    assert opened.verdicts() == ["discard", "keep", "discard"]


def test_several_groups_are_selected_and_decided_together(opened: Opened) -> None:
    opened.press("Shift+ArrowDown", "J")
    opened.wait("document.getElementById('picked').textContent.startsWith('3 groups selected')")
    opened.press("Escape")
    opened.wait("document.getElementById('picked').textContent === ''")
    opened.page.locator(".row").nth(1).click()
    opened.page.locator(".row").nth(3).click(modifiers=["Control"])
    opened.wait("document.getElementById('picked').textContent.startsWith('2 groups selected')")
    opened.press("n")
    opened.wait(f"document.getElementById('states').textContent === '2 decided · {GROUPS - 2} undecided'")
    opened.page.locator(".row").nth(0).click()
    opened.page.locator(".row").nth(GROUPS - 1).click(modifiers=["Shift"])
    opened.wait(f"document.getElementById('picked').textContent.startsWith('{GROUPS} groups selected')")
    opened.press("Enter")
    opened.wait(f"document.getElementById('states').textContent === '{GROUPS} decided'")
    opened.press("u")
    opened.wait(f"document.getElementById('states').textContent === '2 decided · {GROUPS - 2} undecided'")
    opened.press("u")
    opened.wait(f"document.getElementById('states').textContent === '{GROUPS} undecided'")


def test_the_keeper_cannot_be_discarded(opened: Opened) -> None:
    opened.wait("document.querySelectorAll('.member').length === 3")
    opened.press("ArrowLeft", "d")
    opened.wait("document.getElementById('message').textContent.includes('is the keeper')")
    assert opened.verdicts()[0] == "proposed: keep"


def test_keys_move_through_groups(opened: Opened) -> None:
    first = opened.selected()
    opened.press("j")
    opened.wait(f"!document.querySelector('.row[aria-selected=true]').innerText.includes({json.dumps(first[:12])})")
    opened.press("k", "k", "ArrowUp")
    opened.wait(f"document.querySelector('.row[aria-selected=true]').innerText.includes({json.dumps(first[:12])})")
    opened.wait(f"document.querySelector('.member').innerText.includes({json.dumps(first[:12])})")
    opened.press("n")
    opened.wait("document.getElementById('states').textContent.includes('1 decided')")
    opened.press("l")
    opened.wait("document.getElementById('states').textContent.includes('1 later')")


def test_help_lists_the_keys_and_enter_does_not_open_a_dialog_again(opened: Opened) -> None:
    opened.press("?")
    assert opened.page.locator("#help[open] table tr").count() > 15
    opened.press("Escape")
    opened.page.click("#open-filter")
    opened.press("Escape")
    opened.wait("!document.querySelector('dialog[open]') && document.activeElement.id === 'list'")
    opened.press("Enter")
    opened.wait("document.getElementById('states').textContent.includes('1 decided')")
    assert opened.page.locator("dialog[open]").count() == 0


def test_typing_a_search_decides_nothing(opened: Opened) -> None:
    opened.press("/")
    opened.page.keyboard.type("05 edit n d x")
    opened.wait("document.getElementById('count').textContent.startsWith('0 groups')")
    assert opened.states() == f"{GROUPS} undecided"
    opened.page.fill("#search", "05 edit")
    opened.wait("document.getElementById('count').textContent.startsWith('1 group')")


# -- ways to compare ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "images"), [("b", 2), ("c", 2), ("o", 2), ("f", 2), ("g", 3)])
def test_each_way_to_compare_shows_its_images(opened: Opened, key: str, images: int) -> None:
    opened.wait("document.querySelectorAll('#stage img').length === 2")
    opened.press(key)
    opened.wait(
        f"document.querySelectorAll('#stage img').length === {images} && "
        "[...document.querySelectorAll('#stage img')].every(image => image.complete && image.naturalWidth > 0)"
    )


def test_copies_lie_on_each_other_within_a_pixel(opened: Opened) -> None:
    """The corners of an aligned copy are where the copy was cut from its original."""
    opened.page.fill("#search", "01 edit 1")  # cropped at (40, 30)
    opened.wait("document.getElementById('count').textContent.startsWith('1 group')")
    opened.wait("document.querySelector('.member').innerText.includes('01 original')")
    opened.press("Escape", "o")
    names = opened.page.locator(".member .verdict + b").all_inner_texts()
    opened.page.locator(".member").nth(next(at for at, name in enumerate(names) if "edit 1" in name)).click()
    opened.wait("document.querySelectorAll('#stage .plane img')[1]?.style.transform.startsWith('matrix')")
    boxes = opened.page.evaluate(
        "[...document.querySelectorAll('#stage .plane img')].map(box => {"
        "const {left, top, width} = box.getBoundingClientRect(); return [left, top, width]; })"
    )
    (left, top, width), (inner_left, inner_top, inner_width) = boxes
    scale = width / 480
    assert abs((inner_left - left) / scale - 40) < 1
    assert abs((inner_top - top) / scale - 30) < 1
    assert abs(inner_width / scale - 420) < 1.5


def test_zoom_is_common_and_goes_to_single_pixels(opened: Opened) -> None:
    opened.wait("document.querySelectorAll('#stage .plane').length === 2")
    opened.press("p")
    assert opened.page.locator("#zoom").inner_text() == "100%"
    opened.press("+", "+", "+", "+")
    assert opened.page.locator("#zoom").inner_text() == "244%"
    planes = opened.page.locator("#stage .plane")
    assert planes.nth(0).get_attribute("style") == planes.nth(1).get_attribute("style")
    assert opened.page.locator("#stage .plane.sharp").count() == 2
    opened.press("0")
    assert opened.page.locator("#zoom").inner_text() == "fit"


def test_the_curtain_follows_the_pointer(opened: Opened) -> None:
    opened.press("c")
    opened.wait("document.querySelector('.handle') !== null")
    box: Any = opened.page.locator("#stage").bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 60)
    opened.page.mouse.up()
    assert 20 <= int(float(opened.page.locator("#blend").input_value())) <= 30


# -- many groups, acts ----------------------------------------------------------------------------------


def test_a_rule_shows_what_it_would_decide_before_it_does(opened: Opened) -> None:
    opened.page.click("#open-rule")
    opened.page.wait_for_selector("#rule input[name=only]")
    opened.page.fill("#rule input[name=below]", "/no/such/folder")
    opened.page.locator("#rule input[name=below]").dispatch_event("change")
    opened.wait("document.querySelector('#rule [role=status]').textContent.startsWith('0 groups')")
    assert "null" not in opened.page.locator("#rule").inner_text()
    opened.page.fill("#rule input[name=below]", "")
    opened.page.locator("#rule input[name=below]").dispatch_event("change")
    opened.page.locator("#rule input[name=only]").evaluate_all(
        "boxes => boxes.forEach(box => { box.checked = false; })"
    )
    opened.wait(f"document.querySelector('#rule [role=status]').textContent.includes('{GROUPS} groups')")
    opened.page.click("#rule button.main")
    opened.wait(f"document.getElementById('states').textContent === '{GROUPS} decided'")
    opened.press("u")
    opened.wait(f"document.getElementById('states').textContent === '{GROUPS} undecided'")


def test_groups_are_moved_and_brought_back_from_the_page(opened: Opened, folder: Path) -> None:
    photos = folder.parent / "photos"
    before = sorted(path.name for path in photos.iterdir())
    opened.press("Enter")
    opened.wait("document.getElementById('states').textContent.includes('1 decided')")
    opened.page.click("#open-acts")
    opened.page.select_option("#acts select[name=action]", "move")
    opened.page.fill("#acts input[name=folder]", "away")
    opened.page.click("#acts >> text=Show the plan")
    opened.page.wait_for_selector("#acts >> text=Undo brings them back")
    assert sorted(path.name for path in photos.iterdir()) == before
    opened.page.click("#acts >> text=Carry out")
    opened.page.wait_for_selector("#acts ul button")
    assert len(list(photos.iterdir())) < len(before)
    opened.wait(f"document.getElementById('states').textContent === '1 acted on · {GROUPS - 1} undecided'")
    assert opened.page.locator(".row .state.acted").count() == 1
    opened.page.click("#acts ul button")
    opened.page.wait_for_selector("#acts >> text=restored")
    opened.wait(f"document.getElementById('states').textContent === '1 decided · {GROUPS - 1} undecided'")
    assert sorted(path.name for path in photos.iterdir()) == before


# -- names, sizes, accessibility ------------------------------------------------------------------------


HOSTILE = [
    "<img src=x onerror=alert(1)>.png",
    "</script><script>alert(1)</script>.png",
    "line\nbreak\t\x1b[31m.png",
    "تجربة صورة.png",
    "ÄÖÜ ß 🙂 \u202egnp.evil.png",
    "'\" & %00 #?.png",
]


def test_hostile_names_are_text(tmp_path: Path, browser: "Browser") -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, name in enumerate(HOSTILE):
        folder = photos / str(number)
        folder.mkdir()
        image = draw("scene", 90 + number, (300, 200))
        image.save(folder / name.replace("/", "∕"))
        image.resize((150, 100)).save(folder / f"copy {number}.png")
    found = twinpix.find(photos, store=None)
    assert len(found.groups) == len(HOSTILE)
    found.save(tmp_path / "report.json")
    with served(tmp_path / "report.json") as server:
        page = browser.new_page()
        opened = Opened(page, server.link)
        page.on("dialog", lambda dialog: opened.faults.append(dialog.message))
        for _ in HOSTILE:
            opened.press("ArrowDown")
        opened.wait("document.querySelectorAll('.member').length === 2")
        assert page.locator("#list script, #members script, [onerror]").count() == 0
        assert opened.faults == []
        page.close()


def test_the_progress_of_find_is_shown_and_then_the_groups(folder: Path, browser: "Browser") -> None:
    with served(folder.parent / "photos", env={"HOME": str(folder.parent / "home")}) as server:
        page = browser.new_page()
        page.goto(server.link)
        page.wait_for_selector("#finding:visible")
        assert page.locator("#finding-stage").inner_text().startswith("Finding copies: ")
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        assert not page.locator("#finding").is_visible()
        assert page.locator("#count").inner_text().startswith(f"{GROUPS} groups")
        page.close()


def test_hostile_tags_are_text(tmp_path: Path, browser: "Browser") -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    image = draw("scene", 7, (300, 200))
    exif = Image.Exif()
    evil = "<img src=x onerror=alert(1)></script>"
    exif[ExifTags.Base.Make] = exif[ExifTags.Base.ImageDescription] = exif[ExifTags.Base.Software] = evil
    image.save(photos / "tagged.jpg", exif=exif)
    image.save(photos / "plain.png")
    twinpix.find(photos, store=None).save(tmp_path / "report.json")
    with served(tmp_path / "report.json") as server:
        page = browser.new_page()
        opened = Opened(page, server.link)
        page.on("dialog", lambda dialog: opened.faults.append(dialog.message))
        opened.press("e")
        opened.wait("document.querySelector('#facts-table').textContent.includes('onerror=alert')")
        assert page.locator("#facts-table img, #facts-table script, [onerror]").count() == 0
        assert opened.faults == []
        page.close()


@pytest.mark.parametrize(
    "opened",
    [
        {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
        for width, height, scheme in ((360, 800, "light"), (1024, 700, "dark"), (3840, 2160, "light"))
    ],
    indirect=True,
    ids=["phone", "small-dark", "4k"],
)
def test_nothing_is_wider_than_the_window(opened: Opened) -> None:
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    opened.press("?")
    assert opened.page.evaluate("document.querySelector('#help').getBoundingClientRect().right <= innerWidth")


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: npm install --prefix build/npm axe-core")
@pytest.mark.parametrize(
    "opened",
    [
        {"viewport": {"width": 1440, "height": 900}, "color_scheme": scheme, "bypass_csp": True}
        for scheme in ("light", "dark")
    ],
    indirect=True,
    ids=["light", "dark"],
)
@pytest.mark.parametrize("dialog", ["", "open-filter", "open-rule", "open-acts", "open-help"])
def test_axe_finds_nothing_serious(opened: Opened, dialog: str) -> None:
    opened.wait("document.querySelectorAll('.member').length === 3")
    if dialog:
        opened.page.click(f"#{dialog}")
    opened.page.add_script_tag(path=str(AXE))
    found = opened.page.evaluate("axe.run()")
    serious = [
        (each["id"], [node["html"] for node in each["nodes"]])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_an_image_of_another_colour_space_is_shown_in_srgb() -> None:
    from PIL import ImageCms

    from twinpix.review.pictures import in_srgb

    image = Image.new("RGB", (8, 8), (200, 80, 40))
    assert in_srgb(image) is image
    image.info["icc_profile"] = b"damaged"
    assert in_srgb(image).getpixel((0, 0)) == (200, 80, 40)
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = in_srgb(image).getpixel((0, 0))
    assert isinstance(same, tuple)
    assert max(abs(a - b) for a, b in zip(same, (200, 80, 40), strict=True)) <= 2

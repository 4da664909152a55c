"""Draw a small folder of images with edited copies, to try twinpix without photos."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

_SIZE = (640, 480)
_NAMES = ("harbour", "meadow", "market", "canyon", "orchard", "station")

EditFunction = Callable[[Image.Image], Image.Image]
_EDITS: dict[str, tuple[EditFunction, str, int]] = {
    "recompressed": (lambda im: im, ".jpg", 40),
    "half-size": (lambda im: im.resize((im.width // 2, im.height // 2)), ".jpg", 88),
    "brighter": (lambda im: ImageEnhance.Brightness(im).enhance(1.25), ".jpg", 88),
    "as-webp": (lambda im: im, ".webp", 80),
    "mirrored": (lambda im: im.transpose(Image.Transpose.FLIP_LEFT_RIGHT), ".jpg", 88),
    "turned": (lambda im: im.transpose(Image.Transpose.ROTATE_90), ".jpg", 88),
}


def make_demo(folder: str) -> int:
    """Create `folder` and draw the files of the demo in it, the same every time; return the number of files.

    Raises `FileExistsError` if the folder exists and is not empty.
    """
    root = Path(folder)
    if root.exists() and any(root.iterdir()):
        raise FileExistsError(folder)
    originals, copies = root / "camera", root / "from-friends"
    for place in (originals, copies):
        place.mkdir(parents=True)
    for number, name in enumerate(_NAMES):
        picture = draw(number)
        picture.save(originals / f"{name}.jpg", quality=92)
        for at, (edit, (change, suffix, quality)) in enumerate(_EDITS.items()):
            if (at + number) % 3 == 0:
                change(picture).save(copies / f"{name} {edit}{suffix}", quality=quality)
    (copies / "harbour (1).jpg").write_bytes((originals / "harbour.jpg").read_bytes())
    draw(1).save(copies / "meadow.png")
    Image.new("RGB", _SIZE, "white").save(copies / "scan, blank page 1.png")
    Image.new("RGB", (480, 640), (252, 252, 250)).save(copies / "scan, blank page 2.png")
    (copies / "broken.jpg").write_bytes((originals / "market.jpg").read_bytes()[:9000])
    (copies / "notes.txt").write_text("Not an image: counted, nothing more.\n", encoding="utf-8")
    return sum(len(files) for _, _, files in os.walk(root))


def draw(seed: int) -> Image.Image:
    """Draw a landscape of hills, rectangles and ellipses below a sky with a gradient, with some noise."""
    rng = np.random.default_rng(seed)
    width, height = _SIZE
    sky = np.linspace(rng.integers(90, 200, 3), rng.integers(150, 255, 3), height)[:, None, :]
    image = Image.fromarray(np.broadcast_to(sky, (height, width, 3)).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for layer in range(4):
        across = np.arange(width + 8, step=8)
        waves = sum(np.sin(across / rng.uniform(30, 160) + rng.uniform(0, 6)) * rng.uniform(5, 30) for _ in range(3))
        top = height * (0.35 + 0.16 * layer) + np.asarray(waves)
        outline = [*zip(across.tolist(), top.tolist(), strict=True), (width, height), (0, height)]
        pen.polygon(outline, fill=tuple(int(v) for v in rng.integers(20, 200, 3)))
    for _ in range(14):
        x, y = rng.integers(0, width), rng.integers(height // 3, height)
        w, h = rng.integers(15, 110, 2)
        fill = tuple(int(v) for v in rng.integers(0, 256, 3))
        shape = pen.ellipse if rng.random() < 0.5 else pen.rectangle
        shape((int(x), int(y - h), int(x + w), int(y)), fill=fill)
    grain = rng.normal(0, 6, (height, width, 1))
    noisy = np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(noisy).filter(ImageFilter.GaussianBlur(0.6))

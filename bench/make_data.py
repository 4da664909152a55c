"""Make the folders that the benchmarks run on, from a folder of photos; the same seed gives the same files.

usage: make_data.py SRC DST [--photos N] [--large M] [--small K] [--tiles L] [--seed S]

DST/photos  N JPEGs of about 500×375, each a crop of another photo while there are enough of them.
DST/large   M JPEGs of 8 to 26 megapixels, 1.7 MB on average, three in ten progressive: enlarged crops
            with a camera's grain. The last one ends 4 bytes early, as broken downloads do.
DST/small   K different JPEGs of 64×48, a thousand in each folder.
DST/tiles   13 JPEGs of each of L photos: its parts in 4 columns and 3 rows, 500 pixels wide, which are no copies of
            each other, and a reduced copy of the fifth.
"""

import argparse
import io
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

LARGE_BYTES = 1.7e6
FOLDER_FILES = 1000


def sources(folder: Path) -> list[Path]:
    """The JPEGs below the folder, the largest files first: these have the most detail."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    return sorted(found, key=lambda path: (-path.stat().st_size, path))


def crop(path: Path, rng: np.random.Generator, low: float, high: float, aspect: float) -> Image.Image:
    """A random part that takes `low` to `high` of the longest side that the aspect (of a wide image) allows."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    if image.height > image.width:
        aspect = 1 / aspect
    reach = rng.uniform(low, high)
    width = int(min(image.width, image.height * aspect) * reach)
    height = int(width / aspect)
    left, top = (int(rng.integers(0, room + 1)) for room in (image.width - width, image.height - height))
    return image.crop((left, top, left + width, top + height))


def photo(seed: int, paths: list[Path], folder: Path, number: int) -> None:
    rng = np.random.default_rng([seed, 1, number])
    again = number // len(paths)  # a second crop of a photo is a small part, different from the first
    part = crop(paths[number % len(paths)], rng, *((0.85, 1.0) if not again else (0.3, 0.5)), rng.uniform(1.28, 1.5))
    scale = 500 / max(part.size)
    part = part.resize((round(part.width * scale), round(part.height * scale)), Image.Resampling.LANCZOS)
    part.save(folder / f"{number:05d}.jpg", quality=int(rng.integers(82, 96)))


def large(seed: int, paths: list[Path], folder: Path, count: int, number: int) -> None:
    rng = np.random.default_rng([seed, 2, number])
    pixels = rng.uniform(8e6, 26e6)
    part = crop(paths[number % len(paths)], rng, 0.8, 1.0, 4 / 3)
    scale = (pixels / (part.width * part.height)) ** 0.5
    part = part.resize((round(part.width * scale), round(part.height * scale)), Image.Resampling.BICUBIC)
    part = add_grain(part.filter(ImageFilter.UnsharpMask(radius=scale, percent=120, threshold=0)), rng)
    data = encode(part, LARGE_BYTES * pixels / 17e6, progressive=number % 10 in (2, 5, 8))
    (folder / f"{number:04d}.jpg").write_bytes(data[:-4] if number == count - 1 else data)


def add_grain(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The image with fine and coarse noise, the same in all three channels, computed strip by strip."""
    tile = rng.normal(0, 1.6, (2048, 2048)).astype(np.float32)
    coarse = Image.fromarray(rng.normal(0, 2.0, (512, 512)).astype(np.float32))
    tile += np.asarray(coarse.resize((2048, 2048), Image.Resampling.BICUBIC))
    noise = np.rint(tile).astype(np.int16)
    pixels = np.array(image)
    across = np.arange(pixels.shape[1]) % 2048
    for top in range(0, pixels.shape[0], 2048):
        strip = pixels[top : top + 2048]
        np.copyto(strip, np.clip(strip + noise[: len(strip), across, None], 0, 255), casting="unsafe")
    return Image.fromarray(pixels)


def encode(image: Image.Image, size: float, progressive: bool) -> bytes:
    """The JPEG with the quality that comes nearest to a size, by bisection."""
    low, high, data = 20, 95, b""
    while low < high:
        quality = (low + high) // 2
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, progressive=progressive)
        data = out.getvalue()
        low, high = (quality + 1, high) if len(data) < size else (low, quality)
    return data


def small(seed: int, folder: Path, part: int, count: int) -> None:
    """One folder of tiny images: soft random colours, all different."""
    rng = np.random.default_rng([seed, 3, part])
    place = folder / f"{part:04d}"
    place.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(rng.integers(0, 256, (count, 9, 12, 3), dtype=np.uint8)):
        image = Image.fromarray(pixels).resize((64, 48), Image.Resampling.BICUBIC)
        image.save(place / f"{number:04d}.jpg", quality=80)


def tiles(paths: list[Path], folder: Path, number: int) -> None:
    image = ImageOps.exif_transpose(Image.open(paths[number])).convert("RGB")
    width, height = image.width // 4, image.height // 3
    for at in range(12):
        left, top = at % 4 * width, at // 4 * height
        part = image.crop((left, top, left + width, top + height))
        part = part.resize((500, round(500 * height / width)), Image.Resampling.LANCZOS)
        part.save(folder / f"{number:04d}-{at:02d}.jpg", quality=88)
        if at == 4:
            part.resize((300, round(300 * height / width))).save(folder / f"{number:04d}-copy.jpg", quality=70)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("src", type=Path)
    parser.add_argument("dst", type=Path)
    for name in ("photos", "large", "small", "tiles", "seed"):
        parser.add_argument(f"--{name}", type=int, default=0)
    asked = parser.parse_args()
    paths = sources(asked.src)
    for name in ("photos", "large", "tiles"):
        if getattr(asked, name):
            (asked.dst / name).mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as pool:
        work = [pool.map(partial(photo, asked.seed, paths, asked.dst / "photos"), range(asked.photos), chunksize=20)]
        work.append(pool.map(partial(large, asked.seed, paths, asked.dst / "large", asked.large), range(asked.large)))
        counts = [min(FOLDER_FILES, asked.small - done) for done in range(0, asked.small, FOLDER_FILES)]
        work.append(pool.map(partial(small, asked.seed, asked.dst / "small"), range(len(counts)), counts))
        numbers = range(min(asked.tiles, len(paths)))
        work.append(pool.map(partial(tiles, paths, asked.dst / "tiles"), numbers, chunksize=20))
        for each in work:
            list(each)


if __name__ == "__main__":
    main()

"""Load a folder's images as batches of tensors with PyTorch's `DataLoader`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from twinpix.compat.imagededup.utils.general_utils import generate_files
from twinpix.compat.imagededup.utils.image_utils import load_image
from twinpix.compat.imagededup.utils.models import pytorch


class ImgDataset:
    """Data set of a folder's images, transformed by `basenet_preprocess`; None for one that cannot be read."""

    def __init__(self, image_dir: Any, basenet_preprocess: Callable[[Any], Any], recursive: bool | None) -> None:
        self.image_dir, self.basenet_preprocess, self.recursive = image_dir, basenet_preprocess, recursive
        self.image_files = generate_files(image_dir, bool(recursive))

    def __len__(self) -> int:
        return len(self.image_files)

    def __getitem__(self, item: int) -> dict[str, Any]:
        path = self.image_files[item]
        pixels = load_image(path)
        return {"image": None if pixels is None else self.basenet_preprocess(pixels), "filename": path}


def img_dataloader(
    image_dir: Any,
    batch_size: int,
    basenet_preprocess: Callable[[Any], Any],
    recursive: bool | None,
    num_workers: int,
) -> Any:
    """Return a `torch.utils.data.DataLoader` that yields tensors, their files, and the files that cannot be read.

    Raises `UsageError` if PyTorch is not installed, `ValueError` if the folder does not exist.
    """
    pytorch()
    from torch.utils.data import DataLoader

    images: Any = ImgDataset(image_dir, basenet_preprocess, recursive)
    return DataLoader(images, batch_size=batch_size, collate_fn=_collate_fn, num_workers=num_workers)


def _collate_fn(batch: list[dict[str, Any]]) -> tuple[Any, list[Any], list[Any]]:
    read = [item for item in batch if item["image"] is not None]
    unread = [item["filename"] for item in batch if item["image"] is None]
    torch = pytorch()
    tensors = [torch.tensor(item["image"]) if isinstance(item["image"], np.ndarray) else item["image"] for item in read]
    return torch.stack(tensors) if tensors else torch.empty(0), [item["filename"] for item in read], unread

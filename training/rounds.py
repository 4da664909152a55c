"""Which images make a batch: at random at first, later groups of similar images (hard negatives)."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class Rounds:
    """The order of the images in each epoch: at random, later in groups of near ones.

    Near images are found by the last descriptor of each image. The order is fixed some steps before the epoch begins,
    so that batches can be prepared ahead, deterministically.
    """

    _AHEAD = 8
    _PREFIX = 64
    _COPY = 0.98  # cosine above which two images may be copies

    def __init__(self, images: int, pairs: int, group: int, grouped_after: int, dims: int, seed: int) -> None:
        self.images, self.pairs, self.group = images, pairs, group
        self.grouped_after, self.seed = grouped_after, seed
        self.steps = images // pairs
        self.last = torch.zeros(images, min(dims, self._PREFIX))
        self._orders: dict[int, NDArray[np.int64]] = {0: self._random(0)}
        self._fixed = threading.Condition()

    def learn(self, step: int, images: torch.Tensor, vectors: torch.Tensor) -> None:
        """Store descriptors; near the end of an epoch, fix the order of the next one."""
        self.last[images] = torch.nn.functional.normalize(vectors[:, : self._PREFIX], dim=1)
        place = step % self.steps
        if place == max(0, self.steps - self._AHEAD):
            number = step // self.steps + 1
            order = self._random(number) if step < self.grouped_after else self._draw_groups(number)
            with self._fixed:
                self._orders = {number - 1: self._orders[number - 1], number: order}
                self._fixed.notify_all()

    def images_of(self, step: int) -> NDArray[np.int64]:
        """The images of a batch; waits until their order is fixed."""
        number, place = divmod(step, self.steps)
        with self._fixed:
            while number not in self._orders:
                self._fixed.wait()
            order = self._orders[number]
        return order[place * self.pairs : (place + 1) * self.pairs]

    def state_dict(self) -> dict[str, Any]:
        return {"last": self.last, "orders": {key: torch.from_numpy(order) for key, order in self._orders.items()}}

    def load_state_dict(self, held: dict[str, Any]) -> None:
        self.last = held["last"]
        self._orders = {key: order.numpy() for key, order in held["orders"].items()}

    def _random(self, number: int) -> NDArray[np.int64]:
        return np.random.default_rng([self.seed, number]).permutation(self.images)

    def _draw_groups(self, number: int) -> NDArray[np.int64]:
        """Group each free image, in random order, with its nearest free images; then shuffle the groups."""
        nearest = []
        for at in range(0, self.images, 2000):
            near = self.last[at : at + 2000] @ self.last.T
            nearest.append(near.masked_fill(near > self._COPY, -1).topk(4 * self.group).indices.numpy())
        neighbours = np.concatenate(nearest)
        free = np.ones(self.images, bool)
        groups: list[list[int]] = []
        rest: list[list[int]] = []
        for image in self._random(number):
            if not free[image]:
                continue
            free[image] = False
            company = [int(other) for other in neighbours[image] if free[other]][: self.group - 1]
            free[company] = False
            (groups if len(company) == self.group - 1 else rest).append([int(image), *company])
        order = np.random.default_rng([self.seed, number, 1]).permutation(len(groups))
        return np.array([p for at in order for p in groups[at]] + [p for some in rest for p in some], np.int64)

"""Training: seeded by step, so that a run that was stopped goes on as if it had not been."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Queue

import numpy as np
import torch
from numpy.typing import NDArray

from training.edits import Batch, Editor
from training.losses import nested, partners
from training.network import Network, Shape
from training.pack import load


@dataclass(frozen=True)
class Recipe:
    """All that shapes a run. `steps` counts batches; the sides and the learning rate follow from it."""

    steps: int = 9000
    coarse_steps: int = 5500
    """So many steps with pictures of `coarse_side` pixels, the rest with `side`."""
    decay_steps: int = 2200
    """The last steps, over which the learning rate falls to nothing."""
    side: int = 128
    coarse_side: int = 96
    pairs: int = 128
    rate: float = 2e-3
    warmup: int = 300
    weight_decay: float = 0.05
    temperature: float = 0.05
    spread: float = 0.3
    queue: int = 8192
    queue_after: int = 9000
    """Steps without the queue: while the network changes fast, old descriptors pull it into a cone."""
    prefixes: tuple[int, ...] = (64, 256, 1024)
    seed: int = 1
    shape: Shape = field(default_factory=Shape)

    def side_at(self, step: int) -> int:
        return self.coarse_side if step < self.coarse_steps else self.side

    def rate_at(self, step: int) -> float:
        """Linear up, constant, then down as 1 - sqrt (Hägele et al., "Scaling laws beyond fixed durations", 2024)."""
        down = 1 - max(0.0, (step - (self.steps - self.decay_steps)) / self.decay_steps) ** 0.5
        return self.rate * min(1.0, (step + 1) / self.warmup) * max(down, 0.0)


def train(packed: Path, out: Path, recipe: Recipe, keep_every: int = 250) -> None:
    """Train on the `packed` folder; ``out/state.pt`` holds all that is needed to go on, ``out/log.jsonl`` the curve."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1) + "\n")
    torch.manual_seed(recipe.seed)
    net = Network(recipe.shape).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    plain = [p for p in net.parameters() if p.ndim < 2]
    heavy = [p for p in net.parameters() if p.ndim >= 2]
    groups = [{"params": heavy, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))
    queue, queued = torch.zeros(0, recipe.shape.dims), torch.zeros(0, dtype=torch.int64)
    start = 0
    state = out / "state.pt"
    if state.exists():
        held = torch.load(state, weights_only=True)
        net.load_state_dict(held["net"])
        optimiser.load_state_dict(held["optimiser"])
        queue, queued, start = held["queue"], held["queued"], held["step"]

    def save(step: int) -> None:
        held = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "queue": queue, "queued": queued, "step": step}
        torch.save(held, state.with_suffix(".part"))
        os.replace(state.with_suffix(".part"), state)

    began, seen, losses = time.monotonic(), 0, []
    with (out / "log.jsonl").open("a") as log:
        for step, batch in _ahead(_batches(load(packed), recipe, start)):
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate_at(step)
            both = torch.from_numpy(np.concatenate([batch.first, batch.second])).permute(0, 3, 1, 2)
            with torch.autocast("cpu", torch.bfloat16):
                vectors = net(both.float()).float()
            first, second = vectors.chunk(2)
            guest, share = torch.from_numpy(batch.guest), torch.from_numpy(batch.share)
            pictures = torch.from_numpy(batch.pictures)
            silent, target = partners(pictures, queued, guest, share)
            loss = nested(
                first, second, queue, silent, target, recipe.prefixes, recipe.temperature, recipe.spread
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            if step >= recipe.queue_after:
                # mixtures stay out: their own pictures would count as their opposites
                fresh = torch.cat([first.detach(), second.detach()[guest < 0]])
                queue = torch.cat([fresh, queue])[: recipe.queue]
                queued = torch.cat([pictures, pictures[guest < 0], queued])[: recipe.queue]
            losses.append(loss.item())
            seen += recipe.pairs
            if (step + 1) % 50 == 0:
                speed = seen / (time.monotonic() - began)
                line = {"step": step + 1, "loss": round(sum(losses) / len(losses), 4), "pairs_per_s": round(speed, 1)}
                log.write(json.dumps(line | {"side": recipe.side_at(step), "rate": recipe.rate_at(step)}) + "\n")
                log.flush()
                losses.clear()
            if (step + 1) % keep_every == 0:
                save(step + 1)
            if step + 1 == recipe.steps - recipe.decay_steps:
                save(step + 1)
                (out / "before_decay.pt").write_bytes(state.read_bytes())
        save(recipe.steps)


def _batches(levels: list[NDArray[np.uint8]], recipe: Recipe, start: int) -> Iterator[tuple[int, Batch]]:
    n = len(levels[0])
    per_round = n // recipe.pairs
    editors = {side: Editor(levels, side) for side in {recipe.side_at(start), recipe.side}}
    for step in range(start, recipe.steps):
        order = np.random.default_rng([recipe.seed, step // per_round]).permutation(n)
        place = step % per_round * recipe.pairs
        rng = np.random.default_rng([recipe.seed, step // per_round, step])
        yield step, editors[recipe.side_at(step)].batch(order[place : place + recipe.pairs], rng)


def _ahead(batches: Iterator[tuple[int, Batch]], depth: int = 4) -> Iterator[tuple[int, Batch]]:
    """The same batches, made in a thread while the network works."""
    ready: Queue[tuple[int, Batch] | BaseException | None] = Queue(depth)

    def fill() -> None:
        try:
            for batch in batches:
                ready.put(batch)
            ready.put(None)
        except BaseException as problem:
            ready.put(problem)

    threading.Thread(target=fill, daemon=True).start()
    while (item := ready.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item

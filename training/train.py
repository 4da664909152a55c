"""Training, seeded by step, so that a resumed run equals an uninterrupted one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from queue import Queue

import numpy as np
import torch
from numpy.typing import NDArray

from training.edits import Batch, Editor
from training.losses import nested, partners
from training.network import Network, Shape
from training.pack import load
from training.rounds import Rounds

LOGGED_EVERY, KEPT_EVERY = 50, 250
"""Steps between two lines of the log, and between two saved states."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a run. `steps` is the number of batches; the sides and the learning rate follow from it."""

    steps: int = 6800
    coarse_steps: int = 4300
    """Number of steps with images of `coarse_side` pixels; the rest have `side`."""
    decay_steps: int = 2300
    """Number of the last steps, over which the learning rate falls to 0."""
    side: int = 128
    coarse_side: int = 96
    pairs: int = 128
    rate: float = 2e-3
    warmup: int = 300
    weight_decay: float = 0.05
    temperature: float = 0.05
    spread: float = 10.0
    spread_first: float = 0.3
    spread_steps: int = 3000
    """The weight of KoLeo grows geometrically from `spread_first` to `spread` over so many steps: in full from the
    start, it would scatter descriptors that do not recognise copies yet."""
    grouped_after: int = 2200
    """Steps after which a batch consists of groups of near images, so that it contains hard negatives; before that,
    distances mean nothing."""
    group: int = 8
    prefixes: tuple[int, ...] = (256, 1024)
    seed: int = 1
    shape: Shape = field(default_factory=Shape)

    def side_at(self, step: int) -> int:
        return self.coarse_side if step < self.coarse_steps else self.side

    def spread_at(self, step: int) -> float:
        grown = min(1.0, step / max(self.spread_steps, 1))
        return float(self.spread_first ** (1 - grown) * self.spread**grown)

    def rate_at(self, step: int) -> float:
        """Linear up, constant, then down as 1 - sqrt (Hägele et al., "Scaling laws beyond fixed durations", 2024)."""
        down = 1 - max(0.0, (step - (self.steps - self.decay_steps)) / self.decay_steps) ** 0.5
        return float(self.rate * min(1.0, (step + 1) / self.warmup) * max(down, 0.0))


class OtherRecipeError(ValueError):
    """The folder has a run with another recipe."""


class Run:
    """A network in training; ``out/state.pt`` has everything that is needed to resume it.

    Raises `OtherRecipeError` if the state was made with another recipe according to ``out/recipe.json``.
    """

    def __init__(self, out: Path, recipe: Recipe, images: int) -> None:
        self.out, self.recipe, self.step = out, recipe, 0
        torch.manual_seed(recipe.seed)
        self.net = Network(recipe.shape).to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(self._groups(), lr=recipe.rate, betas=(0.9, 0.98))
        self.rounds = Rounds(images, recipe.pairs, recipe.group, recipe.grouped_after, recipe.shape.dims, recipe.seed)
        if self.state.exists():
            held = torch.load(self.state, weights_only=True)
            self._require_same_recipe(held["step"])
            self.net.load_state_dict(held["net"])
            self.optimiser.load_state_dict(held["optimiser"])
            self.rounds.load_state_dict(held["rounds"])
            self.step = held["step"]

    @property
    def state(self) -> Path:
        return self.out / "state.pt"

    def learn(self, batch: Batch) -> float:
        """One step; returns the loss."""
        recipe = self.recipe
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate_at(self.step)
        both = torch.from_numpy(np.concatenate([batch.first, batch.second])).permute(0, 3, 1, 2)
        with torch.autocast("cpu", torch.bfloat16):
            vectors = self.net(both.float()).float()
        target, silent = partners(torch.from_numpy(batch.guest), torch.from_numpy(batch.share))
        loss = nested(vectors, target, silent, recipe.prefixes, recipe.temperature, recipe.spread_at(self.step))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.rounds.learn(self.step, torch.from_numpy(batch.images), vectors[: recipe.pairs].detach())
        self.step += 1
        return float(loss.item())

    def save(self) -> None:
        """Save the state atomically; the state before the learning rate falls is saved beside it."""
        held = {"net": self.net.state_dict(), "optimiser": self.optimiser.state_dict(), "step": self.step}
        torch.save(held | {"rounds": self.rounds.state_dict()}, self.state.with_suffix(".part"))
        self.state.with_suffix(".part").replace(self.state)
        if self.step == self.recipe.steps - self.recipe.decay_steps:
            (self.out / "before_decay.pt").write_bytes(self.state.read_bytes())

    def is_due(self) -> bool:
        """True if the state must be saved now."""
        ends = (self.recipe.steps, self.recipe.steps - self.recipe.decay_steps)
        return self.step % KEPT_EVERY == 0 or self.step in ends

    def _require_same_recipe(self, step: int) -> None:
        """Only the end can be changed, and only if the learning rate of every step so far does not change."""
        kept = self.out / "recipe.json"
        if not kept.exists():
            return
        there, asked = json.loads(kept.read_text()), json.loads(json.dumps(asdict(self.recipe)))
        other = [name for name in {**there, **asked} if there.get(name) != asked.get(name)]
        if other and set(other) <= {"steps", "decay_steps"}:
            before = replace(self.recipe, **{name: there[name] for name in other})
            if all(before.rate_at(done) == self.recipe.rate_at(done) for done in range(step)):
                return
        if other:
            told = ", ".join(f"{name} {there.get(name, 'unknown')} (asked for: {asked.get(name)})" for name in other)
            raise OtherRecipeError(
                f"{self.out} holds a run of another recipe, at step {step}: {told}. "
                f"Take another folder; or, to go on in the new way all the same, remove {kept}"
            )

    def _groups(self) -> list[dict[str, object]]:
        plain = [p for p in self.net.parameters() if p.ndim < 2]
        heavy = [p for p in self.net.parameters() if p.ndim >= 2]
        return [
            {"params": heavy, "weight_decay": self.recipe.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]


def train(packed: Path, out: Path, recipe: Recipe) -> None:
    """Train on the `packed` folder until `recipe.steps`, resuming from `out`; raises `OtherRecipeError`."""
    out.mkdir(parents=True, exist_ok=True)
    levels = load(packed)
    run = Run(out, recipe, len(levels[0]))
    (out / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1) + "\n")
    began, first, losses = time.monotonic(), run.step, list[float]()
    with (out / "log.jsonl").open("a") as log:
        for batch in _ahead(_batches(levels, run)):
            losses.append(run.learn(batch))
            if run.is_due():
                run.save()
            if run.step % LOGGED_EVERY == 0:
                speed = (run.step - first) * recipe.pairs / (time.monotonic() - began)
                line = {"step": run.step, "loss": round(sum(losses) / len(losses), 4), "pairs_per_s": round(speed, 1)}
                log.write(json.dumps(line) + "\n")
                log.flush()
                losses.clear()


def _batches(levels: list[NDArray[np.uint8]], run: Run) -> Iterator[Batch]:
    recipe, rounds = run.recipe, run.rounds
    editors = {side: Editor(levels, side) for side in {recipe.side_at(run.step), recipe.side}}
    for step in range(run.step, recipe.steps):
        rng = np.random.default_rng([recipe.seed, step])
        yield editors[recipe.side_at(step)].batch(rounds.images_of(step), rng)


def _ahead(batches: Iterator[Batch], depth: int = 4) -> Iterator[Batch]:
    """The same batches, prepared in a thread while the network computes."""
    ready: Queue[Batch | BaseException | None] = Queue(depth)

    def fill() -> None:
        try:
            for batch in batches:
                ready.put(batch)
            ready.put(None)
        except BaseException as problem:  # noqa: BLE001 - raised again in the main thread
            ready.put(problem)

    threading.Thread(target=fill, daemon=True).start()
    while (item := ready.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item

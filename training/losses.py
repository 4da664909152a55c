"""What is asked of descriptors: copies near, all others far, spread out; and so for each prefix of the numbers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def contrast(
    first: Tensor, second: Tensor, queue: Tensor, silent: Tensor, target: Tensor, temperature: float, spread: float
) -> Tensor:
    """InfoNCE between two views (n, d), against each other and a `queue` (m, d) of earlier descriptors; plus `spread` × KoLeo.

    `target` (2n, 2n + m) holds what each view is a copy of, and how much; `silent` (same shape) the pairs that are
    neither asked for nor punished: see `partners`. All are normalised here. Sources: van den Oord et al., "Representation learning with contrastive
    predictive coding" (2018); Pizzi et al., "A self-supervised descriptor for image copy detection" (CVPR 2022);
    Wang et al., "Cross-batch memory for embedding learning" (CVPR 2020).
    """
    views = F.normalize(torch.cat([first, second]), dim=1)
    others = torch.cat([views, F.normalize(queue, dim=1)]) if len(queue) else views
    near = views @ others.T
    logits = (near / temperature).masked_fill(silent, -1e4)
    loss = -(target * F.log_softmax(logits, dim=1)).sum(1).mean()
    if spread:
        nearest = near.masked_fill(silent | (target > 0), -1.0).amax(1)
        loss = loss - spread * torch.log((2 - 2 * nearest).clamp(min=1e-6).sqrt()).mean()
    return loss


def partners(pictures: Tensor, queued: Tensor, guest: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """`silent` and `target` of `contrast` for views of `pictures` (n) and a queue of views of `queued` (m) pictures.

    A second view into which picture `guest` (place in the batch, or -1) was mixed counts as `share` of its own
    picture and 1 - `share` of the guest; what else the two are to each other is left open, as is what a view is to
    the same picture in the queue.
    """
    n = len(pictures)
    rows = torch.arange(2 * n)
    mixed = torch.nonzero(guest >= 0).flatten()
    target = torch.zeros(2 * n, 2 * n + len(queued))
    target[rows, (rows + n) % (2 * n)] = 1
    target[n + mixed, mixed] = share[mixed]
    target[n + mixed, guest[mixed]] = 1 - share[mixed]
    silent = torch.zeros_like(target, dtype=torch.bool)
    silent[rows, rows] = True
    silent[guest[mixed], n + mixed] = True
    silent[n + guest[mixed], n + mixed] = True
    silent[n + mixed, n + guest[mixed]] = True
    silent[:, 2 * n :] = (pictures[:, None] == queued[None]).repeat(2, 1)
    silent[n + mixed, 2 * n :] |= pictures[guest[mixed], None] == queued[None]
    return silent, target


def nested(
    first: Tensor,
    second: Tensor,
    queue: Tensor,
    silent: Tensor,
    target: Tensor,
    dims: tuple[int, ...],
    temperature: float,
    spread: float,
) -> Tensor:
    """The mean of `contrast` over prefixes of the descriptor (Kusupati et al., "Matryoshka representation learning", 2022)."""
    return torch.stack(
        [contrast(first[:, :d], second[:, :d], queue[:, :d], silent, target, temperature, spread) for d in dims]
    ).mean()

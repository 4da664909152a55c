"""The loss: copies near, all others far, descriptors spread out; for each prefix of the descriptor."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def partners(guest: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """`target` and `silent`, both (2n, 2n), of n first views followed by n second views.

    `target` is the weight with which each view is a copy of each other view. A second view into which the image at
    position `guest` of the batch was mixed (-1: none) counts as `share` of its own image and 1 - `share` of the guest.
    `silent` are the pairs that are neither positives nor negatives: a view and itself, and the other pairs of a mixture
    and its guest.
    """
    n = len(guest)
    rows = torch.arange(2 * n)
    mixed = torch.nonzero(guest >= 0).flatten()
    target = torch.zeros(2 * n, 2 * n)
    target[rows, (rows + n) % (2 * n)] = 1
    target[n + mixed, mixed] = share[mixed]
    target[n + mixed, guest[mixed]] = 1 - share[mixed]
    silent = torch.zeros_like(target, dtype=torch.bool)
    silent[rows, rows] = True
    silent[guest[mixed], n + mixed] = True
    silent[n + guest[mixed], n + mixed] = True
    silent[n + mixed, n + guest[mixed]] = True
    return target, silent


def contrast(views: Tensor, target: Tensor, silent: Tensor, temperature: float, spread: float) -> Tensor:
    """InfoNCE among views (2n, d) of any length, and `spread` × KoLeo, which repels each view from its nearest one.

    For `target` and `silent` see `partners`. Sources: A. van den Oord et al., "Representation learning with
    contrastive predictive coding" (2018); A. Sablayrolles et al., "Spreading vectors for similarity search" (ICLR
    2019); both together for copies: E. Pizzi et al., "A self-supervised descriptor for image copy detection" (CVPR
    2022), https://arxiv.org/abs/2202.10261.
    """
    unit = F.normalize(views, dim=1)
    near = unit @ unit.T
    logits = (near / temperature).masked_fill(silent, -1e4)
    loss = -(target * F.log_softmax(logits, dim=1)).sum(1).mean()
    nearest = near.masked_fill(silent | (target > 0), -1.0).amax(1)
    return loss - spread * torch.log((2 - 2 * nearest).clamp(min=1e-6).sqrt()).mean()


def nested(
    views: Tensor, target: Tensor, silent: Tensor, prefixes: tuple[int, ...], temperature: float, spread: float
) -> Tensor:
    """The mean of `contrast` over prefixes of the descriptor.

    Source: A. Kusupati et al., "Matryoshka representation learning" (NeurIPS 2022), https://arxiv.org/abs/2205.13147.
    """
    return torch.stack([contrast(views[:, :d], target, silent, temperature, spread) for d in prefixes]).mean()

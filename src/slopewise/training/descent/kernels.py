"""Kernels of a descent's rows: the cost of a state with its gradient, and what the moments leave out of the targets."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from slopewise.training.descent.objective import BATCH_ROWS, RowLoss
from slopewise.types import Batch


class TargetProducts(NamedTuple):
    """products (2, 3) of [y, offset] with [y, offset, 1], summed over rows; float64."""

    products: Tensor


def target_products(batch: Batch, operands: None) -> TargetProducts:
    """Return the sums of one batch whose rows have an offset."""
    assert batch.y is not None
    target = batch.y.to(torch.float64)
    return TargetProducts(target.T @ torch.cat([target, target.new_ones(len(batch), 1)], dim=1))


class CostOperands(NamedTuple):
    """module: from x to what the loss takes, in evaluation mode."""

    module: nn.Module


class CostSums(NamedTuple):
    """loss () = Σ w · loss, weight () = Σ w, and the gradient (p,) of the first, or none (0,); float64."""

    loss: Tensor
    weight: Tensor
    gradient: Tensor


def cost_sums(batch: Batch, operands: CostOperands, *, loss: RowLoss, with_gradient: bool) -> CostSums:
    """Return the sums of one batch."""
    # a copy of its own, for threads beside this one would add to the same gradient
    module = copy.deepcopy(operands.module) if with_gradient else operands.module
    total = batch.x.new_zeros((), dtype=torch.float64)
    weight = total.clone()
    with torch.set_grad_enabled(with_gradient):
        for start in range(0, len(batch), BATCH_ROWS):
            x, y, w = (
                None if part is None else part[start : start + BATCH_ROWS] for part in (batch.x, batch.y, batch.w)
            )
            assert x is not None and y is not None
            losses = loss(module(x), y)
            cost = losses.sum() if w is None else (w * losses).sum()
            if with_gradient:
                cost.backward()  # type: ignore[no-untyped-call]
            total += cost.detach()
            weight += len(y) if w is None else w.sum()
    gradients = [
        (torch.zeros_like(part) if part.grad is None else part.grad).reshape(-1).to(torch.float64)
        for part in module.parameters()
        if part.requires_grad and with_gradient
    ]
    return CostSums(total, weight, torch.cat(gradients) if gradients else total.new_zeros(0))


def set_gradient(module: nn.Module, gradient: Tensor) -> None:
    """Write a gradient (p,) into that of the trainable parameters, where it lies: it may be a view of one for all."""
    at = 0
    for part in module.parameters():
        if part.requires_grad:
            own = gradient[at : at + part.numel()].view_as(part).to(part.dtype)
            at += part.numel()
            if part.grad is None:
                part.grad = own.clone()
            else:
                part.grad.copy_(own)

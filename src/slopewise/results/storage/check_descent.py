"""Whether the descent of a saved fit can be what it says: its plan, its history, and the sizes of both."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from slopewise.optimizers.parse import INITS
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.schedules import SCHEDULES
from slopewise.optimizers.torch_optimizers import OPTIMIZERS
from slopewise.results.record import FitRecord
from slopewise.results.storage.expect import expect, expect_choice, expect_shapes
from slopewise.solution import DescentRecord, SharpnessHistory, StartsReport


def check_descent(descent: DescentRecord, record: FitRecord) -> None:
    """Raise unless the plan has values that a plan may have, and the history the sizes of the fit.

    Args:
        descent: of the fit.
        record: of the fit.

    Raises:
        ValueError: a value is out of its range, is none of the choices, or a tensor has another shape.
    """
    width, q = len(record.theta), len(record.design.x_names)
    history, units = descent.history, descent.units
    rows = len(history.epoch) if history.epoch.dim() else 0
    _check_plan(descent.plan, width)
    expect(units.intercept == record.design.intercept or not record.is_solved, "units and design differ")
    expect(rows >= 1, "the history has no rows")
    expect_shapes({"history.epoch": (history.epoch, (rows,))}, torch.int64)
    wanted: dict[str, tuple[Tensor, tuple[int, ...]]] = {
        "units.mean": (units.mean, (q,)),
        "units.scale": (units.scale, (q,)),
        "start": (descent.start, (width,)),
        "norms": (descent.norms, (rows,)),
        "history.cost": (history.cost, (rows,)),
        "history.lr": (history.lr, (rows,)),
        "history.parameters": (history.parameters, (rows, width)),
        "history.gradient": (history.gradient, (rows, width)),
    }
    optional = {
        "history.validation": (history.validation, (rows,)),
        "history.optimum": (history.optimum, (width,)),
        "history.lowest": (history.lowest, ()),
    }
    wanted |= {name: (tensor, shape) for name, (tensor, shape) in optional.items() if tensor is not None}
    expect_shapes(wanted)
    expect(bool((history.epoch.diff() > 0).all()) and int(history.epoch[0]) >= 0, "the epochs are not in order")
    expect(0 <= descent.best_epoch <= descent.epochs, f"best_epoch is {descent.best_epoch} of {descent.epochs}")
    expect(int(history.epoch[-1]) <= descent.epochs, "the history goes beyond the epochs")
    expect(math.isfinite(descent.y_scale) and math.isfinite(descent.y_mean), "y_scale is not finite")
    if descent.starts is not None:
        _check_starts(descent.starts)
    if descent.sharpness is not None:
        _check_sharpness(descent.sharpness, set(history.epoch.tolist()))


def _check_plan(plan: DescentPlan, width: int) -> None:
    expect_choice("optimizer", plan.optimizer, OPTIMIZERS)
    expect_choice("schedule", plan.schedule.name, SCHEDULES)
    _check_options(plan.options, OPTIMIZERS[plan.optimizer].arguments)
    _check_options(plan.schedule.options, SCHEDULES[plan.schedule.name].arguments)
    expect(plan.has_lr and plan.lr >= 0, "the plan has no learning rate")
    expect(plan.epochs >= 0 and plan.history_every >= 0, f"epochs is {plan.epochs}, of which {plan.history_every}")
    expect(plan.batch_size is None or plan.batch_size >= 1, f"batch_size is {plan.batch_size}")
    expect_choice("dtype", plan.dtype, ("float64", "float32"))
    if isinstance(plan.init, str):
        expect_choice("init", plan.init, (*INITS, "fit"))  # fit: the numbers of another one, by a warm start
    else:
        expect(len(plan.init) == width, f"init has {len(plan.init)} values for {width} parameters")
    expect_choice("monitor", plan.stopping.monitor, ("train", "validation"))
    expect(plan.stopping.patience is None or plan.stopping.patience >= 0, "patience is negative")


def _check_options(options: Mapping[str, object], known: Mapping[str, object]) -> None:
    """Check options by torch's defaults: a boolean where there is one, two numbers for two, else a number."""
    for word, value in options.items():
        expect_choice("option", word, known)
        default = known[word]
        if isinstance(default, tuple):
            expect(isinstance(value, tuple | list) and len(value) == len(default), f"{word} is {value!r}")
            expect(all(map(_is_number, value)), f"{word} is {value!r}")  # type: ignore[call-overload]
        elif isinstance(default, bool):
            expect(isinstance(value, bool), f"{word} is {value!r}, not true or false")
        else:
            expect(_is_number(value), f"{word} is {value!r}, not a number")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_starts(starts: StartsReport) -> None:
    expect(0 <= starts.best < starts.count, f"best is {starts.best} of {starts.count} starts")
    expect(0 <= starts.solved <= starts.count, f"solved is {starts.solved} of {starts.count} starts")
    expect(all(-(2**63) <= seed < 2**64 for seed in starts.seeds), "a seed is too large")
    expect_shapes({"starts.cost": (starts.cost, (starts.count,))})


def _check_sharpness(sharpness: SharpnessHistory, epochs: set[int]) -> None:
    rows = len(sharpness.epoch) if sharpness.epoch.dim() else 0
    expect_shapes({"sharpness.epoch": (sharpness.epoch, (rows,))}, torch.int64)
    expect_shapes({"sharpness": (sharpness.eigenvalue, (rows,)), "sharpness.lr": (sharpness.lr, (rows,))})
    expect(set(sharpness.epoch.tolist()) <= epochs, "sharpness was measured in epochs that the history lacks")

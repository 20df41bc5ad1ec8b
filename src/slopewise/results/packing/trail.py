"""The descent behind a fit as plain values and named tensors, and back."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from torch import Tensor

from slopewise.optimizers.descent import Descent, Schedule, Stopping
from slopewise.results.covariance import Covariance
from slopewise.results.trail import Trail
from slopewise.solution import Descended, History, Solution, Status
from slopewise.training.units import Units

HISTORY = ("epoch", "cost", "parameters", "gradient", "lr")
KNOWN_SOMETIMES = ("validation", "optimum", "lowest")


def pack_trail(trail: Trail) -> dict[str, Any]:
    """Return everything of a trail that is no tensor."""
    descended = trail.descended
    return {
        "plan": dataclasses.asdict(trail.plan),
        "road": trail.road,
        "status": descended.status.name,
        "evidence": descended.evidence,
        "advice": descended.advice,
        "epochs": descended.epochs,
        "best_epoch": descended.best_epoch,
        "seconds": descended.seconds,
        "largest_lr": None if math.isnan(trail.largest_lr) else trail.largest_lr,
        "exact": None if trail.exact is None else {"status": trail.exact.status.name, "passes": trail.exact.passes},
        "errors": None if trail.scatter is None else trail.scatter.kind,
    }


def trail_tensors(trail: Trail) -> dict[str, Tensor]:
    """Return the tensors of a trail, by name."""
    history = trail.history
    tensors = {
        "trail.start": trail.start,
        "trail.theta": trail.descended.theta,
        "trail.mean": trail.units.mean,
        "trail.scale": trail.units.scale,
        **{f"history.{name}": getattr(history, name) for name in HISTORY},
    }
    for name in KNOWN_SOMETIMES:
        value = getattr(history, name)
        if value is not None:
            tensors[f"history.{name}"] = value
    if trail.exact is not None and trail.scatter is not None:
        tensors |= {
            "exact.theta": trail.exact.theta,
            "exact.digits": trail.exact.digits,
            "exact.rss": trail.exact.rss,
            "exact.covariance": trail.scatter.raw,
            "exact.inner": trail.scatter.inner,
        }
    return tensors


def unpack_trail(header: dict[str, Any], tensors: dict[str, Tensor], solution: Solution) -> Trail:
    """Return the trail that was taken apart; `solution` is the fit's, whose moments and factor it shares.

    Raises:
        KeyError, TypeError, ValueError: something is missing or does not fit the rest.
    """
    p, rows = len(solution.theta), len(tensors["history.epoch"])
    for name, shape in (("parameters", (rows, p)), ("gradient", (rows, p)), ("cost", (rows,)), ("lr", (rows,))):
        if tuple(tensors[f"history.{name}"].shape) != shape:
            raise ValueError(f"tensor history.{name} is {tuple(tensors[f'history.{name}'].shape)}, not {shape}")
    history = History(
        epoch=tensors["history.epoch"],
        cost=tensors["history.cost"],
        parameters=tensors["history.parameters"],
        gradient=tensors["history.gradient"],
        lr=tensors["history.lr"],
        validation=tensors.get("history.validation"),
        optimum=tensors.get("history.optimum"),
        lowest=tensors.get("history.lowest"),
    )
    exact, scatter = None, None
    if header["exact"] is not None:
        exact = dataclasses.replace(
            solution,
            theta=tensors["exact.theta"],
            digits=tensors["exact.digits"],
            rss=tensors["exact.rss"],
            status=Status[header["exact"]["status"]],
            passes=int(header["exact"]["passes"]),
        )
        scatter = Covariance(str(header["errors"]), tensors["exact.covariance"], tensors["exact.inner"])
    return Trail(
        plan=plan_from(header["plan"]),
        road=str(header["road"]),
        units=Units(tensors["trail.mean"], tensors["trail.scale"], solution.factor.intercept),
        start=tensors["trail.start"],
        descended=Descended(
            theta=tensors["trail.theta"],
            status=Status[header["status"]],
            evidence=str(header["evidence"]),
            advice=str(header["advice"]),
            history=history,
            epochs=int(header["epochs"]),
            best_epoch=int(header["best_epoch"]),
            seconds=float(header["seconds"]),
        ),
        exact=exact,
        scatter=scatter,
        largest_lr=math.nan if header["largest_lr"] is None else float(header["largest_lr"]),
    )


def plan_from(stored: dict[str, Any]) -> Descent:
    """Return the plan that `dataclasses.asdict` described."""
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in stored["options"].items()}
    init = stored["init"] if isinstance(stored["init"], str) else tuple(stored["init"])
    parts = {"schedule": Schedule(**stored["schedule"]), "stopping": Stopping(**stored["stopping"])}
    return Descent(**{**stored, **parts, "options": options, "init": init})

"""The descent behind a fit as plain values and named tensors, and back."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from torch import Tensor

from slopewise.optimizers.plan import DescentPlan, Schedule, Stopping
from slopewise.results.descent_record import DescentRecord
from slopewise.results.inference.covariance import Covariance
from slopewise.solution import Descended, History, Solution, Status
from slopewise.training.moments.standardize import Standardization

HISTORY = ("epoch", "cost", "parameters", "gradient", "lr")
KNOWN_SOMETIMES = ("validation", "optimum", "lowest")


def pack_descent(descent: DescentRecord) -> dict[str, Any]:
    """Return everything of a trail that is no tensor."""
    descended = descent.descended
    return {
        "plan": dataclasses.asdict(descent.plan),
        "solver": descent.road,
        "status": descended.status.name,
        "evidence": descended.evidence,
        "advice": descended.advice,
        "epochs": descended.epochs,
        "best_epoch": descended.best_epoch,
        "seconds": descended.seconds,
        "largest_lr": None if math.isnan(descent.largest_lr) else descent.largest_lr,
        "exact": None
        if descent.exact is None
        else {"status": descent.exact.status.name, "passes": descent.exact.passes},
        "cov_type": None if descent.scatter is None else descent.scatter.kind,
    }


def descent_tensors(descent: DescentRecord) -> dict[str, Tensor]:
    """Return the tensors of a trail, by name."""
    history = descent.history
    tensors = {
        "trail.start": descent.start,
        "trail.theta": descent.descended.theta,
        "trail.mean": descent.units.mean,
        "trail.scale": descent.units.scale,
        **{f"history.{name}": getattr(history, name) for name in HISTORY},
    }
    for name in KNOWN_SOMETIMES:
        value = getattr(history, name)
        if value is not None:
            tensors[f"history.{name}"] = value
    if descent.exact is not None and descent.scatter is not None:
        tensors |= {
            "exact.theta": descent.exact.theta,
            "exact.digits": descent.exact.digits,
            "exact.rss": descent.exact.rss,
            "exact.covariance": descent.scatter.raw,
            "exact.inner": descent.scatter.inner,
        }
    return tensors


def unpack_descent(header: dict[str, Any], tensors: dict[str, Tensor], solution: Solution) -> DescentRecord:
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
        scatter = Covariance(str(header["cov_type"]), tensors["exact.covariance"], tensors["exact.inner"])
    return DescentRecord(
        plan=plan_from(header["plan"]),
        road=str(header["solver"]),
        units=Standardization(tensors["trail.mean"], tensors["trail.scale"], solution.factor.intercept),
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


def plan_from(stored: dict[str, Any]) -> DescentPlan:
    """Return the plan that `dataclasses.asdict` described."""
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in stored["options"].items()}
    init = stored["init"] if isinstance(stored["init"], str) else tuple(stored["init"])
    parts = {"schedule": Schedule(**stored["schedule"]), "stopping": Stopping(**stored["stopping"])}
    return DescentPlan(**{**stored, **parts, "options": options, "init": init})

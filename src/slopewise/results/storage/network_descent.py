"""The training behind a network as plain values and named tensors, and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from slopewise.optimizers.plan import DescentPlan
from slopewise.results.network_record import NetworkRecord, StartsReport
from slopewise.solution import Descended, History, Status
from slopewise.training.network.plateaus import Plateau
from slopewise.training.network.sharpness import SharpnessHistory

HISTORY = ("epoch", "cost", "lr")
SHARPENING = ("epoch", "eigenvalue", "lr")


def pack_network_descent(descent: NetworkRecord) -> dict[str, Any]:
    """Return everything of a network's training that is no tensor."""
    descended = descent.descended
    return {
        "plan": dataclasses.asdict(descent.plan),
        "status": descended.status.name,
        "evidence": descended.evidence,
        "advice": descended.advice,
        "epochs": descended.epochs,
        "best_epoch": descended.best_epoch,
        "cost": descended.cost,
        "starts": None if descent.starts is None else _starts(descent.starts),
    }


def network_descent_tensors(descent: NetworkRecord) -> dict[str, Tensor]:
    """Return its tensors, by name; of many parameters only the state kept, not those of the epochs before it."""
    history = descent.history
    tensors = {
        "trail.theta": descent.descended.theta,
        "trail.start": descent.start,
        "history.norms": descent.norms,
        **{f"history.{name}": getattr(history, name) for name in HISTORY},
    }
    if history.validation is not None:
        tensors["history.validation"] = history.validation
    if descent.listed:
        tensors |= {"history.parameters": history.parameters, "history.gradient": history.gradient}
    if descent.starts is not None:
        tensors["starts.cost"] = descent.starts.cost
    if descent.sharpness_history is not None:
        tensors |= {f"sharpening.{name}": getattr(descent.sharpness_history, name) for name in SHARPENING}
    return tensors


def unpack_network_descent(
    header: Mapping[str, Any], tensors: Mapping[str, Tensor], plan: DescentPlan, numbers: Mapping[str, float]
) -> NetworkRecord:
    """Return the training that was taken apart; numbers: seconds, largest_lr and constant.

    Raises:
        KeyError, TypeError, ValueError: something is missing or does not fit the rest.
    """
    descended = Descended(
        theta=tensors["trail.theta"],
        status=Status[header["status"]],
        evidence=str(header["evidence"]),
        advice=str(header["advice"]),
        history=_history(tensors, len(tensors["theta"])),
        epochs=int(header["epochs"]),
        best_epoch=int(header["best_epoch"]),
        seconds=numbers["seconds"],
        cost=header.get("cost"),
    )
    return NetworkRecord(
        plan=plan,
        start=tensors["trail.start"],
        descended=descended,
        norms=tensors["history.norms"],
        largest_lr=numbers["largest_lr"],
        null_cost=numbers["null_cost"],
        starts=None if header["starts"] is None else _starts_from(header["starts"], tensors["starts.cost"]),
        sharpness_history=_sharpness_history(tensors),
    )


def _sharpness_history(tensors: Mapping[str, Tensor]) -> SharpnessHistory | None:
    if "sharpening.epoch" not in tensors:
        return None
    return SharpnessHistory(*(tensors[f"sharpening.{name}"] for name in SHARPENING))


def _history(tensors: Mapping[str, Tensor], p: int) -> History:
    rows = len(tensors["history.epoch"])
    unknown = torch.full((1, 1), torch.nan, dtype=torch.float64).expand(rows, p)
    return History(
        **{name: tensors[f"history.{name}"] for name in HISTORY},
        parameters=tensors.get("history.parameters", unknown),
        gradient=tensors.get("history.gradient", unknown),
        validation=tensors.get("history.validation"),
    )


def _starts(starts: StartsReport) -> dict[str, Any]:
    plateaus = [[*dataclasses.astuple(plateau)] for plateau in starts.plateaus if not plateau.diverged]
    diverged = sum(plateau.count for plateau in starts.plateaus if plateau.diverged)
    parts = {"solved": starts.solved, "rule": starts.rule, "best": starts.best, "seeds": list(starts.seeds)}
    return {**parts, "plateaus": plateaus, "diverged": diverged}


def _starts_from(stored: dict[str, Any], cost: Tensor) -> StartsReport:
    plateaus = [Plateau(*plateau) for plateau in stored["plateaus"]]
    if stored["diverged"]:
        plateaus.append(Plateau(stored["diverged"], math.nan, math.nan, 0, diverged=True))
    return StartsReport(
        solved=int(stored["solved"]),
        rule=str(stored["rule"]),
        plateaus=tuple(plateaus),
        best=int(stored["best"]),
        seeds=tuple(int(seed) for seed in stored["seeds"]),
        cost=cost,
    )

"""A fit of classes as a JSON header and named tensors, and back."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from slopewise.data.design import Design
from slopewise.results.classifier import Classifier
from slopewise.results.inference.covariance import Covariance
from slopewise.results.metrics.classification import ClassMetrics
from slopewise.results.report.classification_to_dict import measured, to_dict
from slopewise.results.storage.moments import moment_tensors, moments_from
from slopewise.solution import Basis, Maximum, Status

CURVATURE = ("mean", "scale", "r_inverse", "inner")


def pack_classes(fit: Classifier) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the header, plain JSON values, and the tensors of a fit of classes."""
    found, moments = fit.maximum, fit.maximum.moments
    header = {
        "kind": "classes",
        "model": fit.model,
        "design": fit.design.to_dict(),
        "solver": fit.solver,
        "reason": fit.reason,
        "status": found.status.name,
        "evidence": found.evidence,
        "advice": found.advice,
        "counts": list(found.counts),
        "passes": found.passes,
        "cov_type": None if fit.uncertainty is None else fit.uncertainty.kind,
        "library": fit.library,
        "n": moments.n,
        "dropped": moments.dropped,
        "missing": moments.missing,
        "train": measured(fit.train),
        "test": measured(fit.test) if fit.test else None,
        "findings": list(fit.findings),
        "result": to_dict(fit),
    }
    numbers = [found.loss, found.null_loss, found.penalty, found.decrement, fit.confidence_level, fit.l2, fit.l1]
    numbers += [moments.weight, moments.lost, moments.log_weight]
    tensors = {"theta": found.theta, "numbers": torch.tensor(numbers, dtype=torch.float64)}
    tensors |= moment_tensors(moments)
    if found.basis is not None:
        tensors |= {f"curvature.{name}": getattr(found.basis, name) for name in CURVATURE}
    if fit.uncertainty is not None:
        tensors |= {"covariance": fit.uncertainty.raw, "covariance.inner": fit.uncertainty.inner}
    if fit.class_weights is not None:
        tensors["class_weights"] = torch.tensor(fit.class_weights, dtype=torch.float64)
    return header, tensors


def unpack_classes(header: dict[str, Any], tensors: dict[str, Tensor]) -> Classifier:
    """Return the fit that `pack_classes` took apart.

    Raises:
        KeyError, TypeError, ValueError: something is missing or does not fit the rest.
    """
    design = Design.from_dict(header["design"])
    p, outputs = len(design.names), max(len(design.target_levels) - 1, 1)
    wanted = (p,) if outputs == 1 else (p, outputs)
    if tuple(tensors["theta"].shape) != wanted:
        raise ValueError(f"tensor theta is {tuple(tensors['theta'].shape)}, not {wanted}")
    loss, null_loss, penalty, decrement, confidence_level, l2, l1, weight, lost, log_weight = tensors[
        "numbers"
    ].tolist()
    moments = moments_from(header, tensors, weight=weight, lost=lost, log_weight=log_weight)
    basis = None
    if "curvature.mean" in tensors:
        parts = {name: tensors[f"curvature.{name}"] for name in CURVATURE}
        basis = Basis(**parts, intercept=design.intercept, outputs=outputs)
    maximum = Maximum(
        theta=tensors["theta"],
        status=Status[header["status"]],
        evidence=str(header["evidence"]),
        advice=str(header["advice"]),
        loss=loss,
        null_loss=null_loss,
        penalty=penalty,
        counts=tuple(int(count) for count in header["counts"]),
        decrement=decrement,
        passes=int(header["passes"]),
        moments=moments,
        basis=basis,
    )
    uncertainty = None
    if header["cov_type"] is not None:
        uncertainty = Covariance(str(header["cov_type"]), tensors["covariance"], tensors["covariance.inner"])
    return Classifier(
        design=design,
        model=str(header["model"]),
        maximum=maximum,
        uncertainty=uncertainty,
        solver=str(header["solver"]),
        reason=str(header["reason"]),
        confidence_level=confidence_level,
        l2=l2,
        l1=l1,
        library=str(header["library"]),
        known_train=metrics_from(header["train"]),
        known_test=metrics_from(header["test"]) if header["test"] is not None else None,
        findings=tuple(header["findings"]),
        class_weights=tuple(tensors["class_weights"].tolist()) if "class_weights" in tensors else None,
    )


def metrics_from(stored: dict[str, Any]) -> ClassMetrics:
    """Return the metrics that `measured` described."""
    return ClassMetrics(
        n=int(stored["n"]),
        accuracy=_number(stored["accuracy"]),
        log_loss=_number(stored["log_loss"]),
        brier=_number(stored["brier"]),
        auc=_number(stored["auc"]),
        precision=tuple(map(_number, stored["precision"])),
        recall=tuple(map(_number, stored["recall"])),
        f1=tuple(map(_number, stored["f1"])),
        confusion=tuple(tuple(map(float, row)) for row in stored["confusion"]),
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)

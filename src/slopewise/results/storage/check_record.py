"""Whether the parts of a saved fit belong together: choices, ranges, and the shapes of tensors.

`codec` has made each field of its type before; nothing here trusts what the file says of itself.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from slopewise.data.design import MISSING, Design, Feature
from slopewise.losses.loss import Loss
from slopewise.losses.registry import REGISTRY
from slopewise.models.linear import Linear
from slopewise.models.mlp import MLP
from slopewise.results.inference.covariance import COV_TYPES
from slopewise.results.record import ClassificationMetrics, Covariance, CsvRows, FitRecord, Origin
from slopewise.results.storage.check_descent import check_descent
from slopewise.results.storage.expect import expect, expect_choice, expect_shapes
from slopewise.solution import Moments, Solution
from slopewise.training.registry import SOLVERS

SEEDS = range(-(2**63), 2**64)
"""What torch.manual_seed takes."""


def check_record(record: FitRecord) -> None:
    """Raise unless every part of the record can be what it says.

    Raises:
        ValueError: a part is out of its range, is none of the choices, or does not have the size of the others.
    """
    q, k = len(record.design.x_names), len(record.class_names)
    outputs = max(k - 1, 1)
    _check_design(record.design)
    _check_loss(record.loss, k)
    _check_model(record, q, outputs)
    _check_solution(record.solution, record, q, outputs)
    expect(record.solution.moments is not None, "the solution has no moments")
    _check_moments(record.moments, q)
    expect(record.covariance is None or record.solution.basis is not None, "there is a covariance and no basis")
    for name, covariance in (("covariance", record.covariance), ("exact_covariance", record.exact_covariance)):
        if covariance is not None:
            width = len(record.design.names) * (outputs if name == "covariance" else 1)
            _check_covariance(name, covariance, width)
    if record.descent is not None:
        check_descent(record.descent, record)
        expect(record.descent.plan.seed in SEEDS, "the seed of the plan is too large")
        if record.descent.exact is not None:
            _check_solution(record.descent.exact, record, q, 1, exact=True)
    _check_solver(record)
    expect_choice("cov_type", record.cov_type, COV_TYPES)
    expect(0 < record.confidence_level < 1, f"confidence_level is {record.confidence_level}")
    for name, value in (("l2", record.l2), ("l1", record.l1)):
        expect(math.isfinite(value) and value >= 0, f"{name} is {value}")
    for name, metrics in (("train", record.train), ("test", record.test), ("validation", record.validation)):
        if metrics is not None:
            _check_metrics(name, metrics, k)
    for finding in record.findings:
        _check_finding(finding)
    if record.origin is not None:
        _check_origin(record.origin, record.design, q)


def _check_design(design: Design) -> None:
    names = [feature.name for feature in design.features]
    expect(len(set(names)) == len(names), "two features have one name")
    expect(bool(names) or design.intercept, "there is neither a feature nor an intercept")
    expect_choice("missing", design.missing, MISSING)
    for feature in design.features:
        _check_feature(feature)
    levels = design.target_levels
    expect(len(set(levels)) == len(levels) and len(levels) != 1, "target_levels are no classes")


def _check_feature(feature: Feature) -> None:
    levels, fill = feature.levels, feature.fill
    if feature.kind == "category":
        expect(bool(levels) and len(set(levels)) == len(levels), f"the levels of {feature.name!r} are not distinct")
        expect(fill is None or fill in levels, f"the fill of {feature.name!r} is {fill!r}, which is none of its levels")
        return
    expect(not levels, f"{feature.name!r} has levels and is no category")
    expect(fill is None or not isinstance(fill, str), f"the fill of {feature.name!r} is {fill!r}, which is no number")


def _check_loss(loss: Loss, k: int) -> None:
    needed = getattr(loss, "n_classes", 0)
    expect(needed == k, f"the loss is of {needed} classes and the target has {k}")
    weights = getattr(loss, "class_weights", None)
    expect(weights is None or len(weights) == k, "class_weights are not one a class")
    expect(weights is None or all(math.isfinite(each) and each >= 0 for each in weights), "a class weight is negative")


def _check_solver(record: FitRecord) -> None:
    expect_choice("solver", record.solver, SOLVERS)
    kind = SOLVERS[record.solver].kind
    expect((kind == "descent") == (record.descent is not None), f"the solver is {record.solver!r}, a descent or none")
    if kind == "descent":
        expect(not record.is_solved or record.loss.name == "squared", "a descent does not solve this loss")
    else:
        expect_choice("solver", record.solver, REGISTRY[record.loss.name].solvers)
        l1 = record.solver == "coordinate_descent"
        expect(l1 or not record.l1, f"{record.solver} takes no L1 penalty")


def _check_model(record: FitRecord, q: int, outputs: int) -> None:
    model = record.model
    if isinstance(model, Linear):
        expect(model.intercept == record.design.intercept, "model and design differ in the intercept")
        expect(len(model.names) in (0, len(record.design.names)), "model and design differ in the parameters")
    else:
        expect(record.descent is not None, "a network has no descent")
        width = model.count if isinstance(model, MLP) else len(model.parameter_names)
        expect_shapes({"theta": (record.theta, (width,))})
        if isinstance(model, MLP):
            expect((model.inputs, model.outputs) == (q, outputs), "the sizes of the network are not those of the data")
            expect(len(model.hidden) <= width, "the network has more layers than parameters")


def _check_solution(solution: Solution, record: FitRecord, q: int, outputs: int, *, exact: bool = False) -> None:
    """Check the solution of a fit, or, `exact`, the one that its descent goes towards."""
    p = len(record.design.names)
    d = p * outputs
    wanted: dict[str, tuple[Tensor, tuple[int, ...]]] = {}
    if exact or record.is_solved:
        wanted["theta"] = (solution.theta, (p,) if outputs == 1 else (p, outputs))
    if solution.digits is not None:
        wanted["digits"] = (solution.digits, (p,))
    basis = solution.basis
    if basis is not None:
        wanted |= {"basis.r_inverse": (basis.r_inverse, (d, d)), "basis.inner": (basis.inner, (d, d))}
        wanted |= {"basis.scale": (basis.scale, (q,)), "basis.mean": (basis.mean, (q,))}
        expect((basis.intercept, basis.outputs) == (record.design.intercept, outputs), "basis and design differ")
    for each in solution.nuisance:
        expect_choice("nuisance", each.name, ("scale", "alpha"))
        if each.cross is not None:
            wanted["nuisance.cross"] = (each.cross, (d,))
    expect_shapes(wanted)
    expect(solution.passes >= 0, f"passes is {solution.passes}")
    expect(len(solution.counts) in (0, len(record.class_names)), "counts are not one a class")
    expect(all(count >= 0 for count in solution.counts), "a count is negative")
    if solution.moments is not None:
        _check_moments(solution.moments, q)


def _check_moments(moments: Moments, q: int) -> None:
    expect(moments.n >= 1 and moments.dropped >= 0, f"n is {moments.n} and dropped {moments.dropped}")
    expect(all(count >= 0 for count in moments.missing), "a count of missing values is negative")
    wanted: dict[str, tuple[Tensor, tuple[int, ...]]] = {
        "moments.mean": (moments.mean, (q,)),
        "moments.y_mean": (moments.y_mean, ()),
        "moments.gram": (moments.gram, (q, q)),
        "moments.xy": (moments.xy, (q,)),
        "moments.yy": (moments.yy, ()),
        "moments.shift": (moments.shift, (q + 1,)),
        "moments.offset": (moments.offset, (q + 1,)),
    }
    expect_shapes(wanted)


def _check_covariance(name: str, covariance: Covariance, d: int) -> None:
    expect_choice(f"{name}.kind", covariance.kind, COV_TYPES)
    expect_shapes({name: (covariance.raw, (d, d)), f"{name}.inner": (covariance.inner, (d, d))})
    expect(covariance.clusters >= 0, f"{name}.clusters is {covariance.clusters}")
    expect(covariance.lags is None or covariance.lags >= 0, f"{name}.lags is {covariance.lags}")


def _check_metrics(name: str, metrics: Any, k: int) -> None:
    expect(metrics.n >= 0, f"{name}.n is {metrics.n}")
    classes = isinstance(metrics, ClassificationMetrics)
    expect(classes == bool(k), f"the metrics {name} are not of this kind of target")
    if classes:
        sizes = {len(part) for part in (metrics.precision, metrics.recall, metrics.f1, metrics.confusion)}
        expect(sizes | {len(line) for line in metrics.confusion} == {k}, f"the metrics {name} are not one a class")


def _check_finding(finding: dict[str, Any]) -> None:
    """Check the plain values of a finding of the doctor."""
    expect(finding.keys() == {"code", "severity", "what", "number", "cause", "fix"}, "a finding has other parts")
    expect(all(isinstance(finding[part], str) for part in ("code", "what", "cause", "fix")), "a finding is no text")
    expect_choice("severity", finding["severity"], ("error", "warning", "note"))
    number = finding["number"]
    expect(isinstance(number, dict) and number.keys() == {"value", "words"}, "a finding has no number")
    value = number["value"]
    expect(value is None or type(value) in (int, float), f"the number of a finding is {value!r}")
    expect(isinstance(number["words"], str), "the number of a finding has no words")


def _check_origin(origin: Origin, design: Design, q: int) -> None:
    if isinstance(origin, CsvRows):
        expect(bool(origin.delimiter) and "\n" not in origin.delimiter, f"the delimiter is {origin.delimiter!r}")
        expect_choice("decimal", origin.decimal, (".", ","))
        expect(origin.split.seed in SEEDS, "the seed of the split is too large")
        return
    n = len(origin.x)
    wanted = {"origin.x": (origin.x, (n, q)), "origin.y": (origin.y, (n,))}
    expect((origin.w is None) == (design.weights is None), "the rows and the design differ in the weights")
    expect((origin.offset is None) == (not (design.offset or design.exposure)), "rows and design differ in the offset")
    wanted |= {"origin.w": (origin.w, (n,))} if origin.w is not None else {}
    wanted |= {"origin.offset": (origin.offset, (n,))} if origin.offset is not None else {}
    expect_shapes(wanted)

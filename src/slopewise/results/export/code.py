"""A fit as a plain PyTorch script: the five stages, the same numbers, and nothing else to install."""

from __future__ import annotations

from collections.abc import Iterator

from slopewise.errors import check_choice
from slopewise.results.export.assemble import STYLES, joined, opening
from slopewise.results.export.data_origin import known_origin
from slopewise.results.export.data_stage import rows_text, units_text
from slopewise.results.export.likelihood_stages import likelihood_text
from slopewise.results.export.model_stage import answer, loss, model, solved
from slopewise.results.export.script import Script, check_script
from slopewise.results.export.training_stage import optimizer, training
from slopewise.results.record import DataHandles, FitRecord, Origin

METHODS = {
    "newton": "with Newton's method",
    "lbfgs": "with L-BFGS",
    "firth": "with Firth's penalty",
    "coordinate_descent": "with an L1 penalty",
    "interior_point": "as a linear program",
}


def code(record: FitRecord, data: DataHandles | None, style: str = "plain") -> str:
    """Return plain PyTorch that reproduces a fit.

    Args:
        record: of the fit.
        data: the rows that can still be read, None after loading.
        style: `plain`, with tensors or an nn.Sequential, or `class`, with an nn.Module.

    Raises:
        OptionError: the style is not known; the training rows are neither one plain CSV file nor few enough to be
            written out; a start or a module that cannot be written out.
    """
    check_choice("style", style, STYLES)
    origin = known_origin(record, data)
    if not record.is_solved:
        from slopewise.results.export.network import network_code

        return network_code(record, origin, style)
    return script_text(script_of(record, origin), style)


def script_of(record: FitRecord, origin: Origin) -> Script:
    """Return what the script of a fit that was solved says."""
    descent, squared = record.descent, record.loss.name == "squared"
    return Script(
        design=record.design,
        rows=origin,
        plan=None if descent is None else descent.plan,
        init=() if descent is None else tuple(descent.start.tolist()),
        epochs=0 if descent is None else descent.best_epoch,
        l2=record.l2,
        l1=record.l1,
        constant=bool((record.moments.gram.diagonal() == 0).any()),
        loss=record.loss,
        solver=record.solver if record.l1 or not squared else "",
        class_weights=record.class_weights,
        estimated=" and ".join(nuisance.name for nuisance in record.solution.nuisance),
    )


def script_text(script: Script, style: str = "plain") -> str:
    """Return the script as text.

    Args:
        script: what was fitted, and how.
        style: `plain`, with tensors W and b, or `class`, with an nn.Module around nn.Linear.

    Raises:
        OptionError: the style is not known, or `check_script` finds the script impossible.
    """
    as_class = check_choice("style", style, STYLES) == "class"
    check_script(script)
    return joined(_parts(script, as_class))


def _parts(script: Script, as_class: bool) -> Iterator[str]:
    """Yield the parts of the script in order; a function or class is a part of its own."""
    yield from opening(script, _title(script))
    if script.standardized or not script.single:
        yield "torch.set_default_dtype(torch.float64)"
    yield from rows_text(script)
    yield from units_text(script)
    if script.solver:
        yield from likelihood_text(script, as_class)
        return
    yield from model(script, as_class)
    yield from loss(script, as_class)
    if script.plan is None:
        yield solved(script, as_class)
    else:
        yield optimizer(script, script.plan, as_class)
        yield from training(script, script.plan)
    yield answer(script, as_class)


def _title(script: Script) -> str:
    if script.solver:
        return f"{script.loss.title} {METHODS[script.solver]}"
    return "A linear model " + ("trained by gradient descent" if script.plan else "solved exactly")

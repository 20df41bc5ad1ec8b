"""The fit of a network as a plain PyTorch script: the five stages, the same numbers, and nothing else to install."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from slopewise.errors import OptionError, check_choice
from slopewise.models.activations import activation
from slopewise.models.mlp import MLP
from slopewise.models.torch_module import Module
from slopewise.results.export.code import STYLES, joined, opening
from slopewise.results.export.data_origin import known_origin
from slopewise.results.export.data_stage import new_text, rows_text, units_text
from slopewise.results.export.loss_stage import loss_text
from slopewise.results.export.script import MOST_INLINE, Script, assigned
from slopewise.results.export.torch_module import ModuleSource, module_source
from slopewise.results.export.training_stage import optimizer, training

if TYPE_CHECKING:
    from slopewise.results.network import NetworkFit

CLASS = '''
# 2 model: {words}
class Network(torch.nn.Module):
    """Layers with an activation between each two of them."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
{layers}
        )

    def forward(self, X):
        return self.layers(X)
'''


def network_code(fit: NetworkFit, style: str = "plain") -> str:
    """Return the script as text.

    Args:
        fit: the fit.
        style: `plain`, with an nn.Sequential, or `class`, with an nn.Module around it.

    Raises:
        OptionError: the rows are neither one plain CSV file nor few enough to be written out; a start that is neither
            torch's own nor short enough to be written out; a module that `module.written` cannot write.
    """
    as_class = check_choice("style", style, STYLES) == "class"
    own = None if isinstance(fit.model, MLP) else _own(fit)
    return joined(_parts(fit, _script(fit), as_class, own))


def _own(fit: NetworkFit) -> ModuleSource:
    assert isinstance(fit.model, Module)
    return module_source(fit.model.inner, len(fit.design.x_names))


def _script(fit: NetworkFit) -> Script:
    return Script(
        design=fit.design,
        rows=known_origin(fit),
        plan=fit.descent.plan,
        epochs=fit.descent.descended.best_epoch,
        l2=fit.l2,
        constant=bool((fit.units.scale == 1).any()),
    )


def _parts(fit: NetworkFit, script: Script, as_class: bool, own: ModuleSource | None) -> Iterator[str]:
    title = f"A network for {fit.design.target!r}".replace("\\", "/")
    yield from opening(script, title, () if own is None else own.lines)
    yield "torch.set_default_dtype(torch.float64)"
    yield from rows_text(script)
    if _scaled(fit):
        mean = ["y_mean = (w * Y).mean()", "y_std = (w * (Y - y_mean) ** 2).mean().sqrt()"]
        plain = ["y_mean, y_std = Y.mean(), Y.std(correction=0)"]
        lines = ["# the target too gets mean 0 and standard deviation 1", *(mean if fit.design.weights else plain)]
        yield "\n".join([*lines, "Y = (Y - y_mean) / y_std"])
    yield from units_text(script)
    if script.single and not script.standardized:
        names = ("X", "Y", "w") if fit.design.weights else ("X", "Y")
        yield f"{', '.join(names)} = {', '.join(f'{name}.float()' for name in names)}"
    if own is None:
        assert isinstance(fit.model, MLP)
        yield from _layers(fit, fit.model, as_class)
    else:
        yield from _module(fit, own)
    yield from _loss(fit)
    yield optimizer(script, fit.descent.plan, as_class=True)
    if own is not None or (isinstance(fit.model, MLP) and fit.model.dropout):
        yield f"torch.manual_seed({fit.descent.plan.seed})  # for what is drawn in training, as by dropout"
    yield from training(script, fit.descent.plan)
    yield _answer(fit, script)


def _scaled(fit: NetworkFit) -> bool:
    return (fit.y_mean, fit.y_scale) != (0.0, 1.0)


def _module(fit: NetworkFit, own: ModuleSource) -> Iterator[str]:
    """Yield stage 2 with a module of the user's own; after it, `model` exists, at the start of the descent."""
    yield from own.classes.values()
    single = fit.dtype == torch.float32
    lines = [f"# 2 model: {fit.words}", f"model = {own.made}{'.float()' if single else ''}"]
    yield "\n".join([*lines, *_start(fit, single)])


def _start(fit: NetworkFit, single: bool) -> list[str]:
    """Return the lines that put a start into the model that is written out as numbers."""
    if fit.starts is not None or len(fit.descent.start) > MOST_INLINE:
        raise OptionError(
            f"a start by init {fit.descent.plan.init!r} is written out as numbers, and these are too many "
            f"({MOST_INLINE} at most); fit with init='torch' and no other start, which a script draws again."
        )
    numbers = [repr(value) for value in fit.descent.start.tolist()]
    lines = [assigned("start = torch.tensor(", numbers, ")"), "with torch.no_grad():"]
    lines.append("    torch.nn.utils.vector_to_parameters(start, model.parameters())")
    return [*lines, *["model.float()"] * single]


def _layers(fit: NetworkFit, model: MLP, as_class: bool) -> Iterator[str]:
    """Yield stage 2; after it, `model` exists, at the start of the descent."""
    layers: list[str] = []
    for out, before in model.shapes:
        layers.append(f"torch.nn.Linear({before}, {out}, dtype=torch.float32),")
        layers.append(f"torch.nn.{type(activation(model.activation).module()).__name__}(),")
        layers += [f"torch.nn.Dropout({model.dropout!r}),"] * bool(model.dropout)
    layers = layers[: -1 - bool(model.dropout)]
    seed = fit.descent.plan.seed if fit.starts is None else fit.starts.seeds[fit.starts.best]
    drawn = fit.descent.plan.init == "torch"
    start = [f"torch.manual_seed({seed})"] if drawn else []
    single = fit.dtype == torch.float32
    kind = ".float()" if single else ".double()"
    if as_class:
        yield CLASS.format(words=fit.words, layers="\n".join(f"            {layer}" for layer in layers))
        lines = [*start, f"model = Network(){kind}"]
    else:
        made = ["model = torch.nn.Sequential(", *(f"    {layer}" for layer in layers), f"){kind}"]
        lines = [f"# 2 model: {fit.words}", *start, *made]
    if not drawn:
        lines += _start(fit, single)
    yield "\n".join(lines)


def _loss(fit: NetworkFit) -> Iterator[str]:
    """Yield stage 3; after it, `loss` exists, and `penalty` where there is one."""
    weighted = bool(fit.design.weights)
    yield from loss_text(fit.loss, weighted=weighted, class_weights=fit.class_weights)
    if not fit.l2:
        return
    total = "total" if weighted else "len(X)"
    lines = ["def penalty():", '    """Return what large weights cost; biases are free."""']
    if fit.is_linear:
        divided = " / std" if fit.descent.plan.standardize else ""
        lines.append(f"    W = next(part for part in model.parameters() if part.dim() > 1){divided}")
        k = len(fit.classes)
        shared = f" - (W.sum(0) ** 2).sum() / {k}" if k > 2 else ""
        lines.append(f"    return {fit.l2!r} * ((W**2).sum(){shared}) / {total}")
    else:
        lines.append("    weights = [part for part in model.parameters() if part.dim() > 1]")
        lines.append(f"    return {fit.l2!r} * sum((part**2).sum() for part in weights) / {total}")
    yield "\n".join(lines)


def _answer(fit: NetworkFit, script: Script) -> str:
    """Return the end of the script: the cost in the units of the table, and the answer for the first row."""
    cost = "loss(model(X), Y" + ", w" * bool(fit.design.weights) + ")" + " + penalty()" * bool(fit.l2)
    cost = f"({cost}) * y_std**2" if _scaled(fit) else cost
    lines = ["# the answer, in the units of the table", "model.eval()", "with torch.no_grad():", f"    cost = {cost}"]
    lines += [f"    {line}" for line in new_text(script).replace("dtype=W.dtype", "dtype=torch.float64").split("\n")]
    new = "(new - mean) / std" if script.standardized else "new"
    lines.append(f"    H = model(({new}).to(X.dtype))")
    if fit.loss == "squared":
        lines.append(f"    answer = H[:, 0]{' * y_std + y_mean' * _scaled(fit)}")
    elif fit.loss == "logistic":
        lines.append("    answer = torch.cat([torch.sigmoid(-H), torch.sigmoid(H)], dim=1)[0]")
    else:
        lines.append("    answer = scores(H).softmax(1)[0]")
    return "\n".join([*lines, 'print(f"cost: {cost.item()}")', 'print(f"prediction: {answer.tolist()}")'])

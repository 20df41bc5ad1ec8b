"""The fit of a network as a plain PyTorch script: the five stages, the same numbers, and nothing else to install."""

from __future__ import annotations

from collections.abc import Iterator

from slopewise.errors import OptionError, check_choice
from slopewise.models.activations import activation
from slopewise.models.mlp import MLP
from slopewise.models.torch_module import Module
from slopewise.results.at_epoch import descent_of
from slopewise.results.export.assemble import STYLES, joined, opening
from slopewise.results.export.data_stage import cast_text, new_text, rows_text, units_text
from slopewise.results.export.loss_stage import loss_text
from slopewise.results.export.model_stage import cost_text
from slopewise.results.export.script import MOST_INLINE, Script, assigned, literal, remark
from slopewise.results.export.torch_module import ModuleSource, module_source
from slopewise.results.export.training_stage import optimizer, training
from slopewise.results.record import FitRecord, Origin
from slopewise.solution import DescentRecord

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


def network_code(record: FitRecord, origin: Origin, style: str = "plain") -> str:
    """Return the script as text.

    Args:
        record: of the fit.
        origin: of its rows.
        style: `plain`, with an nn.Sequential, or `class`, with an nn.Module around it.

    Raises:
        OptionError: a start that is neither torch's own nor short enough to be written out; a module that
            `torch_module.module_source` cannot write.
    """
    as_class = check_choice("style", style, STYLES) == "class"
    own = None if isinstance(record.model, MLP) else _own(record)
    descent = descent_of(record)
    script = Script(
        design=record.design,
        rows=origin,
        plan=descent.plan,
        epochs=descent.best_epoch,
        l2=record.l2,
        constant=bool((descent.units.scale == 1).any()),
    )
    return joined(_parts(record, descent, script, as_class, own))


def _own(record: FitRecord) -> ModuleSource:
    assert isinstance(record.model, Module)
    return module_source(record.model.inner, len(record.design.x_names))


def _parts(
    fit: FitRecord, descent: DescentRecord, script: Script, as_class: bool, own: ModuleSource | None
) -> Iterator[str]:
    yield from opening(script, f"A network for {fit.design.target!r}", () if own is None else own.lines)
    yield "torch.set_default_dtype(torch.float64)"
    yield from rows_text(script)
    if _scaled(descent):
        mean = ["y_mean = (w * Y).mean()", "y_std = (w * (Y - y_mean) ** 2).mean().sqrt()"]
        plain = ["y_mean, y_std = Y.mean(), Y.std(correction=0)"]
        lines = ["# the target too gets mean 0 and standard deviation 1", *(mean if fit.design.weights else plain)]
        yield "\n".join([*lines, "Y = (Y - y_mean) / y_std"])
    yield from units_text(script)
    if script.single and not script.standardized:
        yield cast_text(script)
    if own is None:
        assert isinstance(fit.model, MLP)
        yield from _layers(fit, descent, fit.model, as_class)
    else:
        yield from _module(fit, descent, own)
    yield from _loss(fit, descent)
    yield optimizer(script, descent.plan, as_class=True)
    if own is not None or (isinstance(fit.model, MLP) and fit.model.dropout):
        yield f"torch.manual_seed({literal(descent.plan.seed)})  # for what is drawn in training, as by dropout"
    yield from training(script, descent.plan)
    yield _answer(fit, descent, script)


def _scaled(descent: DescentRecord) -> bool:
    return (descent.y_mean, descent.y_scale) != (0.0, 1.0)


def _module(fit: FitRecord, descent: DescentRecord, own: ModuleSource) -> Iterator[str]:
    """Yield stage 2 with a module of the user's own; after it, `model` exists, at the start of the descent."""
    yield from own.classes.values()
    single = descent.plan.dtype == "float32"
    lines = [f"# 2 model: {remark(fit.model.describe())}", f"model = {own.made}{'.float()' if single else ''}"]
    yield "\n".join([*lines, *_start(descent, single)])


def _start(descent: DescentRecord, single: bool) -> list[str]:
    """Return the lines that put a start into the model that is written out as numbers."""
    if descent.starts is not None or len(descent.start) > MOST_INLINE:
        raise OptionError(
            f"a start by init {descent.plan.init!r} is written out as numbers, and these are too many "
            f"({MOST_INLINE} at most); fit with init='torch' and no other start, which a script draws again."
        )
    numbers = [literal(value) for value in descent.start.tolist()]
    lines = [assigned("start = torch.tensor(", numbers, ")"), "with torch.no_grad():"]
    lines.append("    torch.nn.utils.vector_to_parameters(start, model.parameters())")
    return [*lines, *["model.float()"] * single]


def _layers(fit: FitRecord, descent: DescentRecord, model: MLP, as_class: bool) -> Iterator[str]:
    """Yield stage 2; after it, `model` exists, at the start of the descent."""
    layers: list[str] = []
    for out, before in model.shapes:
        layers.append(f"torch.nn.Linear({literal(before)}, {literal(out)}, dtype=torch.float32),")
        layers.append(f"torch.nn.{type(activation(model.activation).module()).__name__}(),")
        layers += [f"torch.nn.Dropout({literal(model.dropout)}),"] * bool(model.dropout)
    layers = layers[: -1 - bool(model.dropout)]
    seed = descent.plan.seed if descent.starts is None else descent.starts.seeds[descent.starts.best]
    drawn = descent.plan.init == "torch"
    start = [f"torch.manual_seed({literal(seed)})"] if drawn else []
    single = descent.plan.dtype == "float32"
    kind, words = ".float()" if single else ".double()", remark(model.describe())
    if as_class:
        yield CLASS.format(words=words, layers="\n".join(f"            {layer}" for layer in layers))
        lines = [*start, f"model = Network(){kind}"]
    else:
        made = ["model = torch.nn.Sequential(", *(f"    {layer}" for layer in layers), f"){kind}"]
        lines = [f"# 2 model: {words}", *start, *made]
    if not drawn:
        lines += _start(descent, single)
    yield "\n".join(lines)


def _loss(fit: FitRecord, descent: DescentRecord) -> Iterator[str]:
    """Yield stage 3; after it, `loss` exists, and `penalty` where there is one."""
    weighted = bool(fit.design.weights)
    yield from loss_text(fit.loss, weighted=weighted, class_weights=fit.class_weights)
    if not fit.l2:
        return
    total = "total" if weighted else "len(X)"
    lines = ["def penalty():", '    """Return what large weights cost; biases are free."""']
    if fit.has_coefficients:
        divided = " / std" if descent.plan.standardize else ""
        lines.append(f"    W = next(part for part in model.parameters() if part.dim() > 1){divided}")
        k = len(fit.class_names)
        shared = f" - (W.sum(0) ** 2).sum() / {k}" if k > 2 else ""
        lines.append(f"    return {literal(fit.l2)} * ((W**2).sum(){shared}) / {total}")
    else:
        lines.append("    weights = [part for part in model.parameters() if part.dim() > 1]")
        lines.append(f"    return {literal(fit.l2)} * sum((part**2).sum() for part in weights) / {total}")
    yield "\n".join(lines)


def _answer(fit: FitRecord, descent: DescentRecord, script: Script) -> str:
    """Return the end of the script: the cost in the units of the table, and the answer for the first row."""
    cost = f"({cost_text(script)}) * y_std**2" if _scaled(descent) else cost_text(script)
    lines = ["# the answer, in the units of the table", "model.eval()", "with torch.no_grad():", f"    cost = {cost}"]
    lines += [f"    {line}" for line in new_text(script, "torch.float64").split("\n")]
    new = "(new - mean) / std" if script.standardized else "new"
    lines.append(f"    H = model(({new}).to(X.dtype)){' + offset[:1]' * script.offset}")
    back = " * y_std + y_mean" if _scaled(descent) else ""
    lines.append(f"    answer = {fit.loss.torch_prediction()}[0]{back}")
    return "\n".join([*lines, 'print(f"cost: {cost.item()}")', 'print(f"prediction: {answer.tolist()}")'])

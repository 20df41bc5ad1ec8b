"""Stages 4 and 5 of a script that descends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slopewise.errors import OptionError
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.schedules import SCHEDULES
from slopewise.optimizers.torch_optimizers import OPTIMIZERS
from slopewise.results.export.model_stage import cost_text
from slopewise.results.export.script import WIDTH, Script, literal

SHUFFLED = '''
def shuffled(epoch):
    """Return the order of the rows in an epoch: drawn, but the same in every run."""
    mixed = hashlib.blake2b(f"{seed} {{epoch}}".encode(), digest_size=4).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(mixed, "little"))
    return torch.randperm(len(X), generator=generator)
'''


def optimizer(script: Script, plan: DescentPlan, as_class: bool) -> str:
    """Return stage 4; after it, `optimizer` exists, and `schedule` where the learning rate changes.

    Args:
        script: what the script says.
        plan: of the descent, its lr set.
        as_class: the model is an nn.Module, else W and b are tensors.
    """
    moved = "model.parameters()" if as_class else "[W, b]" if script.design.intercept else "[W]"
    named = OPTIMIZERS[plan.optimizer]
    options = _said(plan.options, named.arguments)
    lines = ["# 4 optimizer", _call("optimizer", f"torch.optim.{named.make.__name__}", moved, options)]
    schedule = SCHEDULES[plan.schedule.name]
    if schedule.make is not None:
        said = _said(plan.schedule.options, schedule.arguments)
        if plan.schedule.name == "cosine":
            said.setdefault("t_max", plan.epochs)
        options = {schedule.spelled.get(word, word): _plain(value) for word, value in said.items()}
        name = f"torch.optim.lr_scheduler.{getattr(schedule.make, '__name__', '')}"
        lines.append(_call("schedule", name, "optimizer", options))
    return "\n".join(lines)


def training(script: Script, plan: DescentPlan) -> Iterator[str]:
    """Yield stage 5: the loop, and before it the shuffle where it takes some rows at a time."""
    epochs, size = script.epochs, plan.batch_size
    kept = "" if epochs == plan.epochs else f" (of {literal(plan.epochs)} planned)"
    step = "one step on all rows" if size is None else f"in steps of {literal(size)} shuffled rows"
    head = f"# 5 training: {literal(epochs)} epochs{kept}, each {step}"
    loop = f"for epoch in range({literal(epochs)}):"
    descend = ["optimizer.zero_grad()", "cost.backward()", "optimizer.step()"]
    by_cost = plan.schedule.name == "plateau"
    if size is None:
        lines = [head, loop, f"cost = {cost_text(script)}", *descend]
    else:
        yield f"{head}\n{SHUFFLED.strip().format(seed=literal(plan.seed))}"
        look = ["with torch.no_grad():", f"    whole = {cost_text(script)}"] if by_cost else []
        inner = [f"    {line}" for line in (f"cost = {cost_text(script, '[batch]')}", *descend)]
        lines = [loop, *look, f"for batch in shuffled(epoch).split({literal(size)}):", *inner]
    if plan.schedule.name != "constant":
        cost = f"{'cost' if size is None else 'whole'}.item()" if by_cost else ""
        lines.append(f"schedule.step({cost})")
    every = literal(max(epochs // 10, 1))
    lines += [f"if epoch % {every} == 0:", '    print(f"epoch {epoch:6d}  cost {cost.item():.6g}")']
    at = lines.index(loop) + 1
    yield "\n".join([*lines[:at], *(f"    {line}" for line in lines[at:])])


def _call(name: str, function: str, first: str, options: dict[str, object]) -> str:
    """Return `name = function(first, word=value, …)`, an argument per line where one line is too long."""
    given = [first, *(f"{word}={literal(value)}" for word, value in options.items())]
    line = f"{name} = {function}({', '.join(given)})"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name} = {function}(", *(f"    {argument}," for argument in given), ")"])


def _said(options: Mapping[str, object], defaults: Mapping[str, object]) -> dict[str, object]:
    """Return the options that differ from torch's defaults.

    Raises:
        OptionError: torch's class has no such argument.
    """
    for word in options:
        if word not in defaults:
            raise OptionError(f"{word!r} is no argument of the plan, which takes {', '.join(defaults)}; leave it out.")
    return {word: value for word, value in options.items() if value != defaults[word]}


def _plain(value: object) -> object:
    """Return whole numbers as int: step_size and patience count epochs."""
    return int(value) if isinstance(value, float) and value.is_integer() and value else value

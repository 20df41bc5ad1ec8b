"""What solvers ask of a problem: each requirement returns None where it is met, else the reason in words."""

from __future__ import annotations

from slopewise.losses.loss import PiecewiseLinear
from slopewise.optimizers.learning_rates import KNOWN_AHEAD
from slopewise.optimizers.plan import DescentPlan
from slopewise.problem import Problem


def linear_model(problem: Problem, plan: DescentPlan | None) -> str | None:
    """A model that is linear in its parameters."""
    return None if problem.model.is_linear else "it is for models without hidden layers"


def squared_loss(problem: Problem, plan: DescentPlan | None) -> str | None:
    """Squared loss."""
    name = problem.loss.name
    return None if name == "squared" else f"only squared loss has a closed form, and the loss is {name}"


def two_classes(problem: Problem, plan: DescentPlan | None) -> str | None:
    """A target of two classes."""
    k = problem.loss.n_classes
    return None if k == 2 else f"it is for two classes, and the target has {k or 'none'}"


def no_l1(problem: Problem, plan: DescentPlan | None) -> str | None:
    """No L1 penalty, which is not differentiable at 0."""
    l1 = problem.penalty.l1
    return None if not l1 else f"it cannot take l1 {l1:g}, which is not differentiable at 0"


def no_penalty(problem: Problem, plan: DescentPlan | None) -> str | None:
    """No penalty of another kind."""
    strength = problem.penalty.strength
    return None if not strength else f"it is for no other penalty, and l2 is {strength:g}"


def piecewise_linear_loss(problem: Problem, plan: DescentPlan | None) -> str | None:
    """A loss that is linear on both sides of 0."""
    loss = problem.loss
    return None if isinstance(loss, PiecewiseLinear) else f"it is for quantiles, and the loss is {loss.name}"


def smooth_loss(problem: Problem, plan: DescentPlan | None) -> str | None:
    """A loss with a second derivative."""
    name = problem.loss.name
    piecewise = isinstance(problem.loss, PiecewiseLinear)
    return f"the {name} loss has no second derivative" if piecewise else None


def full_batches(problem: Problem, plan: DescentPlan | None) -> str | None:
    """All rows at each step: the moments know no single rows."""
    assert plan is not None
    return None if plan.batch_size is None else "mini-batches meet the rows a few at a time"


def double_precision(problem: Problem, plan: DescentPlan | None) -> str | None:
    """Arithmetic in float64."""
    assert plan is not None
    return None if plan.dtype == "float64" else f"{plan.dtype} rounds at every row"


def training_cost_monitored(problem: Problem, plan: DescentPlan | None) -> str | None:
    """No rule of stopping that looks at validation rows."""
    assert plan is not None
    watched = plan.stopping.monitor == "validation" and plan.stopping.patience is not None
    return "validation rows are monitored" if watched else None


def plain_sgd(problem: Problem, plan: DescentPlan | None) -> str | None:
    """SGD, with or without momentum."""
    assert plan is not None
    return None if plan.optimizer == "sgd" else f"{plan.optimizer} has no closed form"


def known_learning_rates(problem: Problem, plan: DescentPlan | None) -> str | None:
    """A schedule that does not look at the cost."""
    assert plan is not None
    name = plan.schedule.name
    return None if name in KNOWN_AHEAD else f"the schedule {name} looks at the cost"

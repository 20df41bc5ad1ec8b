"""Run the training loop: set up batches, optimizer, schedule, monitor and checkpoints, train, return the outcome."""

from __future__ import annotations

from time import perf_counter

import torch
from torch import Tensor, nn

from slopewise.engine.threads import threads_for
from slopewise.optimizers.plan import DescentPlan
from slopewise.optimizers.schedules import build_scheduler
from slopewise.optimizers.torch_optimizers import build_optimizer
from slopewise.solution import Descended
from slopewise.training.descent.checkpoint import Checkpoint
from slopewise.training.descent.checkpoint_state import open_checkpoint_writer
from slopewise.training.descent.history import Recorder, as_one, is_chain, lay_flat, plan_rows
from slopewise.training.descent.loop import descend
from slopewise.training.descent.minibatches import weighted_arrays
from slopewise.training.descent.monitor import Monitor
from slopewise.training.descent.objective import Penalty, RowLoss, behaves_otherwise_in_training
from slopewise.training.descent.outcome import build_fit, interrupted
from slopewise.training.descent.rows import DescentRows, RowsInMemory
from slopewise.training.descent.stopping import StoppingRules, check_stopping
from slopewise.types import Callback

FEW = 2**15
"""Parameters up to which a chain of layers is stepped as one tensor: beyond, accumulating into zeros costs as much
as the fewer calls save."""


def run_loop(
    *,
    x: Tensor,
    y: Tensor,
    w: Tensor | None = None,
    module: nn.Module,
    loss: RowLoss,
    plan: DescentPlan,
    penalty: Penalty | None = None,
    callback: Callback | None = None,
    validation: tuple[Tensor, Tensor, Tensor | None] | None = None,
    checkpoint: Checkpoint | None = None,
    optimum: Tensor | None = None,
    lowest: Tensor | None = None,
    gradients: bool = True,
    unit: float = 1.0,
) -> Descended:
    """Train `module` in place as `plan` says, and return the outcome.

    Minimises Σ w · loss(module(x), y) / Σ w + penalty(module). The module starts from the parameters it has and ends
    with those that are kept, which are also the outcome's theta (p,): its trainable parameters in their order, in the
    units of x.

    Args:
        x: (n, q).
        y: (n,), or (n, 2) with an offset, of the dtype the module computes in.
        w: (n,) weights, or None for equal ones.
        module: any nn.Module from x to what the loss takes.
        loss: from predictions and y to the loss of each row (n,), such as `Squared().value`; of rows with an offset
            see `losses.offset.row_loss`.
        plan: with its lr set. `init`, `standardize` and `dtype` are up to the caller.
        penalty: see `objective.ridge`, or None.
        callback: receives the epoch, the total and the cost up to ten times a second.
        validation: x, y and w of held-out rows to monitor; their cost is without the penalty.
        checkpoint: where to save the state, and whether to resume from there.
        optimum: (p,) exact parameters, for the history.
        lowest: () exact cost, for the history and the rules.
        gradients: False skips the backward pass where a mini-batch descent measures the cost of all rows; the
            history's gradient is then NaN.
        unit: factor from costs of the scaled target to the user's units, in which costs are reported, compared and
            recorded, and the history's gradient too.

    Raises:
        OptionError: a batch larger than the table, a history larger than memory allows, or a stopping rule that needs
            validation rows or the lowest cost where there is none.
        DataError: predictions and targets of different shapes, unequal lengths, weights of sum 0.
        FitError: the cost of the start is not finite.
        StoreError: the checkpoint cannot be written or resumed.
        KeyboardInterrupt: before the first cost was known.
    """
    check_stopping(plan.stopping, lowest=lowest, validation=validation)
    return run_descent(
        rows=RowsInMemory(weighted_arrays(x, y, w)),
        module=module,
        loss=loss,
        plan=plan,
        penalty=penalty,
        callback=callback,
        validation=None if validation is None else RowsInMemory(weighted_arrays(*validation)),
        checkpoint=checkpoint,
        optimum=optimum,
        lowest=lowest,
        gradients=gradients,
        unit=unit,
    )


def run_descent(
    *,
    rows: DescentRows,
    module: nn.Module,
    loss: RowLoss,
    plan: DescentPlan,
    penalty: Penalty | None = None,
    callback: Callback | None = None,
    validation: DescentRows | None = None,
    checkpoint: Checkpoint | None = None,
    optimum: Tensor | None = None,
    lowest: Tensor | None = None,
    gradients: bool = True,
    unit: float = 1.0,
) -> Descended:
    """Train `module`, in place, on rows in memory or streamed, and return the outcome.

    `rows` take the place of x, y and w, and `validation` is of their kind; the other arguments and errors are those of
    `run_loop`.
    """
    check_stopping(plan.stopping, lowest=lowest, validation=validation)
    began = perf_counter()
    batches = rows.batches(plan)
    flat = lay_flat(module.train())
    kept = plan_rows(epochs=plan.epochs, history_every=plan.history_every, p=len(flat), callback=callback)
    together = len(flat) <= FEW and is_chain(module)
    separate = [parameter for parameter in module.parameters() if parameter.requires_grad]
    parameters = [as_one(module, flat)] if together else separate
    optimizer = build_optimizer(parameters, plan, in_place=together)
    scheduler = build_scheduler(optimizer, plan.schedule, plan.epochs)
    full_batch = plan.batch_size is None and not behaves_otherwise_in_training(module)
    with_gradient = full_batch or gradients or plan.stopping.grad_tol is not None
    monitor = Monitor(
        plan=plan,
        flat=flat,
        optimizer=optimizer,
        recorder=Recorder(flat, parameters if with_gradient else [], kept, plan.history_every),
        rules=StoppingRules(plan.stopping, None if lowest is None else float(lowest)),
        validate=None
        if validation is None
        else lambda: unit * validation.cost(module, loss, None, with_gradient=False),
        nothing=unit * rows.idle_cost(module, loss),
        callback=callback,
        unit=unit,
        buffers=tuple(module.buffers()),
    )
    with torch.random.fork_rng(devices=[]), threads_for(len(flat) * (plan.batch_size or rows.n)):
        torch.manual_seed(plan.seed)  # for modules that draw, such as dropout
        writer, first = open_checkpoint_writer(checkpoint, rows, module, optimizer, scheduler, monitor)
        try:
            descend(
                first=first,
                epochs=plan.epochs,
                batches=batches,
                model=module,
                loss=loss,
                penalty=penalty,
                optimizer=optimizer,
                scheduler=scheduler,
                measure=lambda: rows.cost(module, loss, penalty, with_gradient=with_gradient),
                monitor=monitor,
                full_batch=full_batch,
                writer=writer,
            )
        except KeyboardInterrupt:
            interrupted(monitor)
    module.eval()
    result = build_fit(monitor, writer, optimum=optimum, lowest=lowest, seconds=perf_counter() - began)
    if unit != 1:
        result.history.gradient.mul_(unit)
    return result

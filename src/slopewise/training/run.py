"""From a plan to a descent and its answer: makes what the loop (loop.py) needs, runs it, concludes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from time import perf_counter

import torch
from torch import Tensor, nn

from slopewise.engine.local import one_torch_thread
from slopewise.optimizers.descent import Descent
from slopewise.optimizers.named import build_optimizer
from slopewise.optimizers.schedules import build_scheduler
from slopewise.solution import Descended
from slopewise.training.batches import batches_of, rows_of
from slopewise.training.checkpoint import Checkpoint
from slopewise.training.ending import conclude, interrupted
from slopewise.training.loop import descend
from slopewise.training.measure import Penalty, RowLoss, behaves_otherwise_in_training, idle_cost, whole_cost
from slopewise.training.recorder import Recorder, as_one, is_chain, lay_flat, plan_rows
from slopewise.training.resume import open_saver
from slopewise.training.stopping import Rules, check_stopping
from slopewise.training.watch import Watch
from slopewise.types import Observer

SMALL_STEP = 2**24
"""Rows times parameters of a step below which one thread takes it: two wait for each other longer than they work,
and on a busy machine a hundred times as long."""

FEW = 2**15
"""Parameters up to which those of a chain are moved as one: of more, adding to zeros costs what the calls saved."""


def threads_for(work: int) -> AbstractContextManager[None]:
    """Return the context in which a step of `work` rows times parameters runs best."""
    return one_torch_thread() if work < SMALL_STEP else nullcontext()


def run_loop(
    *,
    x: Tensor,
    y: Tensor,
    w: Tensor | None = None,
    module: nn.Module,
    loss: RowLoss,
    descent: Descent,
    penalty: Penalty | None = None,
    observer: Observer | None = None,
    validation: tuple[Tensor, Tensor, Tensor | None] | None = None,
    checkpoint: Checkpoint | None = None,
    optimum: Tensor | None = None,
    lowest: Tensor | None = None,
    gradients: bool = True,
    unit: float = 1.0,
) -> Descended:
    """Train `module`, in place, as `descent` says, and return what happened.

    Minimises Σ w · loss(module(x), y) / Σ w + penalty(module). The module starts from the parameters it comes with and
    ends with those of the state kept, which are also the answer's theta (p,): its trainable parameters in
    their order, in the units of x.

    Args:
        x: (n, q).
        y: (n,), of the dtype the module computes in.
        w: (n,) weights, or None for equal ones.
        module: any nn.Module from x to what the loss takes.
        loss: from predictions and y to the loss of each row (n,), such as `Squared().value`.
        descent: the plan, its lr settled. `init`, `standardize` and `dtype` are the caller's work.
        penalty: see `measure.ridge`, or None.
        observer: told the epoch, the total and the cost up to ten times a second.
        validation: x, y and w of rows to watch; their cost is without the penalty.
        checkpoint: where to keep the state, and whether to go on from there.
        optimum: (p,) exact parameters, for the history.
        lowest: () exact cost, for the history and the rules.
        gradients: False spares mini-batch descents the backward pass of every look; the history's gradient is then NaN.
        unit: what a cost of 1 is in the user's units, where the target was scaled: costs are told, compared and kept in
            those, and so is the history's gradient.

    Raises:
        OptionError: a batch larger than the table, a history larger than memory allows, a rule without what it needs.
        DataError: predictions and targets of different shapes, unequal lengths, weights of sum 0.
        FitError: the cost of the start is not finite.
        StoreError: the checkpoint cannot be written or resumed.
        KeyboardInterrupt: before the first cost was known.
    """
    check_stopping(descent.stopping, lowest=lowest, validation=validation)
    began = perf_counter()
    rows = rows_of(x, y, w)
    batches = batches_of(rows, descent.batch_size, descent.seed)
    flat = lay_flat(module.train())
    kept = plan_rows(epochs=descent.epochs, record=descent.record, p=len(flat), observer=observer)
    together = len(flat) <= FEW and is_chain(module)
    separate = [parameter for parameter in module.parameters() if parameter.requires_grad]
    parameters = [as_one(module, flat)] if together else separate
    optimizer = build_optimizer(parameters, descent, in_place=together)
    scheduler = build_scheduler(optimizer, descent.schedule, descent.epochs)
    free = descent.batch_size is None and not behaves_otherwise_in_training(module)
    slopes = free or gradients or descent.stopping.gradient is not None
    held_out = None if validation is None else rows_of(*validation)
    watch = Watch(
        descent=descent,
        flat=flat,
        optimizer=optimizer,
        recorder=Recorder(flat, parameters if slopes else [], kept, descent.record),
        rules=Rules(descent.stopping, None if lowest is None else float(lowest)),
        validate=None if held_out is None else lambda: unit * whole_cost(module, held_out, loss, None, slopes=False),
        nothing=unit * idle_cost(module, rows, loss),
        observer=observer,
        unit=unit,
        buffers=tuple(module.buffers()),
    )
    with torch.random.fork_rng(devices=[]), threads_for(len(flat) * (descent.batch_size or len(y))):
        torch.manual_seed(descent.seed)  # for modules that draw, such as dropout
        saver, first = open_saver(checkpoint, rows, module, optimizer, scheduler, watch)
        try:
            descend(
                first=first,
                epochs=descent.epochs,
                batches=batches,
                model=module,
                loss=loss,
                penalty=penalty,
                optimizer=optimizer,
                scheduler=scheduler,
                measure=lambda: whole_cost(module, rows, loss, penalty, slopes=slopes),
                watch=watch,
                free=free,
                saver=saver,
            )
        except KeyboardInterrupt:
            interrupted(watch)
    module.eval()
    found = conclude(watch, saver, optimum=optimum, lowest=lowest, seconds=perf_counter() - began)
    if unit != 1:
        found.history.gradient.mul_(unit)
    return found

"""Names that annotations of stored dataclasses use, where their own modules import them for typing alone."""

from torch import Tensor

from slopewise.data.split import Split
from slopewise.losses.loss import Loss
from slopewise.models.model import Model
from slopewise.optimizers.plan import DescentPlan
from slopewise.solution import DescentRecord, GlmStatistics, Moments, Nuisance, Solution

__all__ = [
    "DescentPlan",
    "DescentRecord",
    "GlmStatistics",
    "Loss",
    "Model",
    "Moments",
    "Nuisance",
    "Solution",
    "Split",
    "Tensor",
]

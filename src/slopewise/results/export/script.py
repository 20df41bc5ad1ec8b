"""What a plain PyTorch script of a fit needs to know, and text that is safe to put into Python source."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from slopewise.data.design import Design
from slopewise.errors import OptionError, quoted
from slopewise.losses.loss import Loss
from slopewise.losses.squared import Squared
from slopewise.optimizers.plan import DescentPlan
from slopewise.results.record import CsvRows, InlineRows

MOST_INLINE = 200
"""Rows that are written into a script; more would bury the five stages."""
WIDTH = 88


@dataclass(frozen=True, slots=True)
class Script:
    """Everything the script says.

    plan: of the descent, None for a fit that was solved exactly; epochs says how many of its epochs lead to the state
    that was kept; init (p,) the start in the units of the descent, intercept first. new: a row to predict, by
    feature; None takes the first training row. constant: some column never changes, so it was not scaled. solver: of
    kind `likelihood` where it was one, else "". class_weights: of the loss. estimated: the parameter of the loss
    that the fit estimated, "" for none.
    """

    design: Design
    rows: CsvRows | InlineRows
    plan: DescentPlan | None = None
    init: tuple[float, ...] = ()
    epochs: int = 0
    l2: float = 0.0
    new: Mapping[str, float | str] | None = None
    constant: bool = False
    loss: Loss = Squared()
    solver: str = ""
    l1: float = 0.0
    class_weights: tuple[float, ...] | None = None
    estimated: str = ""

    @property
    def standardized(self) -> bool:
        """Whether the script works in standard units."""
        return bool(self.solver) or (self.plan is not None and self.plan.standardize)

    @property
    def penalized(self) -> bool:
        """Whether something is added to the mean loss, which depends on how many rows there are."""
        return bool(self.l2 or self.l1) or self.solver == "firth"

    @property
    def weighted(self) -> bool:
        """Whether the rows have weights."""
        return self.design.weights is not None

    @property
    def offset(self) -> bool:
        """Whether something is added to each row's linear predictor."""
        return bool(self.design.offset or self.design.exposure)

    @property
    def total(self) -> str:
        """The expression of the total weight of the rows."""
        return "total" if self.weighted else "len(X)"

    @property
    def single(self) -> bool:
        """Whether the descent works in float32."""
        return self.plan is not None and self.plan.dtype == "float32"


def check_script(script: Script) -> None:
    """Raise unless the script can be written.

    Raises:
        OptionError: too many rows to write out; a start of the wrong length; a row to predict without one of the
            features, or with an unknown level.
    """
    if isinstance(script.rows, InlineRows) and len(script.rows.x) > MOST_INLINE:
        raise OptionError(
            f"{len(script.rows.x):,} rows are too many to write into a script, which takes {MOST_INLINE}; "
            "fit from a CSV file, and the script reads that."
        )
    names = script.design.names
    if script.plan is not None and len(script.init) != len(names):
        raise OptionError(f"the start has {len(script.init)} values and the model {len(names)} parameters.")
    if script.new is None:
        return
    for feature in script.design.features:
        if feature.name not in script.new:
            raise OptionError(f"the row to predict lacks {feature.name!r}; give each feature a value.")
        value = str(script.new[feature.name])
        if feature.kind == "category" and value not in feature.levels:
            raise OptionError(
                f"the row to predict has {value!r} for {feature.name!r}; known: {quoted(feature.levels)}."
            )


def literal(value: object) -> str:
    """Return the Python literal of a value: the only way by which a value of a table or a file comes into a script.

    Characters that do not print are escaped, and text stands in the quotes that formatters prefer.

    Args:
        value: text, a number, a boolean, None, or a list or tuple of them.

    Raises:
        OptionError: it is something else.

    >>> print(literal('"net"'), literal("it's"), literal([1, 0.5, float("inf")]))
    '"net"' "it's" [1, 0.5, float("inf")]
    """
    if type(value) is str:
        return f'"{repr(value)[1:-1]}"' if "'" not in value and '"' not in value else repr(value)
    if type(value) is float and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or type(value) in (bool, int, float):
        return repr(value)
    if type(value) is list:
        return f"[{', '.join(map(literal, value))}]"
    if type(value) is tuple:
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    raise OptionError(f"{value!r} is a {type(value).__name__}, which no script can hold; save the fit instead.")


def remark(value: str) -> str:
    """Return text that cannot leave the comment it is put into: the inside of its literal."""
    return literal(value)[1:-1]


def docstring(value: str) -> str:
    """Return text as a docstring that nothing in it can end: the inside of its literal in triple quotes."""
    quote, inside = literal(value)[0], literal(value)[1:-1]
    if quote == "'":
        inside = inside.replace('"', '\\"')
    return f'"""{inside}"""'


def assigned(start: str, items: Sequence[str], end: str = "", width: int = WIDTH) -> str:
    """Return `start[items]end` on one line where it fits, else an item per line.

    Args:
        start: what stands before the bracket, such as `names = ` or `W = torch.tensor(`.
        items: the source text of each item.
        end: what follows the bracket: further arguments and the closing parenthesis.
        width: columns of a line at most.
    """
    line = f"{start}[{', '.join(items)}]{end}"
    if len(line) <= width:
        return line
    if not start.endswith("("):
        return "\n".join([f"{start}[", *(f"    {item}," for item in items), f"]{end}"])
    rest = [f"    {argument}," for argument in end.rstrip(")").split(", ") if argument]
    close = ["    ]," if rest else "    ]", *rest, ")"]
    return "\n".join([start, "    [", *(f"        {item}," for item in items), *close])


def row(values: Iterable[float]) -> str:
    """Return numbers as a list."""
    return f"[{', '.join(literal(float(value)) for value in values)}]"

"""Where a fit's rows can be had again by a script that knows nothing of slopewise."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from torch import Tensor

from slopewise.data.design_source import DesignSource
from slopewise.data.source import PlainCsv
from slopewise.data.split import Split
from slopewise.errors import OptionError
from slopewise.results.export.code import code as script_text
from slopewise.results.export.script import MOST_INLINE, CsvRows, InlineRows, Script
from slopewise.solution import Moments

if TYPE_CHECKING:
    from slopewise.results.classifier import Classifier
    from slopewise.results.fit import Fit
    from slopewise.results.network import NetworkFit

Origin = CsvRows | InlineRows


def origin_of(fit: Fit | Classifier | NetworkFit) -> Origin | None:
    """Return the fit's training rows as a script can have them: a CSV file, or up to 200 rows as numbers.

    None where the table is neither.
    """
    if fit.origin is not None or fit.rows is None:
        return fit.origin
    source = fit.rows.train
    if not isinstance(source, DesignSource):
        return None
    if source.table.plain is not None:
        return _csv_rows(source, source.table.plain)
    if fit.n > MOST_INLINE:
        return None
    rows = fit.rows.engine.gather(source)
    return InlineRows(rows.x, rows.y, rows.w)


def script_of(fit: Fit, style: str = "plain") -> str:
    """Return plain PyTorch that reproduces the fit of a line.

    Raises:
        OptionError: the rows are neither one plain CSV file nor few enough to be written out.
    """
    descent = fit.descent
    script = Script(
        design=fit.design,
        rows=known_origin(fit),
        plan=None if descent is None else descent.plan,
        init=() if descent is None else tuple(descent.start.tolist()),
        epochs=0 if descent is None else descent.descended.best_epoch,
        l2=fit.l2,
        l1=fit.l1,
        constant=_constant(fit.solution.moments),
        solver="coordinate_descent" if fit.l1 else "",
    )
    return script_text(script, style)


def classes_script_of(fit: Classifier, style: str = "plain") -> str:
    """Return plain PyTorch that reproduces the fit of classes.

    Raises:
        OptionError: the rows are neither one plain CSV file nor few enough to be written out.
    """
    script = Script(
        design=fit.design,
        rows=known_origin(fit),
        l2=fit.l2,
        l1=fit.l1,
        constant=_constant(fit.maximum.moments),
        loss=fit.model,
        solver=fit.solver,
        class_weights=fit.class_weights,
    )
    return script_text(script, style)


def _constant(moments: Moments) -> bool:
    """Return whether some column never changes."""
    return bool((moments.gram.diagonal() == 0).any())


def known_origin(fit: Fit | Classifier | NetworkFit) -> Origin:
    """Return the origin of the fit's rows; OptionError where a script cannot have them."""
    origin = origin_of(fit)
    if origin is None:
        raise OptionError(
            f"the {fit.n:,} training rows are not one plain CSV file, and too many to write out ({MOST_INLINE} at "
            "most); fit from a CSV file, and the script reads that."
        )
    return origin


def pack_origin(origin: Origin | None) -> tuple[dict[str, Any] | None, dict[str, Tensor]]:
    """Return plain values and tensors."""
    if origin is None:
        return None, {}
    if isinstance(origin, CsvRows):
        split = asdict(origin.split)
        parts = {"path": origin.path, "delimiter": origin.delimiter, "decimal": origin.decimal}
        return {**parts, "booleans": list(origin.booleans), "split": split}, {}
    weights = {} if origin.w is None else {"origin.w": origin.w}
    return {}, {"origin.x": origin.x, "origin.y": origin.y, **weights}


def unpack_origin(header: dict[str, Any] | None, tensors: dict[str, Tensor]) -> Origin | None:
    """Return the origin that was taken apart."""
    if header is None:
        return None
    if not header:
        return InlineRows(tensors["origin.x"], tensors["origin.y"], tensors.get("origin.w"))
    parts = {name: str(header[name]) for name in ("path", "delimiter", "decimal")}
    return CsvRows(**parts, booleans=tuple(header["booleans"]), split=Split(**header["split"]))


def _csv_rows(source: DesignSource, plain: PlainCsv) -> CsvRows:
    schema = source.table.schema
    booleans = tuple(name for name in source.design.used() if schema.kind(name) == "boolean")
    return CsvRows(plain.path, plain.delimiter, plain.decimal, booleans, source.split)

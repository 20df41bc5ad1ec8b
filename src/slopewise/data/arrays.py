"""Arrays, tensors and lists, checked before they reach torch or Arrow: masked, complex, mixed, of any byte order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from slopewise.data.arrow import share
from slopewise.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

NOT_ORDERED = (str, bytes, bytearray, Mapping, set, frozenset)
"""What can be iterated over and is yet no column: a single value, or values without an order of rows."""

MISSING_TYPES = ("NoneType", "NAType", "NaTType", "MaskedConstant")


def as_tensor(values: object, what: str) -> Tensor:
    """Return numbers as a strided tensor of real numbers on the CPU; an ordinary array or tensor is not copied.

    Args:
        values: an array, a tensor, a list, or a frame or series of numbers.
        what: they are, for messages, such as `X`.

    Raises:
        DataError: complex numbers, text, a sparse matrix, rows of unequal length.
    """
    if isinstance(values, Tensor):
        return _strided(values, what)
    array: Any = values
    if not isinstance(array, np.ndarray):
        _refuse_sparse(array, what)
        try:
            array = array.to_numpy() if hasattr(array, "to_numpy") else np.asarray(array)
        except (ValueError, TypeError) as error:
            raise DataError(f"{what} has rows of unequal length; give every row the same number of values.") from error
    return share(native(array, what))


def native(array: np.ndarray, what: str) -> np.ndarray:
    """Return an array of numbers that torch and Arrow take: masked entries NaN, this machine's byte order.

    An ordinary array is returned itself.

    Args:
        array: of any shape.
        what: it is, for messages.

    Raises:
        DataError: not real numbers.
    """
    if isinstance(array, np.ma.MaskedArray):
        if array.dtype.kind not in "fiub":
            return native(np.ma.filled(array.astype(object), None), what)
        return (
            native(np.ma.filled(array.astype(np.float64), np.nan), what)
            if array.mask.any()
            else native(array.data, what)
        )
    array = np.asarray(array)
    if array.dtype.kind == "O":
        return numbers_of(array, what)
    if array.dtype.kind == "c":
        raise complex_numbers(what)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{what} holds {array.dtype} values, expected numbers; convert them first.")
    # torch has no long double, indexes no unsigned type but uint8, and shares aligned whole elements alone.
    if array.dtype.itemsize > 8 or (array.dtype.kind == "u" and array.dtype.itemsize > 1):
        return array.astype(np.float64)
    if not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    odd = any(stride % array.dtype.itemsize for stride in array.strides)
    return array.copy() if odd or not array.flags.aligned else array


def numbers_of(values: np.ndarray, what: str) -> np.ndarray:
    """Return Python objects that are all numbers or missing as float64, NaN where missing.

    Args:
        values: of dtype object, one value per row or rows of them.
        what: they are, for messages.

    Raises:
        DataError: one of them is no number.

    >>> numbers_of(np.array([1, None, Decimal("2.5")], dtype=object), "y")
    array([1. , nan, 2.5])
    """
    flat = [each.item() if isinstance(each, Tensor) and each.numel() == 1 else each for each in values.ravel().tolist()]
    absent = [type(each).__name__ in MISSING_TYPES for each in flat]
    present = [(at, each) for at, each in enumerate(flat) if not absent[at]]
    other = next(((at, each) for at, each in present if not isinstance(each, Real | Decimal | np.bool_)), None)
    if other is None:
        found = [np.nan if gone else float(each) for each, gone in zip(flat, absent, strict=True)]
        return np.array(found, dtype=np.float64).reshape(values.shape)
    if isinstance(other[1], complex):
        raise complex_numbers(what)
    width = values.shape[1] if values.ndim == 2 else 1
    if width > 1:  # of a matrix, the column that the value is in
        what = f"column {other[0] % width + 1} of {what}"
        present = [(at, each) for at, each in present if at % width == other[0] % width]
    example = f"{_short(other[1])} in row {other[0] // width + 1}"
    number = next(((at, each) for at, each in present if isinstance(each, Real | Decimal | np.bool_)), None)
    if number is None:
        raise DataError(
            f"{what} holds values of type {type(other[1]).__name__}, such as {example}, expected numbers; convert "
            "them, or leave it out."
        )
    kind = "text" if isinstance(other[1], str) else f"values of type {type(other[1]).__name__}"
    raise DataError(
        f"{what} mixes numbers and {kind}: {_short(number[1])} in row {number[0] // width + 1} and {example}; make all "
        "of them numbers or all of them text, or leave it out."
    )


def as_column(values: Any, name: str) -> pa.Array | pa.ChunkedArray:
    """Return one column as Arrow, null where missing; an ordinary float64 array is not copied.

    Args:
        values: an array, tensor, series, Arrow array or list, one value per row.
        name: of the column.

    Raises:
        DataError: it cannot be a column, such as a dict, or values of which some are numbers and some text.
    """
    import pyarrow as pa

    what = f"column {name!r}"
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if isinstance(values, NOT_ORDERED):
        raise DataError(f"{what} is a {type(values).__name__}, expected one value per row; give a list or an array.")
    _refuse_sparse(values, what)
    if isinstance(values, Tensor):
        strided = _strided(values, what)
        values = (strided.to(torch.float64) if strided.dtype == torch.bfloat16 else strided).numpy()
    if isinstance(values, np.ndarray):
        values = values if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim != 1:
            raise DataError(f"{what} has shape {values.shape}, expected (n,); flatten it.")
        if not isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "fiub":
            values = native(values, what) if values.dtype.itemsize > 8 or not values.dtype.isnative else values
    elif not isinstance(values, Iterable):
        raise DataError(f"{what} is the single value {values!r}, expected one value per row; give a list or an array.")
    elif iter(values) is values:
        values = list(values)
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError, AttributeError, NotImplementedError):
        return pa.array(_plain_numbers(values, what), from_pandas=True)


def complex_numbers(what: str) -> DataError:
    """Return the error for complex numbers.

    Args:
        what: holds them.
    """
    return DataError(f"{what} holds complex numbers, expected real ones; give their real part or modulus instead.")


def _plain_numbers(values: Any, what: str) -> np.ndarray:
    """Return what Arrow does not take as float64 (n,)."""
    array = np.asarray(values) if hasattr(values, "__array__") else np.empty(0, object)
    if array.dtype.kind in "fiubc" and array.ndim == 1 and len(array):
        return native(array, what)
    flat = np.empty(len(values), dtype=object)
    flat[:] = list(values)
    text = next((each for each in flat if isinstance(each, str)), None)
    if text is not None and all(isinstance(each, str) or type(each).__name__ in MISSING_TYPES for each in flat):
        raise DataError(f"{what} holds text that is not valid Unicode; correct it, or leave it out.")
    return numbers_of(flat, what)


def _strided(tensor: Tensor, what: str) -> Tensor:
    if tensor.is_complex():
        raise complex_numbers(what)
    if tensor.is_meta:
        raise DataError(f"{what} is a tensor on the device meta, which holds no values; give it on the CPU.")
    plain = tensor.detach()
    if plain.is_quantized:
        plain = plain.dequantize()
    if plain.layout != torch.strided:
        plain = plain.to_dense()
    plain = plain.cpu().resolve_neg()
    if plain.is_inference():  # made under torch.inference_mode, of which autograd takes copies alone
        plain = plain.clone()
    if plain.dtype in (torch.uint16, torch.uint32, torch.uint64):  # torch indexes no unsigned type but uint8
        return plain.to(torch.float64)
    return plain


def _refuse_sparse(values: object, what: str) -> None:
    kind = type(values)
    if kind.__module__.startswith("scipy.sparse"):
        raise DataError(
            f"{what} is a sparse {kind.__name__}, and every value is computed with; give {what}.toarray() if it fits "
            "in memory."
            if what.isidentifier()
            else f"{what} is a sparse {kind.__name__}, expected one value per row; give its toarray().ravel()."
        )


def _short(value: object) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 40 else f"{text[:37]}..."

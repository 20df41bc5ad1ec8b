"""The kinds of fits, told apart by one word in the header of their file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from slopewise.results.export.data_origin import origin_of, pack_origin, unpack_origin
from slopewise.results.storage.linear import FORMAT, pack, unpack

if TYPE_CHECKING:
    from slopewise.results.fitted import Fitted


def pack_any(fit: Fitted[Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the header, with the format's and slopewise's versions first, and the tensors of any fit."""
    from slopewise import __version__
    from slopewise.results.classifier import Classifier
    from slopewise.results.fit import Fit
    from slopewise.results.network import NetworkFit

    if isinstance(fit, Fit):
        header, tensors = pack(fit)
    elif isinstance(fit, Classifier):
        from slopewise.results.storage.classification import pack_classes

        header, tensors = pack_classes(fit)
    else:
        from slopewise.results.storage.network import pack_network

        assert isinstance(fit, NetworkFit)
        header, tensors = pack_network(fit)
    origin, rows = pack_origin(origin_of(fit))
    return {"format": FORMAT, "slopewise": __version__, **header, "origin": origin}, tensors | rows


def unpack_any(header: dict[str, Any], tensors: dict[str, Tensor], module: Any = None) -> Fitted[Any]:
    """Return the fit that `pack_any` took apart.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: something is missing or does not fit the rest.
        StoreError: a fit of the user's own module, and no module is given.
    """
    found = _unpacked(header, tensors, module)
    return replace(found, origin=unpack_origin(header.get("origin"), tensors))


def _unpacked(header: dict[str, Any], tensors: dict[str, Tensor], module: Any) -> Fitted[Any]:
    kind = header.get("kind", "linear")
    if kind == "linear":
        return unpack(header, tensors)
    if kind == "classes":
        from slopewise.results.storage.classification import unpack_classes

        return unpack_classes(header, tensors)
    if kind == "network":
        from slopewise.results.storage.network import unpack_network

        return unpack_network(header, tensors, module)
    raise ValueError(f"its kind is {kind!r}")

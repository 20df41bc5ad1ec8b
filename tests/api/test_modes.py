"""A fit is the same in every mode that torch may be in, and leaves the mode as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import slopewise
from slopewise.errors import DataError

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(2, 40))
Y = 1 + 2 * X - Z + 0.1 * RNG.normal(size=40)
TABLE = {"x": X, "z": Z, "y": Y, "c": X + RNG.normal(size=40) > 0}

FITS: dict[str, dict[str, Any]] = {
    "exact": {"target": "y", "features": ["x", "z"]},
    "loop": {"target": "y", "features": ["x", "z"], "solver": "gd_loop", "lr": 0.01, "epochs": 3},
    "random start": {"target": "y", "features": ["x"], "init": "normal", "lr": 0.01, "epochs": 3},
    "classes": {"target": "c", "features": ["x", "z"]},
    "classes by descent": {"target": "c", "features": ["x", "z"], "lr": 0.1, "epochs": 3},
    "network": {"target": "y", "features": ["x", "z"], "hidden": (3,), "lr": 0.01, "epochs": 3},
    "network of float32": {"target": "y", "features": ["x", "z"], "hidden": (3,), "epochs": 3, "dtype": "float32"},
    "networks at once": {"target": "c", "features": ["x", "z"], "hidden": (3,), "epochs": 3, "n_init": 3},
}


@pytest.fixture
def default_dtype() -> Iterator[None]:
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize("name", FITS)
def test_modes_of_gradients_change_nothing(name: str) -> None:
    want = slopewise.fit(TABLE, **FITS[name])
    modes = (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16))
    for mode in modes:
        with mode:
            state = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
            found = slopewise.fit(TABLE, **FITS[name])
            assert torch.equal(found.theta, want.theta) and found.to_json() == want.to_json()
            with pytest.raises(DataError):
                slopewise.fit(TABLE)
            after = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
            assert after == state
            slopewise.check(TABLE, target="y", features=["x"], hidden=(2,))


def test_tensors_made_in_inference_mode_are_used() -> None:
    with torch.inference_mode():
        x, y = torch.from_numpy(np.column_stack([X, Z])).clone(), torch.from_numpy(Y).clone()
    assert x.is_inference()
    want = slopewise.fit((np.column_stack([X, Z]), Y), hidden=(3,), lr=0.01, epochs=3)
    assert torch.equal(slopewise.fit((x, y), hidden=(3,), lr=0.01, epochs=3).theta, want.theta)


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_the_default_dtype_changes_nothing(name: str, dtype: torch.dtype, default_dtype: None) -> None:
    want = slopewise.fit(TABLE, **FITS[name])
    torch.set_default_dtype(dtype)
    found = slopewise.fit(TABLE, **FITS[name])
    assert torch.equal(found.theta, want.theta) and found.to_json() == want.to_json()
    assert torch.get_default_dtype() == dtype

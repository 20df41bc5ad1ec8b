"""Values of options of any type: used where they are clear, else one sentence; never another exception."""

from __future__ import annotations

import decimal
import fractions
from typing import Any

import numpy as np
import pytest
import torch

import slopewise
from slopewise.api.option_types import FitOptions
from slopewise.errors import DataError, OptionError, SlopewiseError

RNG = np.random.default_rng(0)
X, Z = RNG.normal(size=(2, 40))
TABLE = {"x": X, "z": Z, "y": 1 + 2 * X - Z + 0.1 * RNG.normal(size=40)}


def fitted(**options: Any) -> Any:
    return slopewise.fit(TABLE, target="y", **options)


@pytest.mark.parametrize(
    ("plain", "same"),
    [
        ({"init": [0.0, 1.0, 2.0], "lr": 0.01}, [{"init": np.array([0, 1, 2])}, {"init": torch.tensor([0.0, 1, 2])},
                                                 {"init": (0, np.float32(1), decimal.Decimal(2))}]),
        ({"hidden": (4,), "lr": 0.01}, [{"hidden": 4}, {"hidden": np.int64(4)}, {"hidden": [np.int64(4)]},
                                        {"hidden": np.array([4])}, {"hidden": torch.tensor([4])}, {"hidden": "4"}]),
        ({"hidden": (4,), "activation": "relu", "lr": 0.01}, [{"activation": "ReLU"}, {"activation": " RELU "}]),
        ({"optimizer": "adam", "betas": (0.5, 0.75), "lr": 0.01}, [{"betas": [0.5, 0.75]}, {"optimizer": "Adam"},
                                                                   {"betas": np.array([0.5, 0.75])},
                                                                   {"betas": torch.tensor([0.5, 0.75])}]),
        ({"lr": 0.25, "momentum": 0.5}, [{"lr": np.float32(0.25)}, {"lr": torch.tensor(0.25)}, {"lr": np.array(0.25)},
                                         {"momentum": decimal.Decimal("0.5")}, {"momentum": fractions.Fraction(1, 2)},
                                         {"epochs": np.int64(3)}, {"epochs": torch.tensor(3)}]),
        ({"lr": 0.01, "optimizer": "adam", "dtype": "float32"}, [{"dtype": torch.float32}, {"dtype": np.float32},
                                                                 {"dtype": np.dtype("float32")}]),
        ({"l2": 0.5}, [{"l2": np.float32(0.5)}, {"l2": decimal.Decimal("0.5")}, {"l2": torch.tensor(0.5)}]),
        ({"intercept": False}, [{"intercept": np.bool_(False)}, {"intercept": torch.tensor(False)}]),
        ({"test_size": 0.25, "seed": 3}, [{"test_size": np.float64(0.25)}, {"seed": np.uint8(3)}]),
        ({"cov_type": "hac", "lags": 2}, [{"lags": np.int32(2)}, {"cov_type": "HAC"}]),
        ({"loss": "quantile", "tau": 0.25}, [{"tau": np.float32(0.25)}, {"loss": "Quantile"}]),
        ({"confidence_level": 0.5}, [{"confidence_level": np.float32(0.5)}, {"model": "Linear"}]),
    ],
)  # fmt: skip
def test_values_of_other_types_are_used(plain: dict[str, Any], same: list[dict[str, Any]]) -> None:
    descent = {"epochs": 3} if plain.keys() & {"lr"} else {}
    want = fitted(**descent, **plain)
    for other in same:
        found = fitted(**{**descent, **plain, **other})
        assert torch.equal(found.theta, want.theta)
        assert found.to_json() == want.to_json()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"hidden": (8.0,)}, "hidden holds 8.0; give whole numbers above zero"),
        ({"hidden": True}, "hidden holds True; give whole numbers above zero"),
        ({"hidden": 10**30}, "give at most 10,000,000 units"),
        ({"hidden": (0,)}, "hidden holds 0"),
        ({"lr": "0.01"}, "lr must be a positive finite number, not '0.01'"),
        ({"lr": float("inf")}, "lr must be a positive finite number, not inf"),
        ({"lr": True}, "lr must be a positive finite number, not True"),
        ({"lr": 0.01, "epochs": 3.0}, "epochs must be a whole number of at least 1, not 3.0"),
        ({"lr": 0.01, "history_every": 10**30}, "history_every must be a whole number"),
        ({"l2": "abc"}, "l2 is 'abc'; give a number"),
        ({"l2": -1}, "l2 is -1; give a finite number, zero or above"),
        ({"l2": np.array([1.0, 2.0])}, r"l2 is array\(\[1., 2.\]\); give a number"),
        ({"l2": float("nan")}, "l2 is nan; give a finite number"),
        ({"l2": 1j}, "l2 is 1j; give a number"),
        ({"intercept": "no"}, "intercept must be True or False, not 'no'"),
        ({"intercept": 0}, "intercept must be True or False, not 0"),
        ({"seed": 10**30}, "seed is 1000000000000000000000000000000; give a whole number"),
        ({"seed": 1.5}, "seed is 1.5; give a whole number of at least 0"),
        ({"missing": ["drop"]}, r"missing is \['drop'\], expected a word"),
        ({"loss": np.array([1.0, 2.0])}, "loss is array.*, expected a word"),
        ({"model": 3}, "model is 3, expected a word"),
        ({"checkpoint": 5, "lr": 0.01}, "checkpoint is 5; give the path of a folder"),
        ({"callback": print}, "callback is a builtin_function_or_method without the method rows"),
    ],
)
def test_values_that_mean_nothing_get_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        fitted(**options)


ODD = [np.bool_(True), decimal.Decimal("NaN"), fractions.Fraction(1, 3), np.array([1, 2]), torch.tensor([1.0, 2.0]), "",
       b"x", -1, float("inf"), float("nan"), 10**30, 1j, [], {}, {1}, object(), int, len, "\x00", "\ud800"]  # fmt: skip
BESIDE: dict[str, dict[str, Any]] = {
    "momentum": {"lr": 0.01}, "dampening": {"lr": 0.01, "momentum": 0.9}, "activation": {"hidden": (2,)},
    "dropout": {"hidden": (2,)}, "n_init": {"hidden": (2,)}, "betas": {"optimizer": "adam"},
    "tau": {"loss": "quantile"}, "delta": {"loss": "huber"}, "lags": {"cov_type": "hac"},
    "threshold": {"schedule": "plateau"}, "gamma": {"schedule": "exponential"},
}  # fmt: skip


@pytest.mark.parametrize(
    "name", sorted({*FitOptions.__annotations__, "model", "task"} - {"epochs", "n_init", "target"})
)
def test_no_value_of_an_option_is_an_error_of_another_kind(name: str) -> None:
    for value in ODD:
        try:
            fitted(**{"epochs": 2, **BESIDE.get(name, {}), name: value} if name != "solver" else {name: value})
        except SlopewiseError as error:
            assert "\n" not in str(error) and len(str(error)) < 400


@pytest.mark.parametrize(
    ("module", "given"),
    [(torch.nn.Linear, "the class Linear"), (lambda x: x, "a function"), ("Linear", "a str"), (3, "a int")],
)
def test_a_module_must_be_a_module(module: Any, given: str) -> None:
    with pytest.raises(DataError, match=rf"module is {given}, expected a torch.nn.Module; .* nn.Linear\(2, 1\)"):
        fitted(module=module, lr=0.01, epochs=2)

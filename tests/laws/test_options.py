"""Every option on every kind of fit works or is answered in one sentence: never ignored, never a traceback."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catalog import KINDS, Kind

import slopewise
from slopewise.api import FitOptions
from slopewise.errors import SlopewiseError

N = 60


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two columns and a category; a number, classes that overlap, overdispersed counts and costs; hours and weights."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=N), rng.normal(size=N)
    kind = np.array(["p", "q", "r"])[rng.integers(0, 3, N)]
    score = a + 0.5 * b + rng.normal(size=N)
    return pd.DataFrame(
        {
            "a": a,
            "b": 3 * b + 10,
            "c": kind,
            "y": 2 + a - b + 0.3 * rng.normal(size=N),
            "two": np.where(score > 0, "yes", "no"),
            "three": np.array(["low", "mid", "top"])[np.digitize(score + rng.normal(size=N), [-0.7, 0.7])],
            "w": rng.uniform(0.5, 2, N),
            "count": rng.poisson(np.exp(0.5 + 0.3 * a) * rng.gamma(1.0, 1.0, N)).astype(float),
            "cost": rng.gamma(2.0, np.exp(0.5 * a)),
            "hours": rng.uniform(0.5, 2, N),
        }
    )


def fit(table: pd.DataFrame, **options: Any) -> Any:
    return slopewise.fit(table, **{"features": ["a", "b"]} | options)


def one_sentence(error: SlopewiseError) -> str:
    text = str(error)
    assert text.endswith(".") and "\n" not in text and len(text) < 400, text
    return text


@pytest.fixture(scope="module")
def fits(table: pd.DataFrame) -> dict[str, Any]:
    return {kind.name: fit(table, **kind.options) for kind in KINDS}


VERBS: dict[str, dict[str, Any]] = {
    "interval": {"interval": 0.9},
    "of": {"interval": 0.9, "of": "mean"},
    "threshold": {"threshold": 0.3},
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_option_of_predict_changes_the_answer_or_is_refused(
    kind: Kind, verb: str, fits: dict[str, Any], table: pd.DataFrame
) -> None:
    found, options = fits[kind.name], VERBS[verb]
    if verb not in kind.verbs:
        with pytest.raises(SlopewiseError) as raised:
            found.predict(table, **options)
        what = ("leave it out", "no interval can be given", "known for least squares alone")
        assert any(words in one_sentence(raised.value) for words in what)
        with pytest.raises(SlopewiseError):
            list(found.predict_table(table, **options))
        return
    before = {**options}
    before.popitem()
    if "interval" not in kind.verbs:  # but for least squares the interval is that of the mean alone
        before.pop("interval", None)
    assert not found.predict(table, **options).equals(found.predict(table, **before))
    tables = list(found.predict_table(table, **options))
    assert sum(part.num_rows for part in tables) == N


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_mean_without_an_interval_is_refused(kind: Kind, fits: dict[str, Any], table: pd.DataFrame) -> None:
    with pytest.raises(SlopewiseError, match="of='mean'"):
        fits[kind.name].predict(table, of="mean")
    with pytest.raises(SlopewiseError, match="of 'median' is not known"):
        fits[kind.name].predict(table, of="median", interval=0.9 if "of" in kind.verbs else None)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_evaluate_takes_a_threshold_or_refuses_it(kind: Kind, fits: dict[str, Any], table: pd.DataFrame) -> None:
    found = fits[kind.name]
    if "threshold" in kind.verbs:
        assert found.evaluate(table, threshold=0.95) != found.evaluate(table)
        return
    with pytest.raises(SlopewiseError, match="threshold is for two classes"):
        found.evaluate(table, threshold=0.95)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_verb_answers(kind: Kind, fits: dict[str, Any], table: pd.DataFrame, tmp_path: Any) -> None:
    found = fits[kind.name]
    path = tmp_path / "fit.safetensors"
    found.save(path)
    for same in (found, slopewise.load(path)):
        assert same.summary().count("\n") > 5 and json.loads(same.to_json()) == json.loads(found.to_json())
        for style in ("plain", "class"):
            compile(same.code(style=style), "script", "exec")
        if "history" in kind.verbs:
            assert len(same.history) == 31 and same.at(10).predict(table) is not None
            continue
        for asked in (lambda same=same: same.history, lambda same=same: same.at(3), same.history_table):
            with pytest.raises(SlopewiseError, match="has no epochs"):
                asked()
    if kind.name.startswith("network"):
        with pytest.raises(SlopewiseError, match="hidden layers has no coefficients"):
            found.coefficients  # noqa: B018
    else:
        assert len(found.coefficients) >= 3
    with pytest.raises(SlopewiseError, match="style 'prose' is not known"):
        found.code(style="prose")


SAMPLES: dict[str, Any] = {
    "target": "w",
    "features": ["a"],
    "exclude": (["w"], {"features": None, "weights": None}),
    "categories": ["a"],
    "numbers": ["a"],
    "na_values": ["-"],
    "decimal": ",",
    "thousands": ",",
    "weights": "w",
    "offset": "w",
    "exposure": "w",
    "loss": "huber",
    "tau": 0.25,
    "delta": 2.0,
    "overdispersion": 0.5,
    "cluster": "w",
    "table_name": "t",
    "intercept": False,
    "missing": "drop",
    "seed": 3,
    "batch_rows": 7,
    "callback": None,
    "engine": None,
    "l2": 3.0,
    "l1": 3.0,
    "firth": True,
    "class_weight": "balanced",
    "hidden": (4,),
    "activation": "tanh",
    "dropout": 0.2,
    "n_init": 3,
    "module": None,
    "optimizer": "rmsprop",
    "lr": 0.05,
    "momentum": 0.5,
    "dampening": 0.1,
    "nesterov": True,
    "weight_decay": 0.1,
    "betas": (0.8, 0.99),
    "eps": 1e-3,
    "amsgrad": True,
    "alpha": 0.9,
    "centered": True,
    "lr_decay": 0.1,
    "schedule": "cosine",
    "step_size": 5,
    "gamma": 0.9,
    "t_max": 12,
    "eta_min": 0.001,
    "factor": 0.5,
    "plateau_patience": 2,
    "threshold": 0.1,
    "min_lr": 1e-4,
    "epochs": 12,
    "batch_size": 16,
    "init": "ones",
    "standardize": False,
    "history_every": 5,
    "dtype": "float32",
    "monitor": "validation",
    "patience": (3, {"min_delta": 100.0}),
    "min_delta": 0.1,
    "gap_tol": 0.5,
    "grad_tol": 0.5,
    "test_size": 0.2,
    "validation_size": 0.2,
    "cov_type": "hc1",
    "lags": (3, {"cov_type": "hac"}),
    "confidence_level": 0.8,
    "solver": "lbfgs",
    "warm_start": None,
    "early_stopping": True,
    "allow_divergence": True,
    "checkpoint": None,
    "resume": True,
}

HARMLESS = {
    "batch_rows",  # how many rows are read at a time changes no answer
    "seed",  # changes what is random, and a full-batch descent from zeros has nothing random in it
    "missing",  # nothing is missing here
    *("numbers", "na_values", "decimal", "thousands"),  # of text alone, and these are numbers
    "amsgrad",  # the largest squared gradient is the last one where they grow
    "allow_divergence",  # lets pass what would be refused
}
NEEDS_MORE = {"callback", "engine", "module", "warm_start", "checkpoint"}
"""Their values are objects; tests of their own give them."""


def test_every_option_has_a_sample() -> None:
    assert set(SAMPLES) == set(FitOptions.__annotations__)


@pytest.mark.parametrize("option", [name for name in SAMPLES if name not in NEEDS_MORE])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_option_of_fit_changes_the_fit_or_is_refused(
    kind: Kind, option: str, fits: dict[str, Any], table: pd.DataFrame
) -> None:
    """Refused in one sentence, or obeyed: what the fit reports is no longer the same."""
    value, more = SAMPLES[option] if option in ("patience", "lags", "exclude") else (SAMPLES[option], {})
    if kind.options.get(option) == value:
        return
    try:
        found = fit(table, **kind.options | {option: value} | more)
    except SlopewiseError as error:
        one_sentence(error)
        return
    if option not in HARMLESS:
        assert everything(found) != everything(fits[kind.name]), f"{option} was ignored"


def everything(found: Any) -> str:
    """Return all that a fit reports, its history included."""
    try:
        history = found.history.to_json()
    except SlopewiseError:
        history = ""
    return json.dumps(found.to_dict(), sort_keys=True) + history

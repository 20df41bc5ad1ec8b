"""A file of every kind of fit, saved once: each must load, and report and predict what it did, for ever.

`python tests/results/test_stored.py` writes those that are not there yet; one that is there is never written again.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import slopewise
from slopewise.results.report.sections import summary
from slopewise.results.storage.header import read_header, shown_in

STORED = Path(__file__).parent / "stored"


def rows() -> dict[str, list[float]]:
    make = np.random.default_rng(11)
    a, b, n = make.normal(size=40), make.normal(size=40), 40
    eta = 0.4 * a - 0.3 * b
    return {
        "a": a.round(3).tolist(),
        "b": b.round(3).tolist(),
        "hours": make.uniform(0.5, 2, n).round(3).tolist(),
        "school": make.integers(0, 6, n).astype(float).tolist(),
        "y": (eta + make.normal(size=n)).round(3).tolist(),
        "two": (eta + make.logistic(size=n) > 0).astype(float).tolist(),
        "three": (eta + make.normal(size=n)).round().clip(-1, 1).astype(int).astype(str).tolist(),
        "count": make.poisson(np.exp(eta)).astype(float).tolist(),
        "excess": make.negative_binomial(1, 1 / (1 + np.exp(eta))).astype(float).tolist(),
        "cost": (make.gamma(2.0, np.exp(eta)) + 0.01).round(3).tolist(),
    }


KINDS: dict[str, dict[str, object]] = {
    "linear": {"target": "y"},
    "linear-cluster": {"target": "y", "cluster": "school"},
    "linear-hac": {"target": "y", "cov_type": "hac", "lags": 2},
    "linear-l1": {"target": "y", "l1": 3.0},
    "descent": {"target": "y", "solver": "gd", "epochs": 20},
    "logistic": {"target": "two", "cov_type": "hc1"},
    "logistic-firth": {"target": "two", "firth": True},
    "logistic-descent": {"target": "two", "solver": "gd", "epochs": 20},
    "softmax": {"target": "three"},
    "network": {"target": "y", "hidden": (3,), "epochs": 20},
    "network-classes": {"target": "three", "hidden": (3,), "epochs": 20, "n_init": 2},
    "poisson": {"target": "count", "loss": "poisson", "exposure": "hours"},
    "negative_binomial": {"target": "excess", "loss": "negative_binomial", "overdispersion": 1.0},
    "gamma": {"target": "cost", "loss": "gamma"},
    "huber": {"target": "y", "loss": "huber"},
    "absolute": {"target": "y", "loss": "absolute"},
    "quantile": {"target": "y", "loss": "quantile", "tau": 0.75},
}


def report(fit: slopewise.Fit) -> dict[str, object]:
    head = {name: values[:5] for name, values in rows().items()}
    return {"summary": fit.summary(), "prediction": np.asarray(fit.predict(head)["prediction"]).tolist()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_this_kind_loads_for_ever(kind: str) -> None:
    found = report(slopewise.load(STORED / f"{kind}.safetensors"))
    wanted = json.loads((STORED / f"{kind}.json").read_text(encoding="utf-8"))
    assert found["summary"] == wanted["summary"]
    if isinstance(wanted["prediction"][0], str):
        # Classes that are numbers were predicted as text when these files were made.
        assert list(map(str, found["prediction"])) == wanted["prediction"]
    else:
        np.testing.assert_allclose(found["prediction"], wanted["prediction"], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_header_of_this_kind_is_shown_for_ever(kind: str) -> None:
    path = STORED / f"{kind}.safetensors"
    shown, _ = shown_in(path, read_header(path))
    wanted = json.loads((STORED / f"{kind}.json").read_text(encoding="utf-8"))["summary"]
    if kind == "linear-l1":  # saved before its coefficients that are not 0 were counted
        assert summary(shown).splitlines()[:12] == wanted.splitlines()[:12]
    else:
        assert summary(shown) == wanted


def test_no_file_is_without_a_kind() -> None:
    assert {path.stem for path in STORED.iterdir()} == set(KINDS)


if __name__ == "__main__":
    for name, options in KINDS.items():
        path = STORED / f"{name}.safetensors"
        if not path.exists():
            fit = slopewise.fit(rows(), features=["a", "b"], **options)
            fit.save(path)
            path.with_suffix(".json").write_text(
                json.dumps(report(fit), indent=1, ensure_ascii=False), encoding="utf-8"
            )

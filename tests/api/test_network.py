"""The fit of a network: the documents' figures, every verb, saving, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scripts import check_clean
from torch import nn

import slopewise
from slopewise.errors import DataError, FitError, OptionError, StoreError
from slopewise.results.fit import Fit
from slopewise.results.prediction.scores import predicted
from slopewise.results.record import ClassificationMetrics
from slopewise.solution import Status

EXAMPLES = Path(__file__).parents[2] / "examples"
PAIRS = {"x1": [0.0, 0.0, 1.0, 1.0], "x2": [0.0, 1.0, 0.0, 1.0]}
XOR = {**PAIRS, "y": [0.0, 1.0, 1.0, 0.0]}


@pytest.fixture(scope="module")
def mass(penguins):
    return slopewise.fit(
        penguins,
        target="body_mass_g",
        missing="drop",
        hidden=(64, 64),
        optimizer="adam",
        batch_size=32,
        epochs=200,
        activation="tanh",
        validation_size=0.2,
        test_size=0.2,
        early_stopping=True,
    )


@pytest.fixture(scope="module")
def species(penguins):
    return slopewise.fit(
        penguins,
        target="species",
        missing="drop",
        model="mlp",
        hidden="8",
        epochs=300,
        test_size=0.25,
        activation="tanh",
    )


@pytest.fixture(scope="module")
def small():
    """A network small enough that all its states are kept."""
    return slopewise.fit(XOR, target="y", hidden=(3,), activation="sigmoid", lr=1.0, epochs=50, standardize=False)


def same(a, b, rows):
    """Whether two fits are one to the last bit."""
    assert a.to_json() == b.to_json() and a.summary() == b.summary()
    assert torch.equal(a.theta, b.theta) and torch.equal(a.descent.history.cost, b.descent.history.cost)
    for one, other in zip(a.predict_table(rows), b.predict_table(rows), strict=True):
        assert one.equals(other)


def test_and_by_logistic_descent_as_in_the_document():
    fit = slopewise.fit(
        {**PAIRS, "y": [0.0, 0.0, 0.0, 1.0]}, target="y", model="logistic", lr=0.1, epochs=8000, standardize=False
    )
    assert fit.predict(PAIRS)["p(1)"] == pytest.approx([2.58e-5, 2.56e-2, 2.56e-2, 0.964], abs=2e-3)
    assert fit.coefficients.to_pydict()["estimate"] == pytest.approx([-10.611, 6.958, 6.958], abs=1e-3)
    assert "Logistic regression by gradient descent of y" in fit.summary()


def test_a_network_without_options_is_trained_as_the_field_does():
    table = {"x": np.linspace(-3, 3, 400), "y": np.sin(2 * np.linspace(-3, 3, 400))}
    fit = slopewise.fit(table, target="y", model="mlp")
    plan = fit.descent.plan
    assert fit.record.model.hidden == (100,) and (plan.optimizer, plan.batch_size, plan.lr) == ("adam", 32, 0.001)
    assert fit.validation.n == 40 and plan.stopping.patience == 20 and fit.descent.best_epoch <= fit.descent.epochs
    assert "the defaults of a network were taken" in fit.reason and fit.train.r2 > 0.9
    few = slopewise.fit({name: values[::20] for name, values in table.items()}, target="y", model="mlp")
    assert few.n == 20 and few.validation is None and few.descent.plan.batch_size == 20
    named = slopewise.fit(table, target="y", model="mlp", epochs=3)
    assert named.descent.plan.batch_size is None and named.record.model.hidden == (100,)
    assert "defaults" not in named.reason


def test_the_reason_speaks_of_a_network_where_there_is_one():
    counts = {**PAIRS, "y": [0.0, 1.0, 4.0, 2.0]}
    reasons = [
        slopewise.fit(counts, target="y", epochs=2, lr=0.1, **options).reason
        for options in (
            {"loss": "huber", "delta": 1.0},
            {"loss": "poisson"},
            {"model": "softmax"},
            {"loss": "poisson", "model": "mlp", "hidden": (2,)},
            {"model": "mlp"},
        )
    ]
    of_loss = "the plain loop: only squared loss has a closed form, and the loss is {}"
    of_network = "the plain loop: the descent of a network has no closed form"
    assert reasons == [*(of_loss.format(name) for name in ("huber", "poisson", "softmax")), of_network, of_network]


def test_one_layer_stays_at_equal_odds_on_xor_and_a_finding_explains_it():
    fit = slopewise.fit(XOR, target="y", model="logistic", lr=1.0, epochs=500, standardize=False, init="torch")
    assert fit.descent.cost == pytest.approx(0.6931, abs=5e-5)
    assert "one-layer" in {finding["code"] for finding in fit.findings}


def test_two_layers_solve_xor_as_in_the_document():
    fit = slopewise.fit(
        XOR,
        target="y",
        hidden=(3,),
        activation="sigmoid",
        lr=1.0,
        epochs=10_000,
        standardize=False,
        n_init=16,
    )
    assert fit.descent.cost < 0.0015
    assert fit.predict(PAIRS)["prediction"].tolist() == [0, 1, 1, 0]
    assert fit.descent.starts.count == 16 and fit.descent.starts.solved > 8
    assert f"{fit.descent.starts.solved} of 16 starts solved it" in fit.summary()
    with pytest.raises(OptionError, match="of many starts only the end is kept"):
        fit.at(0)


def test_a_plateau_is_reported():
    fit = slopewise.fit(XOR, target="y", hidden=(2,), activation="sigmoid", lr=0.1, epochs=300, n_init=8)
    assert fit.descent.starts.solved == 0
    assert "no better than the null model" in " ".join(fit.summary().split())
    assert sum(plateau["count"] for plateau in fit.to_dict()["descent"]["starts"]["plateaus"]) == 8


def test_penguins_by_a_network_with_early_stopping(mass, penguins):
    assert isinstance(mass, Fit) and mass.status is Status.STOPPED
    assert mass.test.r2 > 0.82 and mass.validation.r2 > 0.82
    history = mass.history
    assert isinstance(history, pd.DataFrame)
    assert list(history.columns) == ["epoch", "cost", "validation", "lr", "gradient_norm"]
    best = int(history["validation"].idxmin())
    assert mass.descent.best_epoch == history["epoch"][best]
    assert history["validation"][best] == pytest.approx(mass.validation.rmse**2, rel=1e-9)
    assert mass.descent.cost == pytest.approx(mass.train.rmse**2, rel=1e-9)
    assert "over-fitting" not in {finding["code"] for finding in mass.findings}


def test_penguins_by_a_network_of_three_classes(species, penguins):
    assert isinstance(species.test, ClassificationMetrics) and species.test.accuracy > 0.95
    assert species.descent.cost == pytest.approx(species.train.log_loss, rel=1e-9)
    found = species.predict(penguins.dropna().set_index(pd.RangeIndex(100, 433)))
    assert list(found.columns) == ["prediction", "p(Adelie)", "p(Chinstrap)", "p(Gentoo)"]
    assert found.index[0] == 100
    p = found[found.columns[1:]].to_numpy()
    assert (
        p.sum(1) == pytest.approx(np.ones(333)) and (p.argmax(1) == found["prediction"].factorize(sort=True)[0]).all()
    )
    with pytest.raises(OptionError, match="threshold is for two classes"):
        species.predict(penguins.dropna(), threshold=0.3)


@pytest.mark.parametrize("name", ["mass", "species", "small"])
def test_summary_and_json(name, request):
    fit = request.getfixturevalue(name)
    text = fit.summary()
    assert max(map(len, text.splitlines())) <= 80
    assert fit.model.describe() in text and fit.descent.plan.optimizer in text
    plain = json.loads(fit.to_json())
    assert plain["parameters"] == len(fit.theta) and plain["descent"]["cost"] == pytest.approx(fit.descent.cost)
    assert plain["train"]["n"] == fit.n


@pytest.mark.parametrize("name", ["mass", "species", "small"])
def test_saved_and_loaded_to_the_last_bit(name, request, tmp_path, penguins):
    fit = request.getfixturevalue(name)
    fit.save(tmp_path / "a.fit")
    again = slopewise.load(tmp_path / "a.fit")
    same(fit, again, XOR if name == "small" else penguins)
    again.save(tmp_path / "b.fit")
    assert (tmp_path / "a.fit").read_bytes() == (tmp_path / "b.fit").read_bytes()


def test_every_start_is_saved(tmp_path):
    fit = slopewise.fit(XOR, target="y", hidden=(2,), lr=0.5, epochs=40, n_init=3, activation="tanh", l2=0.1)
    fit.save(tmp_path / "a.fit")
    same(fit, slopewise.load(tmp_path / "a.fit"), XOR)


def test_states_of_recorded_epochs(small, tmp_path, mass):
    table = small.history_table().to_pydict()
    assert len(table["W1[1,1]"]) == len(table["d b2[1]"]) == 51
    start = small.at(0)
    eta = start.model.forward(start.theta, torch.tensor([[0.0, 1.0]], dtype=torch.float64))
    assert start.predict({"x1": [0.0], "x2": [1.0]})["p(1)"][0] == pytest.approx(float(torch.sigmoid(eta)))
    assert start.train.log_loss == pytest.approx(table["cost"][0]) and small.at(50).theta.equal(small.theta)
    small.save(tmp_path / "a.fit")
    assert slopewise.load(tmp_path / "a.fit").at(7).theta.equal(small.at(7).theta)
    with pytest.raises(OptionError, match="epoch 51 does not exist"):
        small.at(51)
    assert mass.at(3).train.rmse > mass.train.rmse
    mass.save(tmp_path / "b.fit")
    with pytest.raises(OptionError, match="holds the state of epoch"):
        slopewise.load(tmp_path / "b.fit").at(3)


def test_predictions_come_in_the_kind_of_the_rows(small, mass):
    x = np.array([[0.0, 1.0], [1.0, 1.0]])
    fit = slopewise.fit((x.repeat(2, 0), np.array([0.0, 1.0, 1.0, 0.0])), hidden=(2,), epochs=3)
    assert fit.predict(x).dtype == np.int64 and fit.predict(x).shape == (2,)
    assert set(small.predict(PAIRS)) == {"prediction", "p(0)", "p(1)"}
    p = small.predict(PAIRS)["p(1)"]
    some = float(p.mean())
    assert small.predict(PAIRS, threshold=some)["prediction"].tolist() == [1 if q >= some else 0 for q in p]
    with pytest.raises(FitError, match="no interval can be given"):
        small.predict(PAIRS, interval=0.9)
    assert small.evaluate(XOR, threshold=0.5).n == 4 and mass.predict_table


class Bent(nn.Module):
    """A module of the user's own, with a frozen number and a buffer that training moves."""

    def __init__(self, outputs=1):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.layers = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, outputs))

    def forward(self, x):
        return self.layers(self.norm(x))


def test_a_module_of_ones_own(tmp_path):
    torch.manual_seed(0)
    mine = Bent()
    before = {name: value.clone() for name, value in mine.state_dict().items()}
    fit = slopewise.fit(XOR, target="y", module=mine, lr=0.5, epochs=200)
    assert fit.train.accuracy == 1.0 and "Bent, 29 parameters" in fit.summary()
    assert all(torch.equal(value, before[name]) for name, value in mine.state_dict().items())
    fit.save(tmp_path / "a.fit")
    same(fit, slopewise.load(tmp_path / "a.fit", module=Bent()), XOR)
    with pytest.raises(OptionError, match="buffers .* were kept of the end alone"):
        fit.at(3)
    with pytest.raises(StoreError, match=r"whose code is not in the file; give it again: load\(path, module=…\)"):
        slopewise.load(tmp_path / "a.fit")
    with pytest.raises(StoreError, match="not the one that was saved"):
        slopewise.load(tmp_path / "a.fit", module=nn.Linear(2, 1))


def test_float32_is_kept_through_saving(tmp_path):
    fit = slopewise.fit(XOR, target="y", hidden=(4,), dtype="float32", epochs=20)
    assert next(fit.network.parameters()).dtype == torch.float32
    fit.save(tmp_path / "a.fit")
    same(fit, slopewise.load(tmp_path / "a.fit"), XOR)


def test_weights_and_class_weights_reach_the_cost(penguins):
    rows = penguins.dropna()
    options = {"target": "sex", "model": "logistic", "solver": "gd_loop", "epochs": 3000, "momentum": 0.9}
    features = {"features": ["bill_length_mm", "body_mass_g"], "weights": "flipper_length_mm", "l2": 1.0}
    descended = slopewise.fit(rows, class_weight="balanced", **options, **features)
    newton = slopewise.fit(rows, class_weight="balanced", target="sex", model="logistic", **features)
    estimates = descended.coefficients["estimate"].tolist()
    assert estimates == pytest.approx(newton.theta.tolist(), rel=1e-6)


def test_interrupted_training_resumes(tmp_path):
    options = {"target": "y", "hidden": (3,), "activation": "tanh", "lr": 0.5, "checkpoint": tmp_path / "kept"}
    slopewise.fit(XOR, epochs=20, **options)
    resumed = slopewise.fit(XOR, epochs=60, resume=True, **options)
    uninterrupted = slopewise.fit(XOR, epochs=60, **{**options, "checkpoint": None})
    assert resumed.theta.equal(uninterrupted.theta)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"hidden": (0,)}, OptionError, "hidden holds 0"),
        ({"hidden": "8,x"}, OptionError, "whole numbers"),
        ({"hidden": (3,), "init": "zeros"}, OptionError, "makes all units of a hidden layer equal"),
        ({"hidden": (3,), "activation": "cube"}, OptionError, "activation 'cube' is not known"),
        ({"hidden": (3,), "intercept": False}, OptionError, "a network keeps its biases"),
        ({"module": nn.Linear(2, 3)}, DataError, r"returns \(3, 3\), and the loss needs \(3, 1\)"),
        ({"module": nn.Linear(5, 1)}, DataError, "its first layer has to take 2 columns"),
        ({"module": nn.Linear(2, 1), "hidden": (3,)}, OptionError, "hidden was given together with a module"),
        ({"module": nn.Linear(2, 1), "init": "he"}, OptionError, "leave init out"),
        ({"module": nn.Linear(2, 1), "n_init": 4}, OptionError, "set n_init to 1 for a module"),
        ({"hidden": (3,), "n_init": 4, "dropout": 0.5}, OptionError, "without dropout"),
        ({"hidden": (3,), "batch_size": 9}, OptionError, "batch_size 9 is more than the 4 rows"),
        ({"hidden": (3,), "monitor": "validation", "patience": 3}, OptionError, "needs validation rows"),
        ({"hidden": (3,), "init": [1.0, 2.0]}, OptionError, "init has 2 values"),
    ],
)  # fmt: skip
def test_refusals(options, error, sentence):
    with pytest.raises(error, match=sentence):
        slopewise.fit(XOR, target="y", epochs=2, **options)


def test_values_that_are_not_finite_are_named():
    with pytest.raises(DataError, match="'x2'.*row 2"):
        slopewise.fit({**XOR, "x2": [0.0, float("inf"), 0.0, 1.0]}, target="y", hidden=(3,), epochs=2)


def test_a_descent_that_diverges_keeps_the_last_good_state():
    table = {"x": list(np.linspace(-3, 3, 40)), "y": list(np.linspace(-3, 3, 40) ** 3)}
    fit = slopewise.fit(table, target="y", hidden=(8,), activation="identity", lr=50.0, epochs=50)
    assert fit.status is Status.DIVERGED and fit.theta.isfinite().all()
    assert "take a smaller learning rate" in " ".join(fit.summary().split())


PENGUINS = EXAMPLES / "penguins.csv"
CODED = {
    "mini-batches, a CSV file": (
        PENGUINS,
        {"target": "body_mass_g", "hidden": (6, 4), "optimizer": "adam", "batch_size": 32, "test_size": 0.2, "l2": 0.1},
    ),
    "rows held out twice, stopped early": (
        PENGUINS,
        {"target": "body_mass_g", "hidden": (6,), "lr": 0.05, "early_stopping": True}
        | {"test_size": 0.15, "validation_size": 0.2, "seed": 2},
    ),
    "three classes": (PENGUINS, {"target": "species", "hidden": (5,), "activation": "tanh", "seed": 4}),
    "three classes, one layer": (PENGUINS, {"target": "species", "model": "softmax", "solver": "gd_loop", "l2": 2.0}),
    "two classes, weights": (
        PENGUINS,
        {
            "target": "sex",
            "hidden": (4,),
            "weights": "flipper_length_mm",
            "class_weight": "balanced",
            "dropout": 0.3,
            "schedule": "cosine",
        },
    ),
    "four rows": (XOR, {"target": "y", "hidden": (3,), "lr": 1.0, "standardize": False, "activation": "sigmoid"}),
    "the best of many": (XOR, {"target": "y", "hidden": (3,), "lr": 1.0, "activation": "sigmoid", "n_init": 4}),
    "a given start": (XOR, {"target": "y", "hidden": (2,), "lr": 1.0, "init": [0.1 * i for i in range(9)]}),
    "single precision": (PENGUINS, {"target": "body_mass_g", "hidden": (4,), "dtype": "float32", "lr": 0.01}),
    "columns of zeros and ones": (EXAMPLES / "xor.csv", {"target": "y", "hidden": (3,), "init": "he", "lr": 0.5}),
}


@pytest.mark.parametrize(
    ("case", "style"), [*((case, "plain") for case in CODED), ("three classes", "class"), ("four rows", "class")]
)
def test_the_script_reproduces_the_fit(case, style, capsys):
    table, options = CODED[case]
    fit = slopewise.fit(table, missing="drop", epochs=30, **options)
    text = fit.code(style)
    assert "slopewise" not in text
    before = torch.get_default_dtype()
    try:
        with torch.random.fork_rng():
            exec(compile(text, "script", "exec"), {"__name__": "script"})
    finally:
        torch.set_default_dtype(before)
    printed = dict(
        line.split(": ", 1) for line in capsys.readouterr().out.splitlines() if line.startswith(("cost", "pred"))
    )
    close = 1e-4 if options.get("dtype") == "float32" else 1e-9
    assert float(printed["cost"]) == pytest.approx(fit.descent.cost, rel=close)
    rows = next(fit.data.train.batches(1))
    answer = predicted(fit.record, rows.x)
    expected = answer.exp()[0].tolist() if fit.class_names else [answer.item()]
    assert json.loads(printed["prediction"]) == pytest.approx(expected, rel=close)


def test_the_scripts_are_clean(tmp_path):
    for number, (table, options) in enumerate(CODED.values()):
        for style in ("plain", "class"):
            fit = slopewise.fit(table, missing="drop", epochs=2, **options)
            (tmp_path / f"{number}_{style}.py").write_text(fit.code(style), encoding="utf-8")
    check_clean(tmp_path)


def test_no_script_is_written_where_it_could_not_reproduce_the_fit(mass, tmp_path, small):
    many = {"x": [float(i) for i in range(201)], "y": [float(i % 7) for i in range(201)]}
    with pytest.raises(OptionError, match="rows are not one plain CSV file, and too many to write out"):
        slopewise.fit(many, target="y", hidden=(3,), epochs=2).code()
    small.save(tmp_path / "a.fit")
    assert slopewise.load(tmp_path / "a.fit").code() == small.code()


def test_the_limit_along_the_run_is_that_of_the_states_in_the_history(tmp_path):
    fit = slopewise.fit(XOR, target="y", hidden=(3,), activation="sigmoid", lr=1.0, epochs=4000)
    found = fit.descent.sharpness
    assert found.epoch.tolist() == [0, 1000, 2000, 3000, 4000]
    x, y, _ = (torch.tensor(XOR[name], dtype=torch.float64) for name in ("x1", "x2", "y"))
    u = (torch.stack([x, y], 1) - fit.descent.units.mean) / fit.descent.units.scale
    target = torch.tensor(XOR["y"], dtype=torch.float64)

    def cost(theta):
        eta = fit.model.forward(theta, u)[:, 0]
        return torch.nn.functional.binary_cross_entropy_with_logits(eta, target)

    columns = (found.epoch.tolist(), found.eigenvalue.tolist(), found.lr.tolist())
    for epoch, eigenvalue, lr in zip(*columns, strict=True):
        hessian = torch.autograd.functional.hessian(cost, fit.descent.history.parameters[epoch])
        assert eigenvalue == pytest.approx(float(torch.linalg.eigvalsh(hessian)[-1]), rel=1e-3)
        assert lr == pytest.approx(2 / eigenvalue)
    assert fit.descent.largest_lr == found.lr[0]
    history = fit.history_table().to_pandas()
    assert history["largest_lr"].dropna().index.tolist() == found.epoch.tolist()
    assert history["sharpness"][4000] == found.eigenvalue[-1]
    reported = fit.to_dict()["descent"]["sharpness"]
    assert reported[0] == {"epoch": 0, "sharpness": float(found.eigenvalue[0]), "largest_stable_lr": float(found.lr[0])}
    assert "at the start" in fit.summary() and "at epoch 4000" in " ".join(fit.summary().split())
    fit.save(tmp_path / "a.fit")
    again = slopewise.load(tmp_path / "a.fit")
    assert again.summary() == fit.summary() and again.history_table().to_pandas().equals(history)


@pytest.mark.parametrize(
    "options", [{"hidden": (3,), "optimizer": "adam"}, {"model": "logistic"}, {"hidden": (3,), "n_init": 2}]
)
def test_no_limit_along_the_run_where_it_has_none_or_is_known_for_all_of_it(options):
    fit = slopewise.fit(XOR, target="y", epochs=3, **options)
    assert fit.descent.sharpness is None and "sharpness" not in fit.history_table().column_names


def test_a_batch_norm_has_a_limit_at_the_start_alone():
    own = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 1))
    fit = slopewise.fit(XOR, target="y", module=own, epochs=3, optimizer="sgd", lr=0.1)
    assert fit.descent.sharpness is None and np.isfinite(fit.descent.largest_lr)


def test_the_edge_of_stability_is_noticed():
    """Large steps on all rows: the sharpness rises until the step is its limit (Cohen et al., ICLR 2021)."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 3))
    table = {f"x{j}": x[:, j] for j in range(3)} | {"y": np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]}
    fit = slopewise.fit(table, target="y", hidden=(32, 32), activation="tanh", lr=0.12, epochs=1500)
    (found,) = [finding for finding in fit.findings if finding["code"] == "edge-of-stability"]
    limits = fit.descent.sharpness.lr
    assert limits[0] > 0.12 and found["number"]["value"] == pytest.approx(0.12 / float(limits[-1]))
    calm = slopewise.fit(table, target="y", hidden=(32, 32), activation="tanh", lr=0.01, epochs=300)
    assert "edge-of-stability" not in [finding["code"] for finding in calm.findings]


def test_a_step_beyond_the_limit_is_named_and_not_refused():
    fit = slopewise.fit(XOR, target="y", model="logistic", lr=50.0, epochs=5)
    (found,) = [finding for finding in fit.findings if finding["code"] == "lr-beyond-limit"]
    assert found["number"]["value"] == pytest.approx(50 / fit.descent.largest_lr)
    assert "for all parameters" in found["cause"]
    wild = slopewise.fit(
        {"x": list(np.linspace(-3, 3, 40)), "y": list(np.linspace(-3, 3, 40) ** 3)},
        target="y",
        hidden=(8,),
        activation="identity",
        lr=50.0,
        epochs=50,
    )
    assert [finding["code"] for finding in wild.findings] == ["lr-beyond-limit"]


def test_a_logistic_descent_by_too_large_a_step_has_diverged():
    """A logistic cost grows by no factor: one step too large throws it off, and it comes back by small ones."""
    fit = slopewise.fit(XOR, target="y", model="logistic", lr=1e9, epochs=20, init=(0.3, -0.2, 0.1))
    assert fit.status is Status.DIVERGED and fit.descent.best_epoch < 20
    assert f"lr={fit.descent.largest_lr / 2:.2g}" in fit.solution.advice
    assert fit.descent.cost < 1.0


def test_a_model_worse_than_the_null_model_has_a_finding():
    draw = np.random.default_rng(0)
    table = {"x": draw.normal(size=50), "y": draw.normal(size=50)}
    fit = slopewise.fit(table, target="y", hidden=(3,), epochs=1, lr=1e-6, seed=1, init="normal")
    assert [finding["code"] for finding in fit.findings if "constant" in finding["code"]] == ["worse-than-constant"]


def test_the_cost_of_a_state_between_two_recorded_ones_is_its_own(tmp_path):
    """Early stopping keeps an epoch that a thin history lacks: its cost is measured, not looked up."""
    options = {
        "target": "body_mass_g",
        "missing": "drop",
        "hidden": (8,),
        "activation": "tanh",
        "lr": 0.1,
        "epochs": 2000,
    }
    options |= {"validation_size": 0.3, "seed": 3}
    whole = slopewise.fit(PENGUINS, **options, early_stopping=True)
    thin = slopewise.fit(PENGUINS, **options, early_stopping=True, history_every=0)
    kept = whole.descent.best_epoch
    assert 0 < kept < whole.descent.epochs and thin.descent.best_epoch == kept
    assert kept not in thin.descent.history.epoch.tolist()
    assert thin.descent.cost == pytest.approx(whole.descent.cost, rel=1e-12)
    thin.save(tmp_path / "a.fit")
    assert slopewise.load(tmp_path / "a.fit").descent.cost == thin.descent.cost

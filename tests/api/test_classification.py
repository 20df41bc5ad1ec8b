"""Classification through `slopewise.fit`: a target of text, booleans or 0 and 1."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch

import slopewise
from slopewise.errors import ColumnError, DataError, FitError, OptionError


@pytest.fixture(scope="module")
def penguins():
    from pathlib import Path

    return pd.read_csv(Path(__file__).parents[2] / "examples" / "penguins.csv").dropna()


@pytest.fixture(scope="module")
def sex(penguins):
    return slopewise.fit(penguins, target="sex", features=["bill_length_mm", "body_mass_g", "species"])


@pytest.fixture(scope="module")
def species(penguins):
    return slopewise.fit(penguins, target="species", features=["bill_length_mm", "body_mass_g"], test_size=0.25)


def test_the_model_is_taken_from_the_target(sex, species):
    assert (sex.loss, species.loss) == ("logistic", "softmax")
    assert sex.class_names == ("female", "male") and species.class_names == ("Adelie", "Chinstrap", "Gentoo")
    assert "'sex' has 2 classes" in sex.reason


def test_logistic_is_that_of_statsmodels(penguins, sex):
    x = pd.get_dummies(penguins[["bill_length_mm", "body_mass_g", "species"]], drop_first=True).astype(float)
    logit = sm.Logit((penguins["sex"] == "male").astype(float), sm.add_constant(x)).fit(disp=0, tol=1e-12, maxiter=50)
    assert sex.theta.tolist() == pytest.approx(logit.params.tolist(), rel=1e-8)
    assert sex.inferred.std_error.tolist() == pytest.approx(logit.bse.tolist(), rel=1e-6)
    assert sex.coefficient_columns()["odds_ratio"] == pytest.approx(np.exp(logit.params).tolist(), rel=1e-7)
    stats = sex.stats
    ours = [stats.loglik, stats.null_loglik, stats.mcfadden, stats.lr, stats.lr_p, stats.aic, stats.bic]
    peer = [logit.llf, logit.llnull, logit.prsquared, logit.llr, logit.llr_pvalue, logit.aic, logit.bic]
    assert ours == pytest.approx(peer, rel=1e-9)


def test_predictions_are_classes_and_probabilities_in_the_library_that_came_in(penguins, sex):
    found = sex.predict(penguins, interval=0.95)
    assert isinstance(found, pd.DataFrame) and found.index.equals(penguins.index)
    assert found.columns.tolist() == [
        "prediction",
        *(f"{kind}({name})" for kind in ("p", "low", "high") for name in ("female", "male")),
    ]
    assert (found["p(female)"] + found["p(male)"]).to_numpy() == pytest.approx(1.0)
    assert (found["low(male)"] < found["p(male)"]).all() and (found["p(male)"] < found["high(male)"]).all()
    likelier = np.where(found["p(male)"] > 0.5, "male", "female")
    assert (found["prediction"] == likelier).all()
    strict = sex.predict(penguins, threshold=0.9)
    assert ((strict["prediction"] == "male") == (found["p(male)"] >= 0.9)).all()


def test_metrics_are_those_of_scikit_learn(penguins, species):
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

    found = species.predict(penguins)
    metrics = species.evaluate(penguins)
    truth, predicted = penguins["species"], found["prediction"]
    assert metrics.accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert metrics.log_loss == pytest.approx(log_loss(truth, found.filter(like="p(").to_numpy()))
    assert np.array(metrics.confusion).tolist() == confusion_matrix(truth, predicted).tolist()
    assert metrics.f1 == pytest.approx(f1_score(truth, predicted, average=None))
    assert species.train.n + species.test.n == len(penguins)


@pytest.mark.parametrize("fixture", ["sex", "species"])
def test_a_saved_fit_comes_back_whole(fixture, request, tmp_path, penguins):
    fit = request.getfixturevalue(fixture)
    fit.save(tmp_path / "a.safetensors")
    again = slopewise.load(tmp_path / "a.safetensors")
    assert again.to_json() == fit.to_json() and again.summary() == fit.summary()
    assert again.predict(penguins, interval=0.9).equals(fit.predict(penguins, interval=0.9))
    again.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_summary_fits_the_terminal_and_json_is_json(sex, species):
    for fit in (sex, species):
        assert all(len(line) <= 80 for line in fit.summary().splitlines())
        plain = json.loads(fit.to_json())
        assert plain["classes"] == list(fit.class_names) and len(plain["coefficients"]) == len(fit.inferred.estimate)


def test_numbers_that_are_all_0_or_1_are_two_classes_unless_regression_is_asked_for():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 2))
    y = (x[:, 0] + rng.standard_normal(200) > 0).astype(float)
    fit = slopewise.fit((x, y))
    assert fit.loss == "logistic" and fit.class_names == ("0", "1")
    assert set(fit.predict(x).tolist()) == {0.0, 1.0}
    line = slopewise.fit((x, y), task="regression")
    assert line.solver == "cholesky"
    three = slopewise.fit((x, np.digitize(x[:, 0] + rng.standard_normal(200), [-0.5, 0.5])), task="classification")
    assert three.loss == "softmax" and three.class_names == ("0", "1", "2")


def test_booleans_and_weights():
    rng = np.random.default_rng(1)
    x = rng.standard_normal(300)
    frame = pd.DataFrame({"x": x, "w": rng.integers(1, 4, 300).astype(float), "y": x + rng.standard_normal(300) > 0})
    fit = slopewise.fit(frame, target="y", weights="w")
    assert fit.class_names == ("False", "True")
    repeated = frame.loc[frame.index.repeat(frame["w"].astype(int))]
    assert fit.theta.tolist() == pytest.approx(slopewise.fit(repeated[["x", "y"]], target="y").theta.tolist(), rel=1e-8)
    balanced = slopewise.fit(frame[["x", "y"]], target="y", class_weight="balanced")
    assert balanced.predict(frame)["p(True)"].mean() == pytest.approx(0.5, abs=0.02)


def test_separated_classes_are_named_and_offered_a_way_out(examples):
    with pytest.raises(FitError, match="perfectly separated: 'hours' alone does it, 'Fail' up to 14, 'Pass' from 21"):
        slopewise.fit(examples / "study_pass.csv", target="result")
    with pytest.raises(FitError, match="'Low' up to 25, 'Medium' from 30 to 50, 'High' from 55"):
        slopewise.fit(examples / "house_class.csv", target="class")
    assert slopewise.fit(examples / "study_pass.csv", target="result", l2=0.1).theta.isfinite().all()
    firth = slopewise.fit({"x": [0, 0, 0, 1, 1, 1], "y": [0, 0, 0, 1, 1, 1]}, target="y", firth=True)
    assert firth.theta.tolist() == pytest.approx([-1.9459101, 3.8918203], abs=1e-6)


def test_l1_gives_zeros_and_no_standard_errors(penguins):
    fit = slopewise.fit(penguins, target="sex", features=["bill_length_mm", "year", "body_mass_g"], l1=20.0)
    assert fit.solver == "coordinate_descent" and 0 in fit.theta.tolist()
    assert math.isnan(float(fit.inferred.std_error[0])) and "no standard errors" in fit.summary()
    with pytest.raises(FitError, match="an L1 penalty leaves no standard errors"):
        fit.predict(penguins, interval=0.9)
    line = slopewise.fit(penguins, target="body_mass_g", features=["bill_length_mm", "year"], l1=1e7)
    from sklearn.linear_model import Lasso

    x, y = penguins[["bill_length_mm", "year"]].to_numpy(float), penguins["body_mass_g"].to_numpy(float)
    lasso = Lasso(alpha=1e7 / (2 * len(x)), tol=1e-10, max_iter=100_000).fit(x, y)
    assert line.theta[1:].tolist() == pytest.approx(lasso.coef_.tolist(), rel=1e-6, abs=1e-9)
    assert "no standard errors" in line.summary()


def test_the_same_answer_in_batches_of_one_row(penguins):
    options = {"target": "sex", "features": ["bill_length_mm", "body_mass_g"]}
    one = slopewise.fit(penguins, batch_rows=1, **options)
    assert one.theta.tolist() == pytest.approx(slopewise.fit(penguins, **options).theta.tolist(), rel=1e-9)


@pytest.mark.parametrize(
    ("table", "options", "error", "sentence"),
    [
        ({"x": [1, 2, 3], "y": ["a", "a", "a"]}, {}, DataError, "holds only the class 'a'"),
        (
            {"x": range(30), "y": [f"id{i}" for i in range(30)]},
            {},
            DataError,
            "a different value in each of its 30 rows",
        ),
        ({"x": range(30), "y": ["a"] * 29 + ["b"]}, {}, FitError, "perfectly separated: 'x' alone"),
        ({"x": range(30), "y": ["a", "b", "c"] * 10}, {"model": "logistic"}, OptionError, "tells two classes apart"),
        ({"x": range(30), "y": ["a", "b"] * 15}, {"model": "linear"}, DataError, "target 'y' is not numeric"),
        ({"x": range(30), "y": ["a", "b"] * 15}, {"cov_type": "hc3"}, OptionError, "cov_type 'hc3' is not known"),
        ({"x": range(30), "y": ["a", "b"] * 15}, {"class_weight": "equal"}, OptionError, "class_weight 'equal'"),
        ({"x": range(30), "y": ["a", "b"] * 15}, {"solver": "qr"}, DataError, "target 'y' is not numeric"),
        ({"x": range(9), "y": range(9)}, {"class_weight": "balanced"}, OptionError, "class_weight is for classes"),
        ({"x": range(9), "y": range(9)}, {"model": "linear", "task": "classification"}, OptionError, "contradict"),
        ({"x": range(9), "y": range(9)}, {"model": "forest"}, OptionError, "model 'forest' is not known"),
        ({"x": range(9), "y": range(9)}, {"l1": 1.0, "lr": 0.1}, OptionError, "l1 is not differentiable at 0"),
    ],
)
def test_invalid_options_are_refused(table, options, error, sentence):
    with pytest.raises(error, match=sentence):
        slopewise.fit({name: list(column) for name, column in table.items()}, target="y", **options)


def test_bad_rows_at_prediction_and_evaluation(sex, species, penguins):
    with pytest.raises(ColumnError, match="no column 'species'"):
        sex.predict(penguins[["bill_length_mm", "body_mass_g"]])
    with pytest.raises(DataError, match="target 'sex' is 'unknown' in row 1, a class never seen"):
        sex.evaluate(penguins.assign(sex="unknown"))
    with pytest.raises(OptionError, match="threshold is for two classes, and there are 3"):
        species.predict(penguins, threshold=0.5)
    with pytest.raises(OptionError, match="threshold is 1.5"):
        sex.predict(penguins, threshold=1.5)
    with pytest.raises(OptionError, match="solved by newton, without a descent, and has no epochs"):
        sex.history_table()


def test_another_fit_is_a_warm_start(penguins, species, sex):
    options = {"target": "species", "features": ["bill_length_mm", "body_mass_g"]}
    cold, warm = slopewise.fit(penguins, **options), slopewise.fit(penguins, warm_start=species, **options)
    assert warm.solution.passes < cold.solution.passes
    assert warm.theta.flatten().tolist() == pytest.approx(cold.theta.flatten().tolist(), rel=1e-8)
    with pytest.raises(OptionError, match="start was fitted to"):
        slopewise.fit(penguins, warm_start=sex, **options)
    with pytest.raises(OptionError, match="warm_start is for a descent, and least squares is solved without"):
        slopewise.fit(penguins, target="body_mass_g", features=["year"], warm_start=sex)


def test_softmax_is_that_of_statsmodels(penguins):
    fit = slopewise.fit(penguins, target="species", features=["bill_length_mm", "body_mass_g"])
    x = sm.add_constant(penguins[["bill_length_mm", "body_mass_g"]])
    x = (x - [0, 44, 4200]) / [1, 5.5, 800]  # statsmodels' Newton does not converge on raw columns
    peer = sm.MNLogit(pd.Categorical(penguins["species"]).codes, x).fit(disp=0, maxiter=200, method="newton", tol=1e-14)
    raw = torch.tensor(np.asarray(peer.params))
    slopes = raw[1:] / torch.tensor([[5.5], [800.0]])
    intercept = raw[0] - torch.tensor([44.0, 4200.0], dtype=torch.float64) @ slopes
    expected = torch.cat([intercept[None], slopes])
    assert fit.theta.flatten().tolist() == pytest.approx(expected.flatten().tolist(), rel=1e-7)

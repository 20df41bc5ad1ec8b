"""`slopewise fit`: arguments in, a summary or one JSON object out, and a file."""

import json

import pytest

KEYS = {
    "n", "n_dropped", "solver", "reason", "status", "digits", "coefficients", "r2", "adj_r2", "f", "aic", "bic",
    "sigma", "train", "test",
}  # fmt: skip
COEFFICIENT = {"name", "estimate", "std_error", "t", "p", "ci_low", "ci_high", "digits"}
PENGUINS = ("--target", "body_mass_g", "--features", "flipper_length_mm,species,sex", "--missing", "drop")


def test_the_demo(call, examples, tmp_path):
    out = tmp_path / "mass.safetensors"
    done = call("fit", examples / "penguins.csv", *PENGUINS, "--test-size", "0.2", "--out", out)
    assert (done.code, done.err) == (0, f"slopewise: saved to {out}\n")
    assert max(map(len, done.out.splitlines())) <= 80
    assert "flipper_length_mm" in done.out
    assert out.stat().st_size > 0


def test_json_is_one_object_and_notices_go_to_stderr(call, examples, tmp_path):
    out = tmp_path / "mass.safetensors"
    done = call("fit", examples / "penguins.csv", *PENGUINS, "--json", "--out", out)
    found = json.loads(done.out)
    assert (done.code, done.err) == (0, f"slopewise: saved to {out}\n")
    assert set(found) >= KEYS
    assert set(found["coefficients"][0]) == COEFFICIENT
    assert set(found["train"]) >= {"rmse", "mae", "r2"}
    assert found["test"] is None
    assert found["n"] + found["n_dropped"] == 344


def estimates(done):
    assert done.code == 0, done.err
    return {row["name"]: row["estimate"] for row in json.loads(done.out)["coefficients"]}


@pytest.mark.parametrize(
    ("table", "target", "expected"),
    [
        ("hours_points", "points", {"hours": 2, "(intercept)": 0}),
        ("hours_points_456", "points", {"hours": 1, "(intercept)": 3}),
        ("height_weight", "weight", {"height": 1.82068966, "(intercept)": -245.93793103}),
        ("hours_ability", "ability", {"hours": 200, "(intercept)": 0}),
        (
            "quizzes",
            "final",
            {"quiz1": 1.26242041, "quiz2": 0.65546238, "quiz3": 0.13440624, "(intercept)": -2.74172997},
        ),
        ("study_score", "score", {"hours": 0.58023256, "(intercept)": 71.62790698}),
        ("house_price", "price", {"area": 2.04237288, "(intercept)": 61.27966102}),
    ],
)
def test_the_exact_lines_of_the_examples(call, examples, table, target, expected):
    """Solved by hand from the normal equations, to the eight decimals given."""
    found = estimates(call("fit", examples / f"{table}.csv", "--target", target, "--json"))
    assert found == pytest.approx(expected, abs=6e-9)


def test_the_options_reach_the_fit(call, examples):
    """Each option changes what it should, compared with the fit without it."""
    table = examples / "house_price.csv"
    whole = json.loads(call("fit", table, "--target", "price", "--json").out)
    cases = {
        ("--no-intercept",): lambda new: [row["name"] for row in new["coefficients"]] == ["area"],
        ("--l2", "100"): lambda new: new["coefficients"][-1]["estimate"] < whole["coefficients"][-1]["estimate"],
        ("--cov-type", "hc3"): lambda new: (
            new["coefficients"][-1]["std_error"] != whole["coefficients"][-1]["std_error"]
        ),
        ("--confidence-level", "0.5"): lambda new: (
            new["coefficients"][-1]["ci_low"] > whole["coefficients"][-1]["ci_low"]
        ),
        ("--solver", "qr"): lambda new: new["solver"] == "qr",
        ("--test-size", "0.34"): lambda new: new["test"] is not None and new["n"] < 6,
        ("--weights", "area", "--features", "area"): lambda new: new["r2"] != whole["r2"],
    }
    for option, holds in cases.items():
        done = call("fit", table, "--target", "price", "--json", *option)
        assert done.code == 0, (option, done.err)
        assert holds(json.loads(done.out)), option


def test_the_seed_decides_the_split(call, examples):
    def rmse(seed):
        arguments = ("fit", examples / "penguins.csv", *PENGUINS, "--test-size", "0.3", "--seed", seed, "--json")
        return json.loads(call(*arguments).out)["test"]["rmse"]

    assert rmse("1") == rmse("1") != rmse("2")


def test_a_name_with_a_comma_is_quoted(call, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text('"a,b",c,y\n1,2,3\n2,1,5\n4,4,4\n5,2,9\n')
    assert set(estimates(call("fit", table, "--target", "y", "--features", '"a,b", c', "--json"))) == {
        "(intercept)",
        "a,b",
        "c",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--target", "body_mas_g"], 1, "Did you mean 'body_mass_g'?"),
        (["--target", "body_mass_g", "--features", "speces"], 1, "Did you mean 'species'"),
        (["--target", "species", "--model", "linear"], 1, "species"),
        (["--target", "body_mass_g"], 1, "missing"),
        (["--target", "body_mass_g", "--test-size", "1.5"], 2, "1.5"),
        (["--target", "body_mass_g", "--confidence-level", "95"], 2, "95"),
        (["--target", "body_mass_g", "--l2", "-1"], 2, "-1"),
        (["--target", "body_mass_g", "--table", "birds"], 2, "birds"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_one_sentence(call, examples, arguments, code, sentence):
    done = call("fit", examples / "penguins.csv", *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("slopewise: ")
    assert sentence in done.err
    assert done.err.count("\n") == 1


def test_a_missing_file_is_named_with_its_neighbours(call, examples):
    done = call("fit", examples / "pengins.csv", "--target", "y")
    assert done.code == 1
    assert "Did you mean 'penguins.csv'" in done.err


def test_nothing_is_read_for_a_place_that_cannot_be_written(call, tmp_path):
    done = call("fit", "no_such_table.csv", "--target", "y", "--out", tmp_path / "nowhere" / "f.safetensors")
    assert done.code == 1
    assert "there is no folder" in done.err


def test_newey_west_errors_are_printed_with_their_lags(call, examples):
    words = ("fit", examples / "penguins.csv", *PENGUINS, "--cov-type", "hac")
    assert "autocorrelation: HAC, 1 lag\n" in call(*words, "--lags", "1").out
    # floor(4 · 3.33^(2/9)) of the 333 complete rows
    assert json.loads(call(*words, "--json").out)["lags"] == 5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--lags", "4"], "--lags is 4, and only --cov-type hac has lags; leave it out, or give both."),
        (["--cov-type", "hac", "--lags", "-1"], "--lags is -1; give a whole number of at least 0."),
        (["--cov-type", "hac", "--lags", "2.5"], "'2.5' is not a whole number."),
        (["--cov-type", "hac", "--lags", "333"], "--lags is 333, and there are 333 training rows"),
        (["--cov-type", "hac", "--cluster", "island"], "--cov-type is 'hac' and cluster is 'island'"),
        (["--cov-type", "hac", "--l1", "1"], "--cov-type hac needs the Hessian at the optimum"),
        (["--cov-type", "hac", "--hidden", "3"], "--cov-type is 'hac', and a model trained by gradient descent has no"),
    ],
)
def test_lags_that_make_no_sense_are_refused(call, examples, words, sentence):
    done = call("fit", examples / "penguins.csv", *PENGUINS, *words)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert sentence in done.err

"""`slopewise show`, `predict` and `evaluate`: everything that starts from a saved fit."""

import csv
import io
import json
import subprocess
import sys

import pyarrow.csv
import pyarrow.parquet
import pytest


@pytest.fixture
def saved(call, examples, tmp_path):
    """The six houses, fitted: price = 2.04237288 area + 61.27966102."""
    path = tmp_path / "price.safetensors"
    assert call("fit", examples / "house_price.csv", "--target", "price", "--out", path).code == 0
    return path


@pytest.fixture
def new(tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("area,garden\n10,yes\n100,no\n")
    return path


EXPECTED = [2.04237288 * 10 + 61.27966102, 2.04237288 * 100 + 61.27966102]
CLOSE = 1e-6  # a hundred times the eighth decimal of the slope


def test_show_prints_what_fit_printed(call, examples, saved):
    fitted = call("fit", examples / "house_price.csv", "--target", "price")
    assert call("show", saved).out == fitted.out
    fitted = call("fit", examples / "house_price.csv", "--target", "price", "--json")
    assert json.loads(call("show", saved, "--json").out) == json.loads(fitted.out)


def test_predict_prints_csv(call, saved, new):
    done = call("predict", saved, new)
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert (done.code, done.err) == (0, "")
    assert list(rows[0]) == ["area", "prediction"]
    assert [float(row["prediction"]) for row in rows] == pytest.approx(EXPECTED, abs=CLOSE)


@pytest.mark.parametrize(
    ("name", "read"),
    [("p.csv", pyarrow.csv.read_csv), ("p.CSV", pyarrow.csv.read_csv), ("p.parquet", pyarrow.parquet.read_table)],
)
def test_predict_writes_the_format_of_the_name(call, saved, new, tmp_path, name, read):
    done = call("predict", saved, new, "--interval", "0.95", "--out", tmp_path / name)
    assert (done.code, done.out, done.err) == (0, "", f"slopewise: 2 rows written to {tmp_path / name}\n")
    found = read(tmp_path / name)
    assert found.column_names == ["area", "prediction", "low", "high"]
    assert found["prediction"].to_pylist() == pytest.approx(EXPECTED, abs=CLOSE)
    low, high = (found[name].to_pylist() for name in ("low", "high"))
    assert all(a < b < c for a, b, c in zip(low, EXPECTED, high, strict=True))


def test_the_interval_of_the_mean_is_narrower(call, saved, new):
    def width(*arguments):
        row = next(csv.DictReader(io.StringIO(call("predict", saved, new, "--interval", "0.9", *arguments).out)))
        return float(row["high"]) - float(row["low"])

    assert width("--of", "mean") < width()


def test_a_prediction_that_fails_leaves_the_old_file(call, saved, tmp_path):
    (tmp_path / "bad.csv").write_text("garden\nyes\n")
    (tmp_path / "p.csv").write_text("old")
    done = call("predict", saved, tmp_path / "bad.csv", "--out", tmp_path / "p.csv")
    assert (done.code, done.out) == (1, "")
    assert "area" in done.err
    assert (tmp_path / "p.csv").read_text() == "old"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--of", "mean"], 2), (["--interval", "95"], 2), (["--interval", "x"], 2)]
)
def test_invalid_arguments_of_predict(call, saved, new, arguments, code):
    done = call("predict", saved, new, *arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("slopewise: ")


def test_evaluate_as_text_and_as_json(call, saved, examples):
    """The residuals of the six houses: n = 6 and the R² of the fit itself."""
    fitted = json.loads(call("show", saved, "--json").out)
    found = json.loads(call("evaluate", saved, examples / "house_price.csv", "--json").out)
    assert set(found) == {"n", "rmse", "mae", "r2"}
    assert found["n"] == 6
    assert found["r2"] == pytest.approx(fitted["r2"], rel=1e-12)
    printed = dict(line.split() for line in call("evaluate", saved, examples / "house_price.csv").out.splitlines())
    assert {name: float(value) for name, value in printed.items()} == pytest.approx(found, rel=1e-5)


def test_evaluate_writes_null_where_there_is_no_number(call, saved, tmp_path):
    (tmp_path / "one.csv").write_text("area,price\n20,98\n")
    assert json.loads(call("evaluate", saved, tmp_path / "one.csv", "--json").out)["r2"] is None


@pytest.mark.parametrize("command", ["show", "predict", "evaluate"])
def test_a_file_that_is_no_fit(call, examples, command):
    table = examples / "quizzes.csv"
    done = call(command, table, *([table] if command != "show" else []))
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert "quizzes.csv" in done.err


def test_head_of_a_long_prediction_is_quiet(saved, tmp_path):
    (tmp_path / "long.csv").write_text("area\n" + "1\n" * 200_000)
    command = subprocess.Popen(
        [sys.executable, "-m", "slopewise", "predict", saved, tmp_path / "long.csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout.readline() == b'"area","prediction"\n'
    command.stdout.close()
    assert command.stderr.read() == b""
    command.stderr.close()
    assert command.wait() == 1


def test_a_full_disk_is_one_sentence(program, saved, new):
    with open("/dev/full", "w") as full:
        done = program("predict", saved, new, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (done.code, done.err) == (1, "slopewise: the output: No space left on device; stopped there.\n")

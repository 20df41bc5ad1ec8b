"""Columns of text: read as numbers where that is certain, refused in one sentence where it is not, else categories."""

import json
import sqlite3

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import slopewise
from slopewise.errors import ColumnError, DataError, OptionError, SlopewiseError

N = 24
X = np.round(np.linspace(-4, 9, N) ** 2 / 8 - 3, 2)
Y = 2 + 3 * X + 0.25 * np.sin(7 * np.arange(N))
SLOPE, INTERCEPT = np.polyfit(X, Y, 1)


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def table_of(texts, y=Y):
    return {"x": list(texts), "y": list(y)}


def opened(door, columns):
    """Return the columns as a table of one kind, and its name where it is one of a database."""
    if door == "dict":
        return columns, None
    if door == "pandas":
        return pd.DataFrame(columns), None
    if door == "polars":
        return pl.DataFrame(columns), None
    if door == "parquet":
        pq.write_table(pa.table(columns), "t.parquet")
        return "t.parquet", None
    if door == "json":
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        with open("t.jsonl", "w") as file:
            for row in rows:
                file.write(json.dumps({k: v if isinstance(v, str) else float(v) for k, v in row.items()}) + "\n")
        return "t.jsonl", None
    if door == "csv":
        pd.DataFrame(columns).to_csv("t.csv", index=False)
        return "t.csv", None
    with sqlite3.connect("t.db") as connection:
        connection.execute("drop table if exists t")
        connection.execute("create table t (x text, y real)")
        connection.executemany("insert into t values (?, ?)", zip(columns["x"], map(float, columns["y"]), strict=True))
    connection.close()
    return "t.db", "t"


DOORS = ("dict", "pandas", "polars", "parquet", "json", "csv", "sqlite")


def fit(columns, door="dict", **options):
    table, name = opened(door, columns)
    return slopewise.fit(table, **{"target": "y", "table_name": name} | options)


def refusal(columns, door="dict", **options):
    with pytest.raises(SlopewiseError) as error:
        fit(columns, door, **options)
    sentence = str(error.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


def is_the_line(found):
    names = found.design.names
    return names == ("(intercept)", "x") and np.allclose(found.theta, [INTERCEPT, SLOPE], atol=1e-9)


@pytest.mark.parametrize("door", DOORS)
def test_plain_numbers_kept_as_text_are_numbers(door):
    assert is_the_line(fit(table_of(map(str, X)), door))
    assert is_the_line(fit(table_of(f"{x}".replace("-", "\u2212") for x in X), door))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("written", "advice"),
    [
        (lambda x: f"{x:.2f}".replace(".", ","), "give decimal=',' to read them"),
        (lambda x: f"{1000 * x + 30000:,.0f}", "give thousands=',' or decimal=',' to say what the comma is"),
        (lambda x: f"{1000 * x + 30000:,.1f}", "give thousands=',' to read them"),
        (lambda x: f"{x + 4000:,.1f}".translate(str.maketrans(",.", ".,")), "give decimal=',' with thousands='.'"),
        (lambda x: f"{1000 * x + 30000:,.0f}".replace(",", "\u00a0"), "give thousands=' ' to read them"),
        (lambda x: f"{1000 * x + 30000:,.0f}".replace(",", " "), "give thousands=' ' to read them"),
        (lambda x: f"{100 * x:.0f}%", "turn them into plain numbers first"),
        (lambda x: f"{x:.1f} %", "turn them into plain numbers first"),
        (lambda x: f"€{x + 9:.2f}", "turn them into plain numbers first"),
        (lambda x: f"${1000 * x + 9000:,.0f}", "turn them into plain numbers first"),
        (lambda x: f"₩{1000 * x + 9000:,.0f}", "turn them into plain numbers first"),
        (lambda x: f"{x:.1f} kg", "turn them into plain numbers first"),
        (lambda x: f"({x + 5:.2f})", "turn them into plain numbers first"),
        (lambda x: f"0x{int(100 * x) + 600:X}", "turn them into plain numbers first"),
        (lambda x: f"{int(1000 * x) + 30000:_}", "give thousands='_' to read them"),
    ],
)
def test_numbers_written_in_another_way_are_refused_with_two_of_them_and_what_to_do(written, advice, door):
    texts = [written(x) for x in X]
    sentence = refusal(table_of(texts), door)
    if door == "csv" and texts[0].startswith("0x"):  # which DuckDB takes for whole numbers, and then refuses
        assert sentence.startswith("Column 'x' holds '0x1F4' in line 2")
        return
    assert sentence.startswith("column 'x' holds numbers written as text, ") and "categories=['x']" in sentence
    assert advice in sentence and sum(repr(text) in sentence for text in dict.fromkeys(texts)) >= 2


@pytest.mark.parametrize("door", DOORS)
def test_separators_that_are_said_make_them_numbers(door):
    def written(x, marks):
        return f"{x + 4000:,.2f}".translate(str.maketrans(",.", marks))

    for marks, options in (
        (",.", {"thousands": ","}),
        (".,", {"thousands": "."}),
        (".,", {"thousands": ".", "decimal": ","}),
        (" ,", {"thousands": " ", "decimal": ","}),
        ("'.", {"thousands": "'"}),
    ):
        found = fit(table_of(written(x, marks) for x in X), door, **options)
        assert np.isclose(found.theta[1], SLOPE, rtol=1e-9), options
    assert is_the_line(fit(table_of(f"{x}".replace(".", ",") for x in X), door, decimal=","))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("text", ["2024-03-{:02d}", "2024-{:02d}", "2024-03-{:02d} 10:30:00", "{:02d}.12.2024"])
def test_dates_and_months_kept_as_text_are_refused_as_dates(text, door):
    sentence = refusal(table_of(text.format(1 + i % 12) for i in range(N)), door)
    assert "'x' holds dates or times" in sentence and "exclude=['x']" in sentence


def test_a_file_with_decimal_commas_in_one_column_and_points_in_another():
    columns = {"x": [f"{x}".replace(".", ",") for x in X], "z": [f"{x * x:.3f}" for x in X], "y": Y}
    found = fit(columns, "csv", decimal=",", features=["x"])
    assert is_the_line(found) and found.design.reading.points == ("y",)
    assert "give decimal=',' with thousands='.'" in refusal(columns, "csv", decimal=",")


@pytest.mark.parametrize("door", DOORS)
def test_the_target_is_looked_at_too(door):
    assert np.isclose(fit({"x": list(map(str, X)), "y": list(Y)}, door, target="x", features=["y"]).r2, 1, atol=0.1)
    texts = [f"{1000 * x + 30000:,.0f}" for x in X]
    sentence = refusal(table_of(texts), door, target="x", features=["y"])
    assert sentence.startswith("target 'x' holds numbers written as text") and "thousands=','" in sentence
    found = fit(table_of(texts), door, target="x", features=["y"], thousands=",")
    assert np.isclose(found.r2, np.corrcoef(X, Y)[0, 1] ** 2, atol=1e-6)


def test_a_frame_of_text_alone_is_a_frame_of_numbers():
    frame = pd.DataFrame({"x": X, "y": Y}).astype(str)
    assert is_the_line(slopewise.fit(frame, target="y"))
    frame.loc[3, "x"] = "nan"
    assert slopewise.fit(frame, target="y", missing="drop").n == N - 1


@pytest.mark.parametrize("door", DOORS)
def test_real_categories_stay_categories(door):
    for levels in (["a", "b", "c"], ["18-25", "26-35", "36+"], ["1st", "2nd", "3rd"], ["2WD", "4WD"], ["<5", "5-9"]):
        texts = [levels[i % len(levels)] for i in range(N)]
        assert fit(table_of(texts), door).design.features[0].levels == tuple(sorted(levels))


@pytest.mark.parametrize("door", DOORS)
def test_codes_with_zeros_before_them_are_categories_where_that_is_said(door):
    levels = ("01067", "10115", "99084")
    texts = [levels[i % 3] for i in range(N)]
    if door != "csv":  # where nothing says that it is text
        sentence = refusal(table_of(texts), door)
        assert "where a zero before them may be part of a code" in sentence and "'01067' and '10115'" in sentence
    found = fit(table_of(texts), door, categories=["x"])
    assert found.design.features[0].levels == levels
    rows = pd.DataFrame({"x": ["99084", "10115"]})
    rows.to_csv("new.csv", index=False)
    assert len(found.predict("new.csv")) == 2
    found.save("f.safetensors")
    expected = np.asarray(found.predict(rows)["prediction"])
    assert np.array_equal(np.asarray(slopewise.load("f.safetensors").predict("new.csv")["prediction"]), expected)
    numbers = fit(table_of(texts), door, numbers=["x"])
    assert numbers.design.names == ("(intercept)", "x")


def test_a_category_of_numbers_and_words():
    texts = [("1", "2", "3", "4+")[i % 4] for i in range(N)]
    sentence = refusal(table_of(texts))
    assert sentence == (
        "column 'x' is mostly numbers but holds the text '4+' in row 4; correct it, give na_values=['4+'] with "
        "missing='drop' or 'mean' if it means missing, or categories=['x'] if these are categories."
    )
    assert fit(table_of(texts), categories="x").design.features[0].levels == ("1", "2", "3", "4+")
    codes = [("01", "02", "1A")[i % 3] for i in range(N)]
    found = fit(table_of(codes), "csv", categories=["x"])
    for text, known in (("01\n02\n", True), ("1\n2\n", False)):
        with open("new.csv", "w") as file:
            file.write("x\n" + text)
        if known:
            assert len(found.predict("new.csv")) == 2
        else:
            with pytest.raises(DataError, match="'1' in row 1, a level never seen in training"):
                found.predict("new.csv")


def test_numbers_taken_as_categories_keep_what_is_written():
    assert fit(table_of([i % 3 + 1 for i in range(N)]), categories=["x"]).design.features[0].levels == ("1", "2", "3")
    assert fit(table_of([i % 2 + 0.1 for i in range(N)]), categories=["x"]).design.features[0].levels == ("0.1", "1.1")
    matrix = np.stack([np.arange(N) % 3, X], axis=1)
    assert slopewise.fit((matrix, Y), categories=["x1"]).design.names == ("(intercept)", "x1[1]", "x1[2]", "x2")
    found = fit(table_of([("yes", "no")[i % 2] for i in range(N)]), "csv", categories=["x"])
    assert found.design.features[0].levels == ("no", "yes")
    classes = fit(table_of(X, [i % 3 + 1 for i in range(N)]), categories=["y"])
    assert classes.design.target_levels == ("1", "2", "3")


def test_a_declared_category_is_not_looked_at():
    frame = pd.DataFrame({"x": pd.Categorical([str(i % 3) for i in range(N)]), "y": Y})
    assert slopewise.fit(frame, target="y").design.features[0].levels == ("0", "1", "2")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("word", ["-", "?", "n/a", "<NA>", "결측", "missing"])
def test_words_for_missing(word, door):
    texts = [str(x) if i not in (3, 9) else word for i, x in enumerate(X)]
    sentence = refusal(table_of(texts), door, missing="drop")
    assert f"holds the text {word!r} in row 4" in sentence and f"na_values=[{word!r}]" in sentence
    found = fit(table_of(texts), door, missing="drop", na_values=["*", word])
    kept = [i for i in range(N) if i not in (3, 9)]
    assert found.n == N - 2 and np.allclose(found.theta, np.polyfit(X[kept], Y[kept], 1)[::-1])
    assert "2 missing values" in refusal(table_of(texts), door, na_values=word)
    found.save("f.safetensors")
    with open("new.csv", "w") as file:
        file.write(f"x\n1.5\n{word}\n")
    assert np.isnan(np.asarray(slopewise.load("f.safetensors").predict("new.csv")["prediction"])).tolist() == [0, 1]


@pytest.mark.parametrize("door", DOORS)
def test_a_number_for_missing(door):
    numbers = [x if i not in (3, 9) else -9999.0 for i, x in enumerate(X)]
    if door != "sqlite":
        found = fit(table_of(numbers), door, missing="drop", na_values=["-9999"])
        assert found.n == N - 2
    found = fit(table_of(map(str, numbers)), door, missing="drop", na_values=["-9999"])
    assert found.n == N - 2


def test_na_may_be_a_level():
    levels = ("NA", "ZA", "BW")
    texts = [levels[i % 3] for i in range(N)]
    assert "or na_values=[] if NA is a value there" in refusal(table_of(texts), "csv")
    for na_values in ([], [""], ["-"]):
        found = fit(table_of(texts), "csv", na_values=na_values)
        assert found.n == N and found.design.features[0].levels == ("BW", "NA", "ZA")
    assert fit(table_of(texts)).design.features[0].levels == ("BW", "NA", "ZA")


def test_an_empty_text_is_missing_in_frames_as_in_files():
    texts = ["a", "b", None, float("nan"), pd.NA, "", *["a", "b"] * 9]
    found = slopewise.fit(pd.DataFrame({"x": texts, "y": Y}), target="y", missing="drop")
    assert found.n == 20 and found.design.features[0].levels == ("a", "b")


def test_text_that_is_said_to_be_numbers_and_is_not_is_named():
    texts = [str(x) for x in X]
    texts[7] = "12 kg"
    sentence = refusal(table_of(texts), numbers=["x"])
    assert sentence == (
        "column 'x' is read as numbers but holds the text '12 kg' in row 8; correct it, name it in na_values if it "
        "means missing, or give categories=['x']."
    )
    late = {"x": ["1", "2"] * 15_000 + ["3 kg"], "y": np.arange(30_001.0)}
    assert "'3 kg' in row 30001" in refusal(late)


def test_columns_left_out():
    columns = {"x": X, "z": ["2024-03-01"] * N, "y": Y}
    assert is_the_line(slopewise.fit(columns, target="y", exclude=["z"]))
    assert is_the_line(slopewise.fit(columns, target="y", exclude="z"))
    with pytest.raises(ColumnError, match="exclude 'zz' is not a column of the dict of columns. Did you mean 'z'?"):
        slopewise.fit(columns, target="y", exclude=["zz"])
    with pytest.raises(OptionError, match="exclude names 'y', which has a part in the model"):
        slopewise.fit(columns, target="y", exclude=["y"])
    with pytest.raises(OptionError, match="leave one of them out"):
        slopewise.fit(columns, target="y", exclude=["z"], features=["x"])


def test_columns_named_for_nothing_are_refused():
    columns = table_of(X) | {"z": ["a", "b"] * 12}
    with pytest.raises(ColumnError, match="categories 'q' is not a column"):
        slopewise.fit(columns, target="y", categories=["q"])
    with pytest.raises(OptionError, match="numbers names 'z', which this model does not use"):
        slopewise.fit(columns, target="y", features=["x"], numbers=["z"])


def test_new_rows_are_read_as_the_design_says():
    grades = [("A", "1", "2", "true", "NO", "B")[i % 6] for i in range(N)]
    found = fit(table_of(grades), "csv", categories=["x"])
    for cells in ("1\n2\n", "true\n", "NO\n", "A\n"):
        with open("new.csv", "w") as file:
            file.write("x\n" + cells)
        assert len(found.predict("new.csv")) == cells.count("\n")
    line = fit(table_of(X))
    assert np.allclose(line.predict({"x": ["1.5", "2"]})["prediction"], line.predict({"x": [1.5, 2.0]})["prediction"])
    with pytest.raises(DataError, match="column 'x' holds numbers written as text, '1,5' and '2,5'"):
        line.predict({"x": ["1,5", "2,5"]})
    with pytest.raises(DataError, match="holds text, but this fit was trained with numbers"):
        line.predict({"x": ["a", "b"]})
    comma = fit(table_of(f"{x}".replace(".", ",") for x in X), decimal=",")
    assert np.allclose(comma.predict({"x": ["1,5"]})["prediction"], line.predict({"x": [1.5]})["prediction"])

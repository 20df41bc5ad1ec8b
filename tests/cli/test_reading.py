"""Options about how a table is read, in the shell, and the scripts of fits that have them."""

import json

import numpy as np
import pytest
from scripts import check_clean, run

import slopewise

N = 24
X = np.round(np.linspace(-4, 9, N) ** 2 / 8 - 3, 2)
Y = np.round(2 + 3 * X + np.sin(7 * np.arange(N)), 2)


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(header, *columns, delimiter=","):
    with open("t.csv", "w", encoding="utf-8") as file:
        file.writelines(delimiter.join(map(str, row)) + "\n" for row in [header, *zip(*columns, strict=True)])


def estimates(outcome):
    assert outcome.code == 0, outcome.err
    return {each["name"]: each["estimate"] for each in json.loads(outcome.out)["coefficients"]}


def refused(outcome, sentence, code=1):
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.strip() == f"slopewise: {sentence}"


SLOPE, INTERCEPT = np.polyfit(X, Y, 1)


def test_decimal_commas_in_quotes(call):
    write(["x", "y"], [f'"{x}"'.replace(".", ",") for x in X], [f'"{y}"'.replace(".", ",") for y in Y])
    refused(
        call("fit", "t.csv", "--target", "y"),
        "column 'x' holds numbers written as text, '-1,0' and '-1,53'; give --decimal , to read them, or --category x "
        "to take it as categories.",
    )
    found = estimates(call("fit", "t.csv", "--target", "y", "--decimal", ",", "--json"))
    assert np.allclose(list(found.values()), [INTERCEPT, SLOPE])
    assert call("check", "t.csv", "--target", "y", "--decimal", ",").code == 0


def test_separators_of_thousands_in_quotes(call):
    write(["x", "y"], [f'"{1000 * x + 30000:,.0f}"' for x in X], Y)
    refused(
        call("fit", "t.csv", "--target", "y"),
        "column 'x' holds numbers written as text, '29,000' and '28,470'; give --thousands , or --decimal , to say "
        "what the comma is, or --category x to take it as categories.",
    )
    assert np.isclose(estimates(call("fit", "t.csv", "--target", "y", "--thousands", ",", "--json"))["x"], SLOPE / 1000)
    sentence = call("fit", "t.csv", "--target", "x").err
    assert "target 'x' holds numbers written as text" in sentence and "--thousands ," in sentence
    assert call("fit", "t.csv", "--target", "x", "--thousands", ",").code == 0


def test_percents_and_months(call):
    write(["x", "m", "y"], [f"{100 * x:.0f}%" for x in X], [f"2024-{1 + i % 6:02d}" for i in range(N)], Y)
    refused(
        call("fit", "t.csv", "--target", "y", "--exclude", "m"),
        "column 'x' holds numbers written as text, '-100%' and '-153%'; turn them into plain numbers first, or give "
        "--category x to take it as categories.",
    )
    refused(
        call("fit", "t.csv", "--target", "y", "--exclude", "x"),
        "column 'm' holds dates or times written as text, '2024-01' and '2024-02', which are not numbers; leave it out "
        "with --exclude m, turn it into a number first, for example days since a start date, or give --category m to "
        "take it as categories.",
    )
    found = call("fit", "t.csv", "--target", "y", "--exclude", "x", "--category", "m", "--json")
    assert len(estimates(found)) == 6


@pytest.mark.parametrize("word", ["-", "?", "n/a", "<NA>", "결측", "-9999"])
def test_words_for_missing(call, word):
    write(["x", "y"], [word if i in (3, 9) else x for i, x in enumerate(X)], Y)
    kept = [i for i in range(N) if i not in (3, 9)]
    answer = call("fit", "t.csv", "--target", "y", "--na-values", f"*,{word}", "--missing", "drop", "--json")
    assert np.allclose(list(estimates(answer).values()), np.polyfit(X[kept], Y[kept], 1)[::-1])
    if word != "-9999":
        shown = f"'{word}'" if word in ("?", "<NA>") else word
        assert f"give --na-values {shown} with --missing drop" in call("fit", "t.csv", "--target", "y").err


def test_na_is_a_level_where_no_word_means_missing(call):
    write(["x", "country", "y"], X, [("NA", "ZA", "BW")[i % 3] for i in range(N)], Y)
    sentence = call("fit", "t.csv", "--target", "y").err
    assert "(empty, NA or NaN)" in sentence and "or --na-values '' if NA is a value there." in sentence
    for words in ("", "-"):
        found = estimates(call("fit", "t.csv", "--target", "y", "--na-values", words, "--json"))
        assert set(found) == {"(intercept)", "x", "country[NA]", "country[ZA]"}


def test_lists_may_be_given_at_once_or_one_by_one(call):
    write(["a", "b", "c", "d", "y"], X, [i % 3 for i in range(N)], [i % 2 for i in range(N)], X**2, Y)
    expected = {"(intercept)", "a", "b[1]", "b[2]", "c[1]"}
    for words in (["--category", "b,c", "--exclude", "d"], ["--category", "b", "--category", "c", "--exclude", "d"]):
        assert set(estimates(call("fit", "t.csv", "--target", "y", *words, "--json"))) == expected
    two = estimates(call("fit", "t.csv", "--target", "y", "--exclude", "c,d", "--exclude", "b", "--json"))
    assert set(two) == {"(intercept)", "a"}
    refused(
        call("fit", "t.csv", "--target", "y", "--exclude", "a,"),
        "--exclude got 'a,', which has an empty name in it; write names as a,b,c.",
        2,
    )
    assert "Did you mean" in call("fit", "t.csv", "--target", "y", "--exclude", "aa").err
    refused(
        call("fit", "t.csv", "--target", "y", "--thousands", "x"),
        "--thousands is 'x'; give one of ',', '.', ' ', \"'\", '_'.",
        2,
    )
    assert call("fit", "t.csv", "--target", "y", "--number", "a").code == 0


def test_a_saved_fit_reads_new_files_as_it_was_told(call):
    codes = [("01067", "10115", "99084")[i % 3] for i in range(N)]
    write(
        ["zip", "x", "y"],
        codes,
        ["?" if i == 5 else f"{x}".replace(".", ",") for i, x in enumerate(X)],
        Y,
        delimiter=";",
    )
    options = ("--decimal", ",", "--na-values", "?", "--missing", "drop", "--category", "zip", "--out", "f.safetensors")
    assert call("fit", "t.csv", "--target", "y", *options).code == 0
    with open("new.csv", "w") as file:
        file.write("zip;x\n99084;1,5\n10115;?\n")
    answer = call("predict", "f.safetensors", "new.csv")
    assert answer.code == 0 and "99084" in answer.out
    assert call("evaluate", "f.safetensors", "t.csv").code == 0


def test_scripts_read_the_file_alike(tmp_path):
    folder = tmp_path / "scripts"
    folder.mkdir()
    fits = {}
    thousands = {
        "point": (".", ",", ";"),
        "comma": (",", ".", ";"),
        "space": ("\u00a0", ",", ";"),
        "quote": ("’", ".", ";"),
    }
    said = {"point": ".", "comma": ",", "space": " ", "quote": "'"}
    for name, (mark, decimal, delimiter) in thousands.items():
        texts = [f"{1000 * x + 4000:,.1f}".translate(str.maketrans({",": mark, ".": decimal})) for x in X]
        words = ["*" if i in (3, 9) else f"{i}".replace(".", decimal) for i in range(N)]
        signs = [f"{x + 0.5:.1f}".replace("-", "\u2212").replace(".", decimal) for x in X**2 - 3]
        codes = [("NA", "1", "2")[i % 3] for i in range(N)]
        y = [f"{value}".replace(".", decimal) for value in Y]
        write(["a", "e", "c", "d", "y"], texts, words, signs, codes, y, delimiter=delimiter)
        path = tmp_path / f"{name}.csv"
        (tmp_path / "t.csv").rename(path)
        for missing in ("drop", "mean"):
            found = slopewise.fit(
                str(path),
                target="y",
                missing=missing,
                decimal=decimal,
                thousands=said[name],
                na_values=["*"],
                categories="d",
            )
            assert found.design.names == ("(intercept)", "a", "e", "c", "d[2]", "d[NA]")
            fits[f"{name}_{missing}"] = found
            (folder / f"{name}_{missing}.py").write_text(found.code(), encoding="utf-8")
    check_clean(folder)
    for name, text in run(sorted(folder.iterdir())).items():
        printed = dict(line.split(": ") for line in text.splitlines() if ": " in line)
        wanted = dict(zip(fits[name].design.names, fits[name].theta.tolist(), strict=True))
        for column, value in wanted.items():
            assert float(printed["b" if column == "(intercept)" else column]) == pytest.approx(value, rel=1e-7), name

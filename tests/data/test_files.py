"""Every way in which a path can mean no readable file."""

import gzip
import os

import numpy as np
import pytest

from slopewise.data.duckdb_table import open_file
from slopewise.data.files import format_of, is_query
from slopewise.errors import DataError


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, text):
    with open(name, "w") as file:
        file.write(text)
    return name


def refusal(path):
    with pytest.raises(DataError) as error:
        open_file(path)
    return str(error.value)


def test_what_a_text_means():
    assert is_query("select 1") and is_query("\n FROM 'a.csv'") and is_query("With\tt as (from x) from t")
    assert not is_query("select.csv") and not is_query("from") and not is_query("data/select 1.csv")
    names = ("a.CSV.gz", "a.tsv", "a.pq", "a.ndjson", "a.sqlite3", "a.dat")
    assert [format_of(name) for name in names] == ["csv", "csv", "parquet", "json", "database", None]


def test_paths_that_mean_nothing(inside):
    write("train.csv", "x\n1\n")
    assert refusal("trian.csv") == "There is no file 'trian.csv'. Did you mean 'train.csv'?"
    assert refusal("no/a.csv") == "There is no folder 'no', so no file 'no/a.csv'; check the path."
    assert refusal("z*.csv") == "No file matches the pattern 'z*.csv'; check it, and the folder it starts from."
    assert refusal("https://example.invalid/a.csv").startswith("'https://example.invalid/a.csv' is an address")
    (inside / "sub").mkdir()
    assert refusal("sub/a.csv") == "There is no file 'sub/a.csv'; 'sub' is empty."
    write("sub/b.csv", "x\n1\n")
    assert refusal("sub") == (
        "'sub' is a folder without Parquet files in it; give a file, or a pattern such as 'sub/*.csv'."
    )


def test_files_that_cannot_be_read(monkeypatch):
    write("empty.csv", "")
    assert refusal("empty.csv") == "'empty.csv' is empty (0 bytes); give a file with a header and at least one row."
    assert refusal(write("a.xlsx", "x")) == "'a.xlsx' is in a format that is not read; export it as CSV or Parquet."
    write("plain.csv.gz", "x\n1\n" * 9)
    with open("plain.csv.gz", "wb") as file:
        file.write(b"x\n1\n")
    assert "'plain.csv.gz' is not a readable gzip file (Not a gzipped file" in refusal("plain.csv.gz")
    whole = gzip.compress(b"x,y\n" + np.random.default_rng(0).integers(0, 9, 10**5).astype("S1").tobytes())
    with open("cut.csv.gz", "wb") as file:
        file.write(whole[: len(whole) // 2])
    assert refusal("cut.csv.gz") == "'cut.csv.gz' is not a complete gzip file; copy or compress it again."
    # Tests may run as root, who may read everything, so the answer of the system is played.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    write("a.csv", "x\n1\n")
    assert refusal("a.csv") == "'a.csv' may not be read by this user; change its permissions or give another file."
    os.mkdir("sub")
    assert refusal("sub") == "Folder 'sub' may not be read by this user; change its permissions."

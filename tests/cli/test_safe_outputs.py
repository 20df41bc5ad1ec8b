"""Outputs never replace what is read, and names never reach the terminal as its commands."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from slopewise.cli.main import run
from slopewise.wording import visible

ROWS = "x,y\n" + "".join(f"{i},{2 * i + i % 3}\n" for i in range(20))


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text(ROWS)
    assert run(["fit", "in.csv", "--target", "y", "--out", "f.safetensors"]) == 0
    Path("soft.csv").symlink_to("in.csv")
    os.link("in.csv", "hard.csv")
    Path("fit.csv").symlink_to("f.safetensors")
    return tmp_path


@pytest.mark.parametrize("out", ["in.csv", "./in.csv", "soft.csv", "hard.csv", "fit.csv"])
@pytest.mark.parametrize("source", ["in.csv", "i*.csv", "soft.csv", "SELECT * FROM 'in.csv'"])
def test_predict_does_not_replace_what_it_reads(
    table: Path, out: str, source: str, capfd: pytest.CaptureFixture[str]
) -> None:
    fit = Path("f.safetensors").read_bytes()
    assert run(["predict", "f.safetensors", source, "--out", out]) == 2
    assert "which is read; give another name." in capfd.readouterr().err
    assert Path("in.csv").read_text() == ROWS and Path("f.safetensors").read_bytes() == fit


@pytest.mark.parametrize("out", ["in.csv", "soft.csv", "hard.csv"])
def test_fit_does_not_replace_its_table(table: Path, out: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "in.csv", "--target", "y", "--out", out]) == 2
    assert f"--out '{out}' would replace 'in.csv', which is read" in capfd.readouterr().err
    assert Path("in.csv").read_text() == ROWS


def test_history_does_not_replace_the_fit(table: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "f.safetensors", "--out", "fit.csv"]) == 2
    assert "which is read" in capfd.readouterr().err


def test_a_name_too_long_is_noticed_first(table: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "none.csv", "--target", "y", "--out", "f" * 300]) == 1
    assert "the name has more than 255 bytes; give a shorter one." in capfd.readouterr().err


def test_escape_sequences_are_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name, level = "a\x1b[31mred\x07", "\x1b]0;title\x07 \u202eb"
    file, fit = tmp_path / "in\x1b[2J.csv", tmp_path / "f\x1b[2J.safetensors"
    file.write_text(f'"{name}",c,y\n' + "".join(f"{i},{level if i % 2 else 'p'},{i + i % 3}\n" for i in range(20)))
    assert run(["fit", str(file), "--target", "y", "--out", str(fit)]) == 0
    assert run(["show", str(fit)]) == 0
    assert run(["show", str(fit), "--json"]) == 0
    assert run(["fit", str(file), "--target", "\x1b[2J"]) == 1
    out, err = capfd.readouterr()
    for shown in (out, err):
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert "a\\u001b[31mred\\u0007" in out and "\\u202e" in out
    assert f"saved to {tmp_path}/f\\u001b[2J.safetensors" in err
    plain = json.loads(out[out.index("{\n") :])
    assert any(name in row.values() for row in plain["coefficients"])


@pytest.mark.parametrize(
    "text", ["plain", "é 漢字", "two\nlines\tand a tab", "\U0001f468\u200d\U0001f469", "1\u00a0000"]
)
def test_what_is_no_control_character_stays(text: str) -> None:
    assert visible(text) == text

"""Long reads report their progress; short ones and --json report nothing."""

import sys

import pytest

from slopewise.cli import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test turns."""
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def terminal(monkeypatch):
    """Called in the test, stderr is a terminal: before it, pytest still changes what stderr is."""

    def pretend():
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setenv("TERM", "xterm")

    return pretend


def test_plain_lines_come_every_few_seconds(clock, capsys):
    with progress.progress_callback(quiet=False) as callback:
        for second in range(0, 13):
            clock[0] = float(second)
            callback.rows(second * 1000, 20000)
    assert capsys.readouterr() == ("", "reading: 5,000 of 20,000 (25%) rows\nreading: 10,000 of 20,000 (50%) rows\n")


def test_plain_lines_without_a_total_name_the_pass(clock, capsys):
    with progress.progress_callback(quiet=False) as callback:
        callback.note("refining, pass 2")
        clock[0] = 6.0
        callback.rows(7, None)
    assert capsys.readouterr().err == "refining, pass 2: 7 rows\n"


@pytest.mark.parametrize("seconds", [0.5, 100.0])
def test_json_is_silent(clock, capsys, terminal, seconds):
    terminal()
    with progress.progress_callback(quiet=True) as callback:
        clock[0] = seconds
        callback.rows(5, 10)
        callback.note("a note")
    assert capsys.readouterr() == ("", "")


def test_no_bar_for_a_short_read(clock, capsys, terminal):
    terminal()
    with progress.progress_callback(quiet=False) as callback:
        clock[0] = 0.9
        callback.rows(5, 10)
    assert capsys.readouterr() == ("", "")


def test_a_bar_for_a_long_read(clock, capsys, terminal):
    terminal()
    with progress.progress_callback(quiet=False) as callback:
        clock[0] = 1.1
        callback.rows(500_000, 1_000_000)
        callback.rows(750_000, 1_000_000)
    out, err = capsys.readouterr()
    assert out == ""
    assert "reading" in err
    assert "750,000 rows" in err

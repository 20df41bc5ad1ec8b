"""A long descent reports its cost, its speed and the time left."""

import sys

import pytest

from slopewise.cli import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test turns."""
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


def test_plain_lines_come_every_few_seconds(clock, capsys):
    with progress.progress_callback(quiet=False) as callback:
        for second in range(0, 13):
            clock[0] = float(second)
            callback.epochs(1000 + 20 * second, 2000, 1 / (1 + second))
    assert capsys.readouterr() == (
        "",
        "epoch 1,100 of 2,000: cost 0.166667, 20 epochs/s, 0:00:45 left\n"
        "epoch 1,200 of 2,000: cost 0.0909091, 20 epochs/s, 0:00:40 left\n",
    )


def test_a_bar_shows_cost_and_speed(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress.progress_callback(quiet=False) as callback:
        callback.epochs(0, 1000, 9.0)
        clock[0] = 2.0
        callback.epochs(500, 1000, 3.0)
    assert "250 epochs/s" in capsys.readouterr().err


def test_json_is_silent(clock, capsys):
    with progress.progress_callback(quiet=True) as callback:
        clock[0] = 100.0
        callback.epochs(5, 10, 1.0)
    assert capsys.readouterr() == ("", "")

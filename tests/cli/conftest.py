"""Calling the command in this process, and as a program."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from slopewise.cli.main import run


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Call = Callable[..., Outcome]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Run `slopewise ARGUMENTS` in this process."""

    def outcome(*arguments: str | Path) -> Outcome:
        capfd.readouterr()
        code = run([str(word) for word in arguments])
        return Outcome(code, *capfd.readouterr())

    return outcome


@pytest.fixture
def program() -> Call:
    """Run `slopewise ARGUMENTS` as a program of its own."""

    def outcome(*arguments: str | Path, **how: object) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "slopewise", *map(str, arguments)],
            **{"capture_output": True, "text": True, "timeout": 60, "check": False} | how,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return outcome

"""Runs scripts in one process that must not have slopewise in it, and returns what they print."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

DRIVER = """
import contextlib, io, json, runpy, sys
import torch
torch.set_num_threads(1)
printed = {}
for path in sys.argv[1:]:
    torch.set_default_dtype(torch.float32)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        runpy.run_path(path)
    printed[path] = out.getvalue()
assert not [name for name in sys.modules if name.startswith("slopewise")]
print(json.dumps(printed))
"""


def run(paths: list[Path]) -> dict[str, str]:
    """Return what the scripts at the paths print, by the names of their files without the .py."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DRIVER, *map(str, paths)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    printed: dict[str, str] = json.loads(done.stdout)
    return {Path(path).stem: text for path, text in printed.items()}


def check_clean(folder: Path) -> None:
    """Assert that the scripts in a folder satisfy a linter and a formatter."""
    # E501: the path of the user's file is as long as it is, and so stands on a line of its own.
    checked = ["check", "--select", "E,F,W,I,B,SIM,UP", "--ignore", "B905,E501"]
    for command in (checked, ["format", "--check", "--diff"]):
        arguments = [sys.executable, "-m", "ruff", command[0], "--isolated", "--no-cache", *command[1:], str(folder)]
        done = subprocess.run(arguments, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

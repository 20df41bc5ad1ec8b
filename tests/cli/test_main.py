"""The command before a command: help, version, wrong arguments, and what becomes of errors."""

import subprocess
import sys
import time

import pytest

from slopewise import __version__, api
from slopewise.cli import main
from slopewise.errors import ColumnError, DataError, FitError, OptionError, StoreError

HEAVY = ("torch", "duckdb", "numpy", "pyarrow", "scipy", "narwhals", "pandas", "polars")


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("fit", "--help"), ("predict", "--help")])
def test_help_and_version_load_nothing_heavy(arguments):
    code = f"""
import sys
from slopewise.cli.main import run
assert run({list(arguments)!r}) == 0
print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_help_is_quicker_than_a_third_of_importing_torch():
    """The promise is 0.25 s where torch takes 0.8 s; the best of three, as other work may run beside."""
    help_takes = min(seconds("-m", "slopewise", "--help") for _ in range(3))
    torch_takes = min(seconds("-c", "import torch") for _ in range(3))
    assert help_takes < 0.31 * torch_takes


def seconds(*arguments):
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def test_version(program):
    assert program("--version").out == f"slopewise {__version__}\n"


def test_no_arguments_print_the_help_and_exit_2(call):
    done = call()
    assert (done.code, done.err) == (2, "")
    for command in ("fit", "show", "predict", "evaluate"):
        assert f" {command} " in done.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fti"], "No such command 'fti'. Did you mean 'fit'?"),
        (["--verison"], "No such option: --verison (Possible options: --version)"),
        (["fit"], "Missing argument 'TABLE'."),
        (["fit", "t.csv"], "Missing option '--target'."),
        (["fit", "t.csv", "--taget", "y"], "No such option: --taget (Possible options: --table, --target, --tau)"),
        (["fit", "t.csv", "--target", "y", "more"], "Got unexpected extra argument(s) (more)"),
        (
            ["fit", "t.csv", "--target", "y", "--missing", "dorp"],
            "Invalid value for '--missing': 'dorp' is not one of 'error', 'drop', 'mean'. Did you mean 'drop'?",
        ),
        (
            ["fit", "t.csv", "--target", "y", "--missing", "xyzzy"],
            "Invalid value for '--missing': 'xyzzy' is not one of 'error', 'drop', 'mean'.",
        ),
        (["fit", "t.csv", "--target", "y", "--l2", "much"], "Invalid value for '--l2': 'much' is not a number."),
        (
            ["fit", "t.csv", "--target", "y", "--seed", "1.5"],
            "Invalid value for '--seed': '1.5' is not a whole number.",
        ),
        (
            ["fit", "t.csv", "--target", "y", "--features", "a,,b"],
            "--features got 'a,,b', which has an empty name in it; write names as a,b,c.",
        ),
        (
            ["predict", "fit.safetensors", "t.csv", "--out", "p.xlsx"],
            "--out 'p.xlsx' has no known format; end the name in .csv or .parquet.",
        ),
    ],
)
def test_invalid_arguments_exit_2_with_one_sentence(call, arguments, sentence):
    done = call(*arguments)
    assert (done.code, done.out, done.err) == (2, "", f"slopewise: {sentence}\n")


@pytest.mark.parametrize(
    ("error", "code"), [(DataError, 1), (ColumnError, 1), (FitError, 1), (StoreError, 1), (OptionError, 2)]
)
def test_the_error_decides_the_exit_code(call, monkeypatch, error, code):
    monkeypatch.setattr(api, "load", raising(error("it broke; mend it.")))
    done = call("code", "some.safetensors")
    assert (done.code, done.out, done.err) == (code, "", "slopewise: it broke; mend it.\n")


def test_ctrl_c_is_one_line_and_exit_130(call, monkeypatch):
    monkeypatch.setattr(api, "load", raising(KeyboardInterrupt()))
    done = call("code", "some.safetensors")
    assert (done.code, done.out, done.err) == (130, "", "slopewise: interrupted.\n")


def test_a_bug_is_not_swallowed(monkeypatch):
    monkeypatch.setattr(api, "load", raising(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        main.run(["code", "some.safetensors"])


def test_a_reader_that_has_gone_is_no_news():
    command = subprocess.Popen(
        [sys.executable, "-m", "slopewise", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    command.stdout.close()
    assert command.stderr.read() == b""
    command.stderr.close()
    assert command.wait() == 1


def test_a_full_disk_under_stdout_is_one_sentence(program):
    with open("/dev/full", "w") as full:
        done = program("--version", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (done.code, done.err) == (1, "slopewise: the output: No space left on device; stopped there.\n")


def raising(error):
    def fail(*_, **__):
        raise error

    return fail

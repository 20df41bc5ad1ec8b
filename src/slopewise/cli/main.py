"""`slopewise`: the commands, and what becomes of errors.

Exit codes: 0 fine; 1 no result, for the reason on stderr; 2 the call's words are off; 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from slopewise import __version__
from slopewise.cli.check import check
from slopewise.cli.code import code
from slopewise.cli.evaluate import evaluate
from slopewise.cli.fit import fit
from slopewise.cli.history import history
from slopewise.cli.predict import predict
from slopewise.cli.printing import close_stdout, print_result, print_status
from slopewise.cli.show import show
from slopewise.errors import OptionError, SlopewiseError
from slopewise.wording import Flags, in_shell, spoken

INTERRUPTED = 130

app = typer.Typer(
    help="Regression by gradient descent, on PyTorch: a table in, a certified line out.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (fit, check, show, predict, evaluate, history, code):
    app.command()(command)


def print_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        print_result(f"slopewise {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that come before a command."""


def flags() -> Flags:
    """Return how this command line writes the options that Python has as keywords."""
    own: dict[str, str] = {}
    for command in typer.main.get_group(app).commands.values():
        own |= {part.name: part.opts[0] for part in command.params if part.name and part.opts[0].startswith("--")}
    off = {"standardize": own.pop("raw"), "intercept": own.pop("no_intercept")}
    return Flags(own | {"table_name": own["table_name"]}, off)


def run(words: list[str]) -> int:
    """Run one command line and return its exit code."""
    with in_shell(flags()):
        return _run(words)


def _run(words: list[str]) -> int:
    try:
        exit_code = app(words, prog_name="slopewise", standalone_mode=False)
    except TyperException as error:
        # pydantic, which typer converts words with, starts its messages so
        return fail(error.format_message().replace("Value error, ", ""), error.exit_code)
    except OptionError as error:
        return fail(spoken(str(error)), 2)
    except SlopewiseError as error:
        return fail(spoken(str(error)), 1)
    except OSError as error:
        close_stdout()
        return fail(f"{error.filename or 'the output'}: {error.strerror}; stopped there.", 1)
    return fail("interrupted.", INTERRUPTED) if exit_code == INTERRUPTED else exit_code or 0


def fail(sentence: str, code: int) -> int:
    """Say why there is no result, unless the help just printed says it."""
    if sentence:
        print_status(sentence)
    return code


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))

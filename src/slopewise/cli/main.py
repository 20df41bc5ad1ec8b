"""`slopewise`: the commands, and the exit codes of errors.

Exit codes: 0 success; 1 no result, for the reason on stderr; 2 invalid arguments or options; 130 interrupted.
"""

from __future__ import annotations

import re
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
from slopewise.errors import OptionError, SlopewiseError, nearest
from slopewise.wording import Flags, in_shell, spoken

INTERRUPTED = 130

app = typer.Typer(
    help="Regression by gradient descent and exact solvers, on PyTorch.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (fit, check, show, predict, evaluate, history, code):
    app.command()(command)


def print_version(requested: bool) -> None:
    """Print the version and stop.

    Raises:
        Exit: it was requested, and has been printed.
    """
    if requested:
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
    """Return the flags of this command line for Python's keyword arguments."""
    own: dict[str, str] = {}
    for command in typer.main.get_group(app).commands.values():
        own |= {part.name: part.opts[0] for part in command.params if part.name and part.opts[0].startswith("--")}
    off = {"standardize": own.pop("raw"), "intercept": own.pop("no_intercept")}
    return Flags(own | {"table_name": own["table_name"]}, off)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    with in_shell(flags()):
        return _run(arguments)


def _run(arguments: list[str]) -> int:
    try:
        exit_code = app(arguments, prog_name="slopewise", standalone_mode=False)
    except TyperException as error:
        # the prefix that pydantic, by which typer converts arguments, puts before its messages
        return fail(with_nearest(error.format_message().replace("Value error, ", "")), error.exit_code)
    except OptionError as error:
        return fail(spoken(str(error)), 2)
    except SlopewiseError as error:
        return fail(spoken(str(error)), 1)
    except OSError as error:
        close_stdout()
        return fail(f"{error.filename or 'the output'}: {error.strerror}; stopped there.", 1)
    return fail("interrupted.", INTERRUPTED) if exit_code == INTERRUPTED else exit_code or 0


def with_nearest(message: str) -> str:
    """Return the message; where it lists the choices of an option, with the choice that was probably meant.

    >>> with_nearest("Invalid value for '--missing': 'dropp' is not one of 'error', 'drop', 'mean'.")
    "Invalid value for '--missing': 'dropp' is not one of 'error', 'drop', 'mean'. Did you mean 'drop'?"
    """
    found = re.search(r"'([^']*)' is not one of (.*)\.$", message)
    if found is None:
        return message
    hint = nearest(found[1], re.findall(r"'([^']*)'", found[2]))
    return message + hint if "Did you mean" in hint else message


def fail(sentence: str, code: int) -> int:
    """Print the reason of a failure, if there is one, and return the exit code."""
    if sentence:
        print_status(sentence)
    return code


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))

"""What the docstrings of public functions must say: arguments, results and errors, read from the source of every file.

ruff checks the form of every docstring (pydocstyle, Google's convention); this file checks that the sections are there.
Public is a function of a module, or a method of a public class, without a leading underscore.

1. Args, one line for each parameter: functions of `slopewise.__all__`, verbs of `Fit`, and functions with three
   parameters or more. Excused are
   - methods that override one of a base class, or that a protocol asks for: the contract documents them;
   - `batch` and `operands` of a kernel, which `engine.engine` documents;
   - commands of the command line, whose parameters carry their help and whose docstring is printed by --help;
   - what a docstring tells by "arguments are those of `name`", and those that it then names in backticks itself.
   An Args section names parameters and nothing else, save where there is `**options`.
2. What is returned: a first line with the word return or yield, or a section, where there is something to return.
   Excused are properties, and requirements of solvers (`training.requirements`), which are named by what they require.
3. Raises: every error that a `raise` of the function's own body names, in the section or in a first line that begins
   with "Raise" and so has the condition already. An error of slopewise in the section must be raised by the function
   or by something that it may call. ruff's DOC501 and DOC502 are not used: the one takes `raise damaged(path)` for an
   error called damaged, the other does not know what callees raise.

The docstrings of commands are excused from 2 and 3 too: users read them, as the text of --help.
"""

from __future__ import annotations

import pytest
from docstring_law import Sources, package


def test_public_functions_say_what_they_take_return_and_raise() -> None:
    broken = list(package().faults())
    assert not broken, "\n".join(broken)


ERRORS = '''
class SlopewiseError(Exception): ...
class DataError(SlopewiseError): ...
class FitError(SlopewiseError): ...
def damaged(path) -> DataError:
    """Return the error."""
    return DataError(path)
def read(path):
    """Raise DataError."""
    raise damaged(path)
'''

CONTRACTS = '''
class Solver:
    def solve(self, problem, engine, warm):
        """Solve.

        Args:
            problem: what is asked.
            engine: sums over the rows.
            warm: the start.
        """
class Callback(Protocol):
    def epochs(self, done, total, cost):
        """Report.

        Args:
            done: epochs made.
            total: planned.
            cost: the present one.
        """
def first(a, b, c):
    """Do.

    Args:
        a: one.
        b: two.
        c: three.
    """
'''


def described(signature: str, *sections: str, body: str = "") -> str:
    """Return a function whose docstring has the sections given as `Title: name, name`."""
    text = "".join(
        f"\n\n    {title}:\n" + "\n".join(f"        {name}: what it is." for name in names.split(", "))
        for title, names in (section.split(": ") for section in sections)
    )
    return f'def {signature}:\n    """Do.{text}\n    """\n    {body}'


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("def f(a, b, c):\n 'Do.'", "f: Args does not name a, b, c"),
        ("def f(a, b, c): ...", "f: Args does not name a, b, c"),
        (described("f(a, b, *, c=1)", "Args: a, c"), "f: Args does not name b"),
        (described("f(a, b, c, **more)", "Args: a, b, c"), "f: Args does not name more"),
        (described("f(a)", "Args: a, b"), "f: Args names b, which it does not take"),
        (described("f(a, /, b, *c)", "Args: a, b, *c"), None),
        ("def f(a, b):\n 'Do.'", None),
        ("def _f(a, b, c):\n 'Do.'", None),
        ("def kernel(batch, operands, *, loss):\n 'Do.'", None),
        ("def kernel(batch, operands, a, b, c):\n 'Do.'", "kernel: Args does not name a, b, c"),
        ("def check(table):\n 'Do.'", "check: Args does not name table"),
        ("class Fit:\n def at(self, epoch):\n  'Do.'", "Fit.at: Args does not name epoch"),
        ("class Fit:\n def _at(self, a, b, c):\n  'Do.'", None),
        ("@overload\ndef f(a, b, c): ...", None),
        ("class Qr(Solver):\n def solve(self, problem, engine, warm):\n  'Do.'", None),
        ("class Qr:\n def solve(self, problem, engine, warm):\n  'Do.'", "Qr.solve: Args does not name problem"),
        ("class Bar:\n def epochs(self, done, total, cost):\n  'Do.'", None),
        ("class Bar:\n def steps(self, done, total, cost):\n  'Do.'", "Bar.steps: Args does not name done"),
        ("def f(a, b, c):\n 'Do. Arguments are those of `first`.'", None),
        ("def f(a, b, c, d):\n 'Do. Arguments are those of `first`.'", "f: Args does not name d"),
        ("def f(a, b, c, d):\n 'Do. `d` is new; the other arguments are those of `first`.'", None),
        ("def f(a, b, c):\n 'Do. Arguments are those of `gone`.'", "f: Args does not name a, b, c"),
        ("def f(problem, engine, warm):\n 'Do. Arguments and errors are those of `Solver.solve`.'", None),
        ("def f() -> int:\n 'The number.'\n return 1", "f: neither the first line nor a section says what is returned"),
        ("def f() -> int:\n 'Return the number.'\n return 1", None),
        ("def f() -> int:\n 'Print, and return the number.'\n return 1", None),
        ("class A:\n @property\n def f(self) -> int:\n  'The number.'\n  return 1", None),
        ("def f() -> int:\n 'Never.'\n raise NotImplementedError", "f: Raises does not name NotImplementedError"),
        ("def f():\n 'Do.'\n raise DataError('no')", "f: Raises does not name DataError"),
        ("def f():\n 'Raise DataError.'\n raise DataError('no')", None),
        ("def f(path):\n 'Do.'\n raise damaged(path)", "f: Raises does not name DataError"),
        ("def f():\n 'Do.'\n try:\n  g()\n except OSError as error:\n  raise", None),
        ("def f():\n 'Do.'\n def inner():\n  raise DataError('later')", None),
        (described("f()", "Raises: DataError", body="raise DataError('no')"), None),
        (described("f()", "Raises: DataError", body="read(1)"), None),
        (described("f()", "Raises: FitError", body="read(1)"), "f: Raises names FitError, which nothing that it calls"),
    ],
)  # fmt: skip
def test_a_violation_is_caught(source: str, sentence: str | None) -> None:
    files = {"__init__": "__all__ = ['check']", "errors": ERRORS, "contracts": CONTRACTS, "new": source}
    faults = list(Sources(files).faults())
    assert not [fault for fault in faults if "/new.py" not in fault]
    assert any(sentence in fault for fault in faults) if sentence else not faults, faults

"""Option names in messages: keyword arguments in Python, flags in the shell. Control characters in them, escaped.

Every message is written with Python's keyword arguments, `lr=0.01`. The command line registers the flag of each
keyword, and while it runs a command the same message reads `--lr 0.01`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

KEPT = "\n\t\u200c\u200d"
"""Of the control characters: line breaks and tabs, and what joins letters of some scripts and parts of emoji."""


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of a command line.

    named: each keyword's flag. switched_off: the flag that means `keyword=False`.
    """

    named: Mapping[str, str] = field(default_factory=dict)
    switched_off: Mapping[str, str] = field(default_factory=dict)


_FLAGS: ContextVar[Flags | None] = ContextVar("flags", default=None)

VALUE = r"""'[^']*'|"[^"]*"|\[[^\]]*\]|\([^)]*\)|[^\s,;:()]*[^\s,;:().]"""
VERBS = "is|are|must|holds|has|needs|says|asks|was|waits|watches|say"


@contextmanager
def in_shell(flags: Flags) -> Iterator[None]:
    """Let `spoken` use the flags of a command line until the block ends."""
    token = _FLAGS.set(flags)
    try:
        yield
    finally:
        _FLAGS.reset(token)


def spoken(text: str) -> str:
    """Return a sentence with its options as the caller writes them.

    Options are recognised as `name=value`, as a name with an underscore, and as the first word of a sentence; words in
    quotes, such as the names of columns, stay as they are.

    >>> with in_shell(Flags({"lr": "--lr", "batch_size": "--batch-size"})):
    ...     spoken("batch_size is 0; take lr=0.01.")
    '--batch-size is 0; take --lr 0.01.'
    """
    flags = _FLAGS.get()
    return text if flags is None else _translated(text, flags)


def _translated(text: str, flags: Flags) -> str:
    names = "|".join(sorted({*flags.named, *flags.switched_off}, key=len, reverse=True))
    assigned = rf"(?<![\w'\"./-])(?P<name>{names})=(?P<value>{VALUE})"
    bare = rf"(?<![\w'\"./-])(?P<bare>{names})(?![\w'\"./=-]|\(|\.\w)"
    first = rf"^(?P<first>{names})(?= (?:{VERBS})\b)"
    quoted = r"'[^'\n]*'|\"[^\"\n]*\""
    result = re.sub(
        rf"{assigned}|(?P<quoted>{quoted})|{first}|{bare}", lambda match: _flag(match, flags), text, flags=re.MULTILINE
    )
    return re.sub(r"(--[\w-]+(?: [^\s,;]+)?), (?=--)", r"\1 ", result)


def _flag(match: re.Match[str], flags: Flags) -> str:
    name, value = match["name"], match["value"]
    if name is None:
        word = match["first"] or match["bare"]
        if word is None or (match["bare"] and "_" not in word):
            return match[0]
        return flags.named.get(word, match[0])
    if value == "False":
        return flags.switched_off.get(name, match[0])
    if name not in flags.named:
        return match[0]
    return flags.named[name] if value == "True" else f"{flags.named[name]} {_shell_value(value)}"


def _shell_value(value: str) -> str:
    if value[0] in "[(":
        items = [item.strip().strip("'\"") for item in value[1:-1].split(",")]
        value = ",".join(f'"{item}"' if " " in item else item for item in items)
        return value if re.fullmatch(r"[\w.,:/+=@%-]+", value) else f"'{value}'"
    plain = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    if "'" in plain:
        return f'"{plain}"'
    return plain if re.fullmatch(r"[\w.,:/+=@%-]+", plain) else f"'{plain}'"


def visible(text: str) -> str:
    r"""Return the text with control characters escaped, as JSON writes them; line breaks and tabs are kept.

    A name that holds a terminal's escape sequences, or marks that turn the direction of writing, shows them.

    >>> print(visible("\x1b[2J"))
    \u001b[2J
    """
    if text.isprintable():
        return text
    return "".join(json.dumps(letter)[1:-1] if _is_control(letter) else letter for letter in text)


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in KEPT

"""`slopewise code`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from slopewise.cli.options import Saved
from slopewise.cli.printing import print_result


def code(
    file: Saved,
    style: Annotated[Literal["plain", "class"], typer.Option(help="W and b as tensors, or an nn.Module.")] = "plain",
) -> None:
    """Print PyTorch code that reproduces a saved fit and does not import slopewise."""
    from slopewise import api

    print_result(api.load(file).code(style=style).rstrip("\n"))

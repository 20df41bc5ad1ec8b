"""Damaged and crafted files: every outcome is a report or one sentence, never a traceback."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from slopewise.api import load
from slopewise.cli.main import run
from slopewise.errors import SlopewiseError, StoreError
from slopewise.results.fit import Fit

MUTATIONS = 30
"""Of each kind; some 800 in all, of headers, of summaries and of bytes."""

VALUES = [
    None, True, False, 0, 1, -1, 2, 7, 10**6, 10**30, 2**70, 0.5, -0.5, 1e300, "", "x", "hc1", "number", "category",
    "float32", "qr", "newton", "gd_loop", [], [1], ["a", "b"], [[]], {}, {"a": 1}, {"$float": "nan"}, {"$float": "inf"},
    {"$float": "x"}, {"$tensor": "solution.theta"}, {"$tensor": "none"}, {"$tensor": []}, {"$kind": "MLP"},
    {"$kind": "Softmax", "classes": 3}, {"$kind": []}, "\x1b[31m", '"""+str(1)+"""',
]  # fmt: skip

NEW = {"a": [0.5, 1.0], "b": [1.0, 2.0], "c": ["p", "q"], "hours": [1.0, 2.0]}
TRUTH = {
    "y": [1.0, 2.0], "two": ["yes", "no"], "three": ["low", "mid"], "count": [1.0, 2.0], "cost": [1.0, 2.0]
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def mutated(header: dict[str, Any], chosen: random.Random) -> tuple[dict[str, Any], str]:
    """Return the header with a value replaced, removed, or put twice, and what was done."""
    changed = copy.deepcopy(header)
    *above, last = chosen.choice(list(places(changed)))
    inner: Any = changed
    for key in above:
        inner = inner[key]
    how, value = chosen.random(), chosen.choice(VALUES)
    if how < 0.15:
        del inner[last]
        return changed, f"{above} without {last}"
    if how < 0.25 and isinstance(inner, list):
        inner.append(copy.deepcopy(inner[last]))
        return changed, f"{above} with {last} twice"
    if how < 0.35 and type(inner[last]) in (int, float):
        value = inner[last] * chosen.choice([-1, 2, 1000])
    inner[last] = value
    return changed, f"{above} {last} = {value!r}"


def changed_tensors(tensors: dict[str, torch.Tensor], chosen: random.Random) -> tuple[dict[str, torch.Tensor], str]:
    name = chosen.choice(sorted(tensors))
    old = tensors[name]
    new = chosen.choice(
        [old.float(), old.reshape(-1)[:0], old[None], old.long(), torch.full_like(old, -1), torch.zeros(3), None]
    )
    rest = {key: value for key, value in tensors.items() if key != name}
    return (rest if new is None else {**rest, name: new}), f"tensor {name} is {new}"


def use(path: Path) -> None:
    """Ask a saved fit for everything; only errors of slopewise's own may come."""
    try:
        fit = load(path)
    except StoreError as error:
        assert str(error).endswith(".") and str(error).count("\n") == 0, str(error)
        return
    for verb in (
        fit.summary,
        fit.to_json,
        lambda: repr(fit),
        lambda: fit.coefficients,
        lambda: fit.history_table(),
        lambda: fit.predict(NEW),
        lambda: fit.predict(NEW, interval=0.9),
        lambda: fit.evaluate({**NEW, **TRUTH}),
        lambda: compile(fit.code(), "script", "exec"),
        lambda: fit.at(0),
    ):
        with suppress(SlopewiseError):
            verb()


@pytest.fixture(scope="module")
def files(every_kind: dict[str, Fit], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("kinds")
    for place, (name, fit) in enumerate(every_kind.items()):
        fit.save(folder / f"{place}.safetensors")
        assert load(folder / f"{place}.safetensors").to_json() == fit.to_json(), name
    return {name: folder / f"{place}.safetensors" for place, name in enumerate(every_kind)}


def taken_apart(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    data = path.read_bytes()
    entries = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    header = json.loads(entries["__metadata__"]["slopewise-fit"])
    del header["sha256"]
    return header, load_tensors(data)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_crafted_headers(files: dict[str, Path], tmp_path: Path) -> None:
    path, chosen = tmp_path / "crafted.safetensors", random.Random(1)
    for name, file in files.items():
        header, tensors = taken_apart(file)
        for _ in range(MUTATIONS):
            head, parts = header, tensors
            if chosen.random() < 0.2:
                parts, what = changed_tensors(tensors, chosen)
            else:
                record, what = mutated(header["record"], chosen)
                head = {**header, "record": record}
            path.write_bytes(save_tensors(parts, {"slopewise-fit": json.dumps(head)}))
            try:
                use(path)
            except Exception as error:
                raise AssertionError(f"{name}: {what}: {type(error).__name__}: {error}") from error


@pytest.mark.parametrize(
    ("where", "value", "sentence"),
    [
        (("epochs",), -1, "best_epoch is"),
        (("plan", "epochs"), -1, "epochs is -1"),
        (("plan", "epochs"), "30", "epochs is '30', not int"),
        (("plan", "seed"), 'open("owned", "w")', "not int"),
        (("plan", "seed"), 2**70, "the seed of the plan is too large"),
        (("plan", "batch_size"), 0, "batch_size is 0"),
        (("plan", "batch_size"), 2.5, "batch_size is 2.5, not int"),
        (("plan", "optimizer"), "lion", "optimizer is 'lion', not one of sgd, adam"),
        (("plan", "options", "lr=print(1), eps"), 1.0, "not one of lr, betas"),
        (("plan", "options", "betas"), ["x", 0.9], "betas is"),
        (("plan", "dtype"), "float16", "dtype is 'float16', not one of float64, float32"),
        (("best_epoch",), 31, "best_epoch is 31 of 30"),
    ],
)
def test_crafted_plans(
    where: tuple[str, ...], value: object, sentence: str, files: dict[str, Path], tmp_path: Path
) -> None:
    header, tensors = taken_apart(files["line by adam"])
    *above, last = where
    inner = header["record"]["solution"]["descent"]
    for key in above:
        inner = inner[key]
    inner[last] = value
    path = tmp_path / "crafted.safetensors"
    path.write_bytes(save_tensors(tensors, {"slopewise-fit": json.dumps(header)}))
    with pytest.raises(StoreError, match=f"parts do not belong together: .*{re.escape(sentence)}"):
        load(path)


def test_crafted_summaries(files: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, chosen = tmp_path / "crafted.safetensors", random.Random(2)
    for name, file in files.items():
        header, tensors = taken_apart(file)
        for _ in range(MUTATIONS):
            shown, what = mutated({part: header[part] for part in ("display", "result")}, chosen)
            path.write_bytes(save_tensors(tensors, {"slopewise-fit": json.dumps({**header, **shown})}))
            try:
                code = run(["show", str(path)])
            except Exception as error:
                raise AssertionError(f"{name}: {what}: {type(error).__name__}: {error}") from error
            assert code in (0, 1)
    capfd.readouterr()


def test_changed_bytes(files: dict[str, Path], tmp_path: Path) -> None:
    path, chosen = tmp_path / "changed.safetensors", np.random.default_rng(3)
    for file in files.values():
        whole = np.frombuffer(file.read_bytes(), dtype=np.uint8)
        for _ in range(MUTATIONS):
            data = whole.copy()
            data[chosen.integers(0, len(data), chosen.integers(1, 4))] ^= chosen.integers(1, 256, dtype=np.uint8)
            if (data == whole).all():
                continue
            path.write_bytes(data.tobytes())
            with pytest.raises(StoreError):
                load(path)

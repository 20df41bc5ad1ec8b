"""Saving and loading: bit by bit the same, and one sentence for every file that is no fit."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from slopewise import api
from slopewise.api import load
from slopewise.errors import StoreError
from slopewise.results.fit import Fit


def taken_apart(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length])
    return json.loads(entries["__metadata__"]["slopewise-fit"]), load_tensors(data)


def put_together(path: Path, header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Write a file without a checksum, as a program could that has changed what it says."""
    plain = {name: value for name, value in header.items() if name != "sha256"}
    path.write_bytes(save_tensors(tensors, {"slopewise-fit": json.dumps(plain)}))


@pytest.fixture
def saved(mass: Fit, tmp_path: Path) -> Path:
    path = tmp_path / "mass.safetensors"
    mass.save(path)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cov_type": "hc3", "confidence_level": 0.9},
        {"weights": "w", "intercept": False},
        {"l2": 2.5, "missing": "mean"},
        {"test_size": 0.25, "missing": "drop"},
    ],
)
def test_round_trip(random_table: Any, tmp_path: Path, options: dict[str, Any]) -> None:
    table, new = random_table(seed=1), random_table(seed=2, n=50)
    fit = api.fit(table, target="y", **options)
    fit.save(tmp_path / "fit.safetensors")
    back = load(tmp_path / "fit.safetensors")
    for mean in (False, True):
        ours, theirs = (
            f.predict(new, interval=0.9, of="mean" if mean else "observation").to_numpy() for f in (fit, back)
        )
        np.testing.assert_array_equal(ours, theirs)
    assert torch.equal(back.covariance, fit.covariance) and torch.equal(back.theta, fit.theta)
    assert back.to_json() == fit.to_json() and back.summary() == fit.summary() and repr(back) == repr(fit)
    assert back.design == fit.design and back.train == fit.train and back.test == fit.test
    pd.testing.assert_frame_equal(back.coefficients, fit.coefficients)
    assert back.evaluate(new) == fit.evaluate(new)
    assert (back.solver, back.reason, back.status, back.confidence_level) == (
        fit.solver,
        fit.reason,
        fit.status,
        fit.confidence_level,
    )


def test_a_fit_of_nothing_but_infinities_comes_back(tmp_path: Path) -> None:
    fit = api.fit({"x": np.arange(5.0), "y": 2 * np.arange(5.0)}, target="y")
    fit.save(tmp_path / "fit.safetensors")
    assert load(tmp_path / "fit.safetensors").stats == fit.stats


def test_the_same_fit_gives_the_same_bytes(saved: Path, mass: Fit) -> None:
    other = saved.with_name("other.safetensors")
    mass.save(other)
    assert other.read_bytes() == saved.read_bytes()
    load(saved).save(other)
    assert other.read_bytes() == saved.read_bytes()


def test_the_header_can_be_read_without_slopewise(saved: Path, mass: Fit) -> None:
    header, tensors = taken_apart(saved)
    assert header["result"] == mass.to_dict()
    assert header["record"]["design"]["features"][1]["levels"] == ["Adelie", "Chinstrap", "Gentoo"]
    assert torch.equal(tensors["solution.theta"], mass.theta)
    assert stat.S_IMODE(saved.stat().st_mode) & 0o044 == 0o044 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_cut_short_anywhere(saved: Path) -> None:
    whole = saved.read_bytes()
    for size in (0, 5, 8, 9, 100, len(whole) // 2, len(whole) - 1):
        saved.write_bytes(whole[:size])
        with pytest.raises(StoreError, match=r"mass\.safetensors is cut short or damaged; copy it again"):
            load(saved)


def test_damaged_inside_the_header(saved: Path) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[:20] + b"\xff\xfe" + whole[22:])
    with pytest.raises(StoreError, match="cut short or damaged"):
        load(saved)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"x,y\n1,2\n3,4\n5,6\n", "is not a safetensors file; give one that slopewise saved"),
        (b"PK\x03\x04 some pickle in a zip", "is not a safetensors file"),
        (save_tensors({"weight": torch.zeros(2)}), "is a safetensors file, but not a fit"),
        (save_tensors({"weight": torch.zeros(2)}, {"format": "pt"}), "is a safetensors file, but not a fit"),
    ],
)
def test_foreign_files(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=sentence):
        load(path)


def test_a_newer_format(saved: Path) -> None:
    header, tensors = taken_apart(saved)
    put_together(saved, header | {"format": 3, "slopewise": "9.1.0"}, tensors)
    with pytest.raises(
        StoreError, match=r"made by slopewise 9\.1\.0 in format 3; this is slopewise .* upgrade slopewise"
    ):
        load(saved)


def test_parts_that_do_not_belong_together(saved: Path) -> None:
    header, tensors = taken_apart(saved)
    record, name = header["record"], "solution.theta"
    design, solution = record["design"], record["solution"]
    narrow = {**design, "features": design["features"][:1]}

    def with_record(**changed: object) -> dict[str, Any]:
        return {**header, "record": {**record, **changed}}

    spoiled = [
        (header, {k: v for k, v in tensors.items() if k != name}, "there is no tensor solution.theta"),
        (header, tensors | {name: torch.zeros(2, dtype=torch.float64)}, r"theta is \(2,\) torch.float64, not"),
        (header, tensors | {name: tensors[name].float()}, "torch.float32, not"),
        (with_record(design=narrow), tensors, "tensor theta is"),
        ({**header, "record": {k: v for k, v in record.items() if k != "design"}}, tensors, "there is no design"),
        (with_record(design={**design, "colour": "red"}), tensors, "design has no field colour"),
        (with_record(solution={**solution, "status": "HOPEFUL"}), tensors, "status is 'HOPEFUL', not one of"),
        (with_record(cov_type="hc9"), tensors, "cov_type is 'hc9'"),
        (with_record(l2=None), tensors, "l2 is None, not a number"),
        (with_record(model={"$kind": "Popen", "args": ["true"]}), tensors, "model is a 'Popen', not a Model"),
    ]
    for head, parts, sentence in spoiled:
        put_together(saved, head, parts)
        with pytest.raises(StoreError, match=f"parts do not belong together: .*{sentence}"):
            load(saved)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no file .*none\.safetensors; check the name"):
        load(tmp_path / "none.safetensors")
    with pytest.raises(StoreError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_a_file_without_permission(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("builtins.open", refuse)  # the tests may run as root, whom no permission stops
    with pytest.raises(StoreError, match="cannot be read: Permission denied"):
        load(saved)


def test_a_full_disk_leaves_nothing_and_loses_nothing(saved: Path, mass: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def write_half(path: Path, data: bytes) -> int:
        with open(path, "wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(StoreError, match="could not be written: No space left on device.*free some space"):
        mass.save(saved)
    assert saved.read_bytes() == before and [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_a_folder_that_is_not_there(mass: Fit, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no folder"):
        mass.save(tmp_path / "none" / "fit.safetensors")

"""A changed byte of a saved fit is noticed, by `load` and by `slopewise show`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from slopewise.api import load
from slopewise.cli.main import run
from slopewise.errors import StoreError
from slopewise.results.fit import Fit
from slopewise.results.storage.header import read_header


@pytest.fixture
def saved(mass: Fit, tmp_path: Path) -> Path:
    path = tmp_path / "mass.safetensors"
    mass.save(path)
    return path


def test_one_bit_anywhere(saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole, chosen = saved.read_bytes(), random.Random(0)
    summary = load(saved).summary()
    for place in [*range(40), *chosen.sample(range(40, len(whole)), 400), len(whole) - 1]:
        changed = bytearray(whole)
        changed[place] ^= 1 << chosen.randrange(8)
        saved.write_bytes(changed)
        with pytest.raises(StoreError):
            load(saved)
        with pytest.raises(StoreError):
            read_header(saved)
    assert run(["show", str(saved)]) == 1
    out, err = capfd.readouterr()
    assert not out and "is cut short or damaged; copy it again, or fit again and save." in err
    saved.write_bytes(whole)
    assert load(saved).summary() == summary


def test_a_coefficient_is_not_changed_in_silence(saved: Path) -> None:
    whole = saved.read_bytes()
    theta = load(saved).theta.numpy().tobytes()
    assert whole.count(theta) == 1
    other = (torch.frombuffer(bytearray(theta), dtype=torch.float64) * 0.75).numpy().tobytes()
    saved.write_bytes(whole.replace(theta, other))
    with pytest.raises(StoreError, match="is cut short or damaged; copy it again"):
        load(saved)


@pytest.mark.parametrize("key", ["sha257", "SHA256"])
def test_another_name_of_the_checksum_does_not_switch_it_off(saved: Path, key: str) -> None:
    saved.write_bytes(saved.read_bytes().replace(b"sha256", key.encode(), 1))
    with pytest.raises(StoreError, match="damaged"):
        load(saved)


def test_bytes_behind_the_end(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes() + b"\0")
    with pytest.raises(StoreError, match="damaged"):
        load(saved)

"""Killed at any moment and resumed, a descent ends as if never killed; and what cannot be resumed says why."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from slopewise.errors import StoreError
from slopewise.losses.squared import Squared
from slopewise.optimizers.parse import plan_descent
from slopewise.solution import Status
from slopewise.training.descent.checkpoint import ENTRY, FILE, FORMAT, Checkpoint
from slopewise.training.descent.runner import run_loop

SCRIPT = """
import sys
from pathlib import Path
from tests_of_checkpoints import run
run(sys.argv[1], Path(sys.argv[2]), out=Path(sys.argv[3]), slow=0.002)
"""

PLANS = {
    "sgd": {"momentum": 0.9, "schedule": "step", "step_size": 40, "gamma": 0.5, "lr": 0.01},
    "adam": {"optimizer": "adam", "schedule": "plateau", "plateau_patience": 2, "threshold": 1e-2, "lr": 0.02},
    "full": {"optimizer": "adamw", "batch_size": None, "history_every": 7, "patience": 500, "lr": 0.02},
}


def run(name, folder=None, *, out=None, slow=0.0, resume=None, epochs=150, about=None, **options):
    """Descend with a network (with dropout, for adam), checkpointing after every epoch; write the answer to `out`."""
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(50, 3, generator=draw)
    y = x.sum(1) + 0.1 * torch.randn(50, generator=draw)
    torch.manual_seed(4)
    layers = nn.Linear(3, 5), nn.Dropout(0.1) if name == "adam" else nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0)

    def loss(eta, y):
        time.sleep(slow)
        return Squared().value(eta, y)

    plan = plan_descent(**{"batch_size": 16, "epochs": epochs, **PLANS[name], **options})
    checkpoint = None
    if folder is not None:
        checkpoint = Checkpoint(folder, folder.is_dir() if resume is None else resume, every=0.0, about=about or {})
    fit = run_loop(x=x, y=y, module=nn.Sequential(*layers), loss=loss, plan=plan, checkpoint=checkpoint)
    if out is not None:
        save_file(answer(fit), out)
    return fit


def answer(fit):
    history = fit.history
    names = ("epoch", "cost", "parameters", "gradient", "lr")
    return {"theta": fit.theta, **{name: getattr(history, name).clone() for name in names}}


def start_process(name, folder, out):
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    script = SCRIPT.replace("tests_of_checkpoints", Path(__file__).stem)
    return subprocess.Popen([sys.executable, "-c", script, name, folder, out], env={**os.environ, "PYTHONPATH": path})


@pytest.mark.parametrize("name", PLANS)
def test_killed_at_random_moments(name, tmp_path):
    folder, out = tmp_path / "kept", tmp_path / "out.safetensors"
    dice = random.Random(name)
    for _ in range(2):
        process = start_process(name, folder, out)
        limit = time.monotonic() + 60
        while not (folder / FILE).exists() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.01)
        before = (folder / FILE).stat().st_mtime_ns
        while (folder / FILE).stat().st_mtime_ns == before and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.001)
        time.sleep(dice.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if out.exists():
            break
    assert epoch_of(folder) > 0
    finished = run(name, folder)
    whole = run(name)
    for key, value in answer(whole).items():
        assert torch.equal(answer(finished)[key], value), key
    assert (finished.status, finished.evidence) == (whole.status, whole.evidence)
    assert [part.name for part in folder.iterdir()] == [FILE]


def epoch_of(folder):
    with safe_open(folder / FILE, framework="pt") as file:
        return json.loads(file.metadata()[ENTRY])["epoch"]


@pytest.mark.parametrize("name", PLANS)
def test_more_epochs_continue_where_it_ended(name, tmp_path):
    run(name, tmp_path / "kept", epochs=60)
    longer, whole = run(name, tmp_path / "kept", epochs=90), run(name, epochs=90)
    for key, value in answer(whole).items():
        assert torch.equal(answer(longer)[key], value), key


def test_ctrl_c_reports_how_to_resume(tmp_path):
    folder, calls = tmp_path / "kept", 0

    def loss(eta, y):
        nonlocal calls
        calls += 1
        if calls == 40:
            raise KeyboardInterrupt
        return Squared().value(eta, y)

    x = torch.arange(12.0).reshape(4, 3)
    plan, module = plan_descent(lr=1e-4, epochs=100), nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    fit = run_loop(x=x, y=x[:, 0], module=module, loss=loss, plan=plan, checkpoint=Checkpoint(folder, every=0.0))
    assert fit.status is Status.INTERRUPTED
    assert epoch_of(folder) <= fit.epochs + 1
    assert fit.advice == f"resume from {folder}: it continues at epoch {epoch_of(folder)}"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lr": 0.5}, 'options {"lr": 0.01'),
        ({"seed": 3}, "seed 0 where this run has 3"),
        ({"batch_size": 25}, "batch_size 16 where this run has 25"),
        ({"about": {"columns": ["a", "b"]}}, 'columns nothing where this run has ["a", "b"]'),
        ({"epochs": 20}, "is at epoch 30, past the 20 asked for; ask for more epochs."),
    ],
)
def test_another_problem(tmp_path, change, sentence):
    run("sgd", tmp_path / "kept", epochs=30)
    with pytest.raises(StoreError) as caught:
        run("sgd", tmp_path / "kept", **{"epochs": 30, **change})
    assert sentence in str(caught.value)


def test_other_rows(tmp_path):
    x = torch.arange(12.0).reshape(4, 3)

    def descend(y, resume):
        module = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
        checkpoint = Checkpoint(tmp_path / "kept", resume)
        plan = plan_descent(lr=1e-4, epochs=3)
        run_loop(x=x, y=y, module=module, loss=Squared().value, plan=plan, checkpoint=checkpoint)

    descend(x[:, 0], False)
    with pytest.raises(StoreError, match="belongs to another problem: other rows; resume with the same settings"):
        descend(x[:, 1], True)


def test_folders(tmp_path):
    with pytest.raises(StoreError, match="there is no folder .*kept to resume from; check the name"):
        run("sgd", tmp_path / "kept", resume=True)
    (tmp_path / "kept").mkdir()
    run("sgd", tmp_path / "kept", resume=True, epochs=2)  # killed before its first checkpoint: starts at 0
    with pytest.raises(StoreError, match="kept already holds a checkpoint; resume from it, or choose another folder"):
        run("sgd", tmp_path / "kept", resume=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="the folder .*file cannot be made: File exists; choose another one"):
        run("sgd", tmp_path / "file", resume=False)


def test_damaged_and_newer(tmp_path):
    folder = tmp_path / "kept"
    run("sgd", folder, epochs=3)
    good, tensors = (folder / FILE).read_bytes(), load_file(folder / FILE)
    for size in (0, 7, 100, len(good) // 2, len(good) - 1):
        (folder / FILE).write_bytes(good[:size])
        with pytest.raises(StoreError, match="is truncated, damaged or not a checkpoint; copy it again, or remove it"):
            run("sgd", folder, epochs=3)
    save_file(tensors, folder / FILE, {"another": "header"})
    with pytest.raises(StoreError, match="is truncated, damaged or not a checkpoint"):
        run("sgd", folder, epochs=3)
    save_file(tensors, folder / FILE, {ENTRY: json.dumps({"format": FORMAT + 1, "anything": 1})})
    with pytest.raises(StoreError, match="was written in format 3 by a newer slopewise; this one reads format 2: upgr"):
        run("sgd", folder, epochs=3)


def test_older(tmp_path):
    """Format 1 kept what an optimizer remembers parameter by parameter, and no line of it says which way it is."""
    folder = tmp_path / "kept"
    run("sgd", folder, epochs=3)
    with safe_open(folder / FILE, framework="pt") as file:
        header = json.loads(file.metadata()[ENTRY])
    save_file(load_file(folder / FILE), folder / FILE, {ENTRY: json.dumps({**header, "format": 1})})
    with pytest.raises(StoreError) as caught:
        run("sgd", folder, epochs=5)
    assert str(caught.value) == (
        f"{folder / FILE} was written in format 1 by an older slopewise, and this one resumes format 2 only; "
        "finish it with that version, or start a new run in another folder."
    )


def test_the_same_layers_in_a_module_that_is_stepped_otherwise(tmp_path):
    class Own(nn.Sequential):
        pass

    x = torch.arange(12.0).reshape(4, 3)

    def descend(kind, resume):
        checkpoint, plan = Checkpoint(tmp_path / "kept", resume), plan_descent(lr=1e-4, epochs=3, optimizer="adam")
        module = kind(nn.Linear(3, 1), nn.Flatten(0))
        run_loop(x=x, y=x[:, 0], module=module, loss=Squared().value, plan=plan, checkpoint=checkpoint)

    descend(nn.Sequential, False)
    with pytest.raises(
        StoreError, match=r"moved together \[\[4\]\] where this run has \[\[1, 3\], \[1\]\]; resume with"
    ):
        descend(Own, True)


def test_the_one_before_stays_until_the_new_one_is_complete(tmp_path, monkeypatch):
    folder = tmp_path / "kept"
    run("sgd", folder, epochs=3)
    good = (folder / FILE).read_bytes()

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match="could not be written: No space left on device"):
        run("sgd", folder, epochs=5)
    assert (folder / FILE).read_bytes() == good

"""The scripts are run, all in one process that must not have slopewise in it, and their last lines compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
import torch
from scripts import check_clean, run
from torch import Tensor

from slopewise import api
from slopewise.data.design import Design, Feature
from slopewise.data.design_source import DesignSource
from slopewise.data.learn import learn_design
from slopewise.data.open import as_table
from slopewise.data.split import Split
from slopewise.errors import OptionError
from slopewise.optimizers.parse import plan_descent
from slopewise.optimizers.plan import DescentPlan
from slopewise.results.export.code import Script, script_text
from slopewise.results.record import CsvRows, InlineRows
from slopewise.training.descent.minibatches import permutation

EXAMPLES = Path(__file__).parents[3] / "examples"
PENGUINS = str(EXAMPLES / "penguins.csv")
FEATURES = ["flipper_length_mm", "species", "sex"]


@dataclass(frozen=True)
class Table:
    """Training rows of a case, as the design makes them."""

    design: Design
    x: Tensor
    y: Tensor
    w: Tensor | None = None

    @property
    def inline(self) -> InlineRows:
        return InlineRows(self.x, self.y, self.w)


def small(target: str, **columns: list[float]) -> Table:
    y = columns.pop(target)
    x = torch.tensor(list(columns.values()), dtype=torch.float64).T
    design = Design(tuple(Feature(name, "number") for name in columns), target)
    return Table(design, x, torch.tensor(y, dtype=torch.float64))


def penguins(missing: str = "drop", test_size: float = 0.0, weights: str | None = None) -> Table:
    table, split = as_table(PENGUINS), Split(test_size)
    design = learn_design(
        table,
        target="body_mass_g",
        features=FEATURES,
        weights=weights,
        intercept=True,
        missing=missing,
        split=split,
    )
    batches = list(DesignSource(table, design, split, "train").batches(1000))
    x, y = torch.cat([batch.x for batch in batches]), torch.cat([batch.y for batch in batches])  # type: ignore[misc]
    w = None if weights is None else torch.cat([batch.w for batch in batches])  # type: ignore[misc]
    return Table(design, x, y, w)


R1 = small("points", hours=[1, 2, 3], points=[2, 4, 6])
R4 = small("ability", hours=[1, 2, 3], ability=[200, 400, 600])
R5 = small(
    "final", quiz1=[73, 93, 89, 96, 73], quiz2=[80, 88, 91, 98, 66], quiz3=[75, 93, 80, 100, 70],
    final=[152, 185, 180, 196, 142],
)  # fmt: skip
WEIGHTED = replace(R5, design=replace(R5.design, weights="trust"), w=torch.tensor([1.0, 2, 0.5, 1, 3]).double())
THROUGH_ZERO = replace(R5, design=replace(R5.design, intercept=False))
FLAT = small("y", a=[1, 2, 4, 8], b=[0.1, 0.1, 0.1, 0.1], y=[1, 3, 2, 5])
SMALL_SGD = {"lr": 0.1, "momentum": 0.9, "epochs": 120}

PLANS: dict[str, tuple[Table, DescentPlan, float]] = {
    "R1": (R1, plan_descent(lr=0.01, epochs=2000, standardize=False), 0.0),
    "R1-single": (R1, plan_descent(lr=0.01, epochs=2000, standardize=False, dtype="float32"), 0.0),
    "R4": (R4, plan_descent(lr=0.01, epochs=201, standardize=False, dtype="float32"), 0.0),
    "R4-momentum": (R4, plan_descent(lr=0.01, momentum=0.9, epochs=201, standardize=False, dtype="float32"), 0.0),
    "R5": (R5, plan_descent(lr=1e-5, epochs=20, standardize=False), 0.0),
    "R5-single": (R5, plan_descent(lr=1e-5, epochs=20, standardize=False, dtype="float32"), 0.0),
    "R5-ridge": (R5, plan_descent(**SMALL_SGD), 0.7),
    "weights-ridge": (WEIGHTED, plan_descent(**SMALL_SGD, nesterov=True), 0.7),
    "weights-batches": (WEIGHTED, plan_descent(lr=0.05, epochs=20, batch_size=2, seed=3), 0.0),
    "through-zero": (THROUGH_ZERO, plan_descent(lr=1e-3, epochs=50), 0.0),
    "flat": (FLAT, plan_descent(lr=0.1, epochs=40, init=(1.0, 2.0, 3.0)), 0.0),
    "penguins": (penguins(), plan_descent(**SMALL_SGD), 0.0),
    "penguins-single": (penguins(), plan_descent(**SMALL_SGD, dtype="float32"), 0.0),
    "penguins-mean": (penguins("mean"), plan_descent(lr=0.1, epochs=30), 0.0),
    "penguins-held-out": (penguins("drop", 0.2), plan_descent(lr=0.1, epochs=30), 0.0),
    "penguins-weights": (penguins("drop", weights="year"), plan_descent(lr=0.1, epochs=30), 2.5),
    "batches": (penguins(), plan_descent(lr=0.02, epochs=7, batch_size=32, seed=5), 0.0),
    "batches-plateau": (
        penguins(),
        plan_descent(lr=0.3, epochs=30, batch_size=50, schedule="plateau", plateau_patience=1, factor=0.5),
        0.0,
    ),
    "adam-cosine": (R5, plan_descent(optimizer="adam", lr=5.0, epochs=60, schedule="cosine", eta_min=0.01), 0.0),
    "adamw-step": (R5, plan_descent(optimizer="adamw", lr=5.0, epochs=60, schedule="step", step_size=20), 0.0),
    "rmsprop-plateau": (
        R5,
        plan_descent(optimizer="rmsprop", lr=9.0, centered=True, epochs=60, schedule="plateau", plateau_patience=2),
        0.0,
    ),
    "adagrad": (R5, plan_descent(optimizer="adagrad", lr=9.0, lr_decay=0.01, epochs=60), 0.0),
}
STYLED = [(name, style) for name in PLANS for style in ("plain", "class")]


def script_of(name: str) -> Script:
    table, plan, l2 = PLANS[name]
    init = plan.init if isinstance(plan.init, tuple) else (0.0,) * len(table.design.names)
    rows: InlineRows | CsvRows = table.inline
    if name.startswith(("penguins", "batches")):
        rows = CsvRows(PENGUINS, split=Split(0.2 if "held-out" in name else 0.0))
    return Script(table.design, rows, plan, init, plan.epochs, l2, constant=name == "flat")


@pytest.fixture(scope="module", autouse=True)
def alone() -> Iterator[None]:
    """Threads only wait for each other on tables as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@cache
def expected(name: str) -> dict[str, float]:
    """Descend as the documents do, in plain PyTorch, with [1, u] theta as the model."""
    table, plan, l2 = PLANS[name]
    intercept, dtype = table.design.intercept, getattr(torch, plan.dtype)
    w = torch.ones_like(table.y) if table.w is None else table.w / table.w.mean()
    total = float(len(table.y) if table.w is None else table.w.sum())
    mean, scale = torch.zeros(table.x.shape[1]).double(), torch.ones(table.x.shape[1]).double()
    if plan.standardize:
        mean = (w[:, None] * table.x).mean(0)
        scale = (w[:, None] * (table.x - mean) ** 2).mean(0).sqrt()
        scale[scale < 1e-12] = 1.0
        mean = mean if intercept else torch.zeros_like(mean)
    u = torch.cat([torch.ones(len(table.y), int(intercept)).double(), (table.x - mean) / scale], 1).to(dtype)
    y, w = table.y.to(dtype), w.to(dtype)
    factor = torch.cat([torch.zeros(int(intercept)).double(), l2 / total / scale**2]).to(dtype)
    start = plan.init if isinstance(plan.init, tuple) else (0.0,) * u.shape[1]
    theta = torch.tensor(start, dtype=dtype, requires_grad=True)

    def cost(rows: Tensor | slice = slice(None)) -> Tensor:
        return (w[rows] * (u[rows] @ theta - y[rows]) ** 2).mean() + factor @ theta**2

    options = {**plan.options, "lr": plan.lr}
    names = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "adagrad": "Adagrad"}
    optimizer = getattr(torch.optim, names[plan.optimizer])([theta], **options)
    schedule = make_schedule(optimizer, plan)
    for epoch in range(plan.epochs):
        whole = float(cost().detach())
        size = plan.batch_size
        order = [slice(None)] if size is None else permutation(len(y), plan.seed, epoch).split(size)
        for rows in order:
            optimizer.zero_grad()
            cost(rows).backward()
            optimizer.step()
        if schedule is not None:
            schedule.step(*([whole] if plan.schedule.name == "plateau" else []))
    found = theta.detach().double()
    slopes = found[int(intercept) :] / scale
    answer = dict(zip(table.design.x_names, slopes.tolist(), strict=True))
    b = float(found[0] - mean @ slopes) if intercept else 0.0
    answer |= {"b": b} if intercept else {}
    return answer | {"cost": float(cost().detach()), "prediction": b + float(table.x[0] @ slopes)}


def make_schedule(optimizer: torch.optim.Optimizer, plan: DescentPlan) -> torch.optim.lr_scheduler.LRScheduler | None:
    schedulers, options = torch.optim.lr_scheduler, plan.schedule.options
    match plan.schedule.name:
        case "cosine":
            return schedulers.CosineAnnealingLR(optimizer, T_max=int(options["t_max"]), eta_min=options["eta_min"])
        case "step":
            return schedulers.StepLR(optimizer, step_size=int(options["step_size"]), gamma=options["gamma"])
        case "plateau":
            return schedulers.ReduceLROnPlateau(optimizer, factor=options["factor"], patience=int(options["patience"]))
    return None


def last_lines(text: str) -> dict[str, float]:
    answer = [line for line in text.splitlines() if not line.startswith("epoch ")]
    return {line.rsplit(": ", 1)[0]: float(line.rsplit(": ", 1)[1]) for line in answer}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every script of PLANS in both styles."""
    place = tmp_path_factory.mktemp("scripts")
    for name, style in STYLED:
        (place / f"{name}.{style}.py").write_text(script_text(script_of(name), style), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, str]:
    return run(sorted(folder.glob("*.py")))


@pytest.mark.parametrize(("name", "style"), STYLED)
def test_the_script_gives_the_numbers_of_the_fit(name: str, style: str, answers: dict[str, str]) -> None:
    found, right = last_lines(answers[f"{name}.{style}"]), expected(name)
    # the same steps, but W and b apart and in another order of sums: rounding is carried through every epoch
    tolerance = 2e-5 if PLANS[name][1].dtype == "float32" else 1e-10
    assert list(found) == list(right)
    assert found == pytest.approx(right, rel=tolerance, abs=tolerance)


def test_the_documents_figures_come_out(answers: dict[str, str]) -> None:
    # R1, R4 and R5 of the seed documents, after 2000, 201 and 20 updates; plain PyTorch 2.13
    r1 = last_lines(answers["R1-single.plain"])
    assert (round(r1["hours"], 6), round(r1["b"], 6)) == (1.997367, 0.005985)
    assert r1["cost"] == pytest.approx(5.1377e-6, rel=1e-4)
    r4 = last_lines(answers["R4.class"])
    assert (r4["hours"], r4["b"]) == pytest.approx((180.009933, 45.442123), rel=2e-6)
    momentum = last_lines(answers["R4-momentum.plain"])
    # which way the rounding of a prediction of 600 goes in float32, 3.6e-5, differs from CPU to CPU
    assert (momentum["hours"], momentum["b"]) == pytest.approx((199.957199, 0.089831), rel=0, abs=600 * 2.0**-24)
    r5 = last_lines(answers["R5-single.class"])
    right = {"quiz1": 0.680569, "quiz2": 0.678484, "quiz3": 0.667806, "b": 0.007915, "cost": 5.957091}
    assert {name: r5[name] for name in right} == pytest.approx(right, rel=1e-4)


def test_the_progress_shown_is_the_history(answers: dict[str, str]) -> None:
    shown = [line.split() for line in answers["R5-single.plain"].splitlines() if line.startswith("epoch ")]
    # before update 0 and 10 of R5
    assert [shown[0][1], shown[0][3]] == ["0", "29661.8"]
    assert shown[5][1] == "10"
    # the slope of the cost there, 2 √6.33, times the rounding of a prediction of 200 in float32
    assert float(shown[5][3]) == pytest.approx(6.331867, rel=0, abs=2 * 6.331867**0.5 * 200 * 2.0**-24 + 5e-6)


@pytest.mark.parametrize("style", ["plain", "class"])
@pytest.mark.parametrize("case", ["R5", "weighted", "through-zero", "ridge", "weighted-ridge", "penguins"])
def test_an_exact_fit_is_solved_again(case: str, style: str, exact: dict[str, str]) -> None:
    theta = exact_fits()[case][1]
    found = last_lines(exact[f"{case}.{style}"])
    design = exact_fits()[case][0].design
    names = [*design.x_names, *(["b"] if design.intercept else [])]
    right = [*theta[int(design.intercept) :], *theta[: int(design.intercept)]]
    assert [found[name] for name in names] == pytest.approx(right, rel=1e-9)


@cache
def exact_fits() -> dict[str, tuple[Script, list[float]]]:
    frame = {name: R5.x[:, j].tolist() for j, name in enumerate(R5.design.x_names)}
    frame |= {"final": R5.y.tolist(), "trust": WEIGHTED.w.tolist()}  # type: ignore[union-attr]
    quizzes = {"target": "final", "features": list(R5.design.x_names)}
    found = {
        "R5": (Script(R5.design, R5.inline), api.fit(frame, **quizzes)),
        "weighted": (Script(WEIGHTED.design, WEIGHTED.inline), api.fit(frame, **quizzes, weights="trust")),
        "through-zero": (Script(THROUGH_ZERO.design, R5.inline), api.fit(frame, **quizzes, intercept=False)),
        "ridge": (Script(R5.design, R5.inline, l2=2.5), api.fit(frame, **quizzes, l2=2.5)),
        "weighted-ridge": (
            Script(WEIGHTED.design, WEIGHTED.inline, l2=2.5),
            api.fit(frame, **quizzes, l2=2.5, weights="trust"),
        ),
        "penguins": (
            Script(penguins("drop", 0.2).design, CsvRows(PENGUINS, split=Split(0.2))),
            api.fit(PENGUINS, target="body_mass_g", features=FEATURES, missing="drop", test_size=0.2),
        ),
    }
    return {name: (script, fit.theta.tolist()) for name, (script, fit) in found.items()}


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("exact")
    for name, (script, _) in exact_fits().items():
        for style in ("plain", "class"):
            (place / f"{name}.{style}.py").write_text(script_text(script, style), encoding="utf-8")
    return run(sorted(place.glob("*.py")))


def test_hostile_names_and_odd_files_stay_data(tmp_path: Path) -> None:
    target, column = 'y"""\nraise SystemExit\n', "x'\\\"\r\nimport os #"
    path = tmp_path / "odd.csv"
    module_source = "\n".join(
        ['"' + column.replace('"', '""') + '";flag;"' + target.replace('"', '""') + '"', "1,5;true;2"]
    )
    path.write_bytes((module_source + "\n2,5;false;3\n4,5;true;7\n").encode("utf-8-sig"))
    design = Design((Feature(column, "number"), Feature("flag", "boolean")), target)
    script = Script(design, CsvRows(str(path), ";", ","), new={column: 1.5, "flag": "true"})
    inline = replace(script, rows=InlineRows(torch.tensor([[1.5, 1], [2.5, 0], [4.5, 1]]), torch.tensor([2.0, 3, 7])))
    (tmp_path / "csv.plain.py").write_text(script_text(script), encoding="utf-8")
    own = script_text(replace(inline, new={column: 1.5, "flag": 1.0}))
    (tmp_path / "own.plain.py").write_text(own, encoding="utf-8")
    answers = run(sorted(tmp_path.glob("*.py")))
    # y = 2 + 5/3 (x - 1.5) where the flag is up
    for text in answers.values():
        assert float(text.splitlines()[-1].split(": ")[1]) == pytest.approx(2.0)


def test_the_scripts_are_clean(folder: Path) -> None:
    check_clean(folder)


def test_a_row_to_predict_is_written_out() -> None:
    text = script_text(replace(script_of("R1"), new={"hours": 4}))
    assert "new = torch.tensor([[4.0]], dtype=W.dtype)" in text
    given = {"flipper_length_mm": 200, "species": "Gentoo", "sex": "male"}
    text = script_text(replace(script_of("penguins"), new=given))
    assert 'new = {"flipper_length_mm": "200", "species": "Gentoo", "sex": "male"}' in text


def test_it_reads_like_the_documents() -> None:
    text = script_text(script_of("R1-single"))
    stages = [line[:10] for line in text.splitlines() if line.startswith("# ")]
    assert [stage[2] for stage in stages[:5]] == list("12345")
    assert "slopewise" not in text
    assert max(map(len, text.splitlines())) <= 88
    assert "optimizer = torch.optim.SGD([W, b], lr=0.01)\n" in text


def refused(script: Script, style: str = "plain") -> str:
    with pytest.raises(OptionError) as caught:
        script_text(script, style)
    return str(caught.value)


def test_what_cannot_be_written_is_said() -> None:
    long = replace(script_of("R1"), rows=InlineRows(torch.zeros(201, 1), torch.zeros(201)))
    assert refused(long) == (
        "201 rows are too many to write into a script, which takes 200; fit from a CSV file, and the script reads that."
    )
    assert refused(script_of("R1"), "clas") == "style 'clas' is not known. Did you mean 'class'?"
    assert refused(replace(script_of("R1"), init=(0.0,))) == "the start has 1 values and the model 2 parameters."
    assert refused(replace(script_of("R1"), new={"hour": 4})) == (
        "the row to predict lacks 'hours'; give each feature a value."
    )
    given = {"flipper_length_mm": 200, "species": "Emperor", "sex": "male"}
    assert refused(replace(script_of("penguins"), new=given)) == (
        "the row to predict has 'Emperor' for 'species'; known: 'Adelie', 'Chinstrap', 'Gentoo'."
    )

"""The limit of the step against the loop itself: a little below it converges, a little above it does not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from slopewise.errors import OptionError
from slopewise.optimizers.epochs_to_tolerance import epochs_to
from slopewise.optimizers.sgd_recurrence import SGD
from slopewise.optimizers.stability import (
    HessianSpectrum,
    best_heavy_ball,
    best_plain,
    flat_directions,
    largest_lr,
    limits_of,
    rate_of,
)
from slopewise.training.moments.spectrum import spectrum_of

PROBLEMS = 200

KINDS = {
    "plain": SGD(),
    "momentum 0.5": SGD(0.5),
    "momentum 0.9": SGD(0.9),
    "dampened": SGD(0.8, dampening=0.4),
    "nesterov 0.5": SGD(0.5, nesterov=True),
    "nesterov 0.9": SGD(0.9, nesterov=True),
    "decay": SGD(weight_decay=0.2),
    "nesterov and decay": SGD(0.9, nesterov=True, weight_decay=0.2),
}


def hessians(seed: int, p: int = 5, condition: float = 50.0) -> Tensor:
    """Return random hessians (PROBLEMS, p, p), conditions up to `condition`, of all sizes."""
    g = torch.Generator().manual_seed(seed)
    z, _ = torch.linalg.qr(torch.randn(PROBLEMS, p, p, generator=g, dtype=torch.float64))
    size = 10 ** (4 * torch.rand(PROBLEMS, 1, generator=g, dtype=torch.float64) - 2)
    eigenvalues = size * condition ** -torch.rand(PROBLEMS, p, generator=g, dtype=torch.float64)
    return z * eigenvalues[:, None, :] @ z.mT


def hessian_spectrum_of(hessian: Tensor, names: tuple[str, ...] = ()) -> HessianSpectrum:
    eigenvalues, eigenvectors = torch.linalg.eigh(hessian)
    return HessianSpectrum(eigenvalues, eigenvectors, names or tuple(f"x{i}" for i in range(len(hessian))), exact=True)


def descend(hessian: Tensor, start: Tensor, lr: Tensor, sgd: SGD, epochs: int) -> Tensor:
    """Return the costs (epochs + 1, PROBLEMS) of torch.optim.SGD on ½ theta' H theta, every problem with its own lr.

    SGD is linear in the gradient, so that lr_i on problem i is lr 1 on lr_i times its gradient, decay included.
    """
    theta = start.clone().requires_grad_()
    optimizer = torch.optim.SGD(
        [theta], lr=1.0, momentum=sgd.momentum, dampening=sgd.dampening, nesterov=sgd.nesterov, foreach=False
    )
    costs = []
    for _ in range(epochs + 1):
        gradient = torch.einsum("npq,nq->np", hessian, theta.detach())
        costs.append((gradient * theta.detach()).sum(1) / 2)
        theta.grad = lr[:, None] * (gradient + sgd.weight_decay * theta.detach())
        optimizer.step()
    return torch.stack(costs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_little_below_the_limit_converges_and_a_little_above_diverges(kind: str) -> None:
    sgd, hessian = KINDS[kind], hessians(1)
    limits = torch.tensor([largest_lr(float(value), sgd) for value in torch.linalg.eigvalsh(hessian)[:, -1]])
    start = torch.randn(PROBLEMS, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    below, above = (descend(hessian, start, share * limits, sgd, 3000) for share in (0.99, 1.01))
    assert bool((below[-1] < 1e-6 * below[0]).all())
    # An epoch grows the cost by at least (1 + 0.01 / 2)² in the long run, from wherever it fell to first.
    assert bool((~(above[-1] < 1e6 * above[0])).all())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
@pytest.mark.parametrize("kind", KINDS)
def test_the_predicted_epochs_are_the_counted_ones(kind: str, share: float) -> None:
    sgd, hessian = KINDS[kind], hessians(3)
    limits = torch.tensor([largest_lr(float(value), sgd) for value in torch.linalg.eigvalsh(hessian)[:, -1]])
    start = torch.randn(PROBLEMS, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    costs = descend(hessian, start, share * limits, sgd, 3000)
    reached = costs <= 1e-6 * costs[0]
    counted = reached.to(torch.uint8).argmax(0).tolist()
    assert bool(reached.any(0).all())
    for i in range(PROBLEMS):
        predicted = epochs_to(
            hessian_spectrum_of(hessian[i]),
            start=start[i],
            optimum=torch.zeros(5, dtype=torch.float64),
            lr=share * float(limits[i]),
            tolerance=1e-6,
            sgd=sgd,
        )
        assert predicted is not None and abs(predicted - counted[i]) <= 1, i


def line_of(x: list[float], *more: list[float]) -> Tensor:
    columns = torch.tensor([[1.0] * len(x), x, *more], dtype=torch.float64)
    return 2 / len(x) * columns @ columns.T


def test_the_line_of_the_documents() -> None:
    limits = limits_of(hessian_spectrum_of(line_of([1, 2, 3]), ("(intercept)", "hours")))
    assert limits.smallest == pytest.approx(0.240393, abs=5e-7)
    assert limits.largest == pytest.approx(11.092940, abs=5e-7)
    assert limits.lr == limits.plain == pytest.approx(0.180295, abs=5e-7)
    assert limits.condition == pytest.approx(46.145, abs=5e-4)
    assert limits.heavy == pytest.approx(1.9 * limits.plain)
    assert limits.nesterov == pytest.approx(1.9 / 2.8 * limits.plain)
    # (hessian - 0.240393) z = 0 with first row (2, 4): z is along (4, -1.759607), of length 4.3699.
    assert str(limits.slowest) == "0.92 (intercept) - 0.40 hours"
    assert str(limits.fastest) == "0.92 hours + 0.40 (intercept)"


def test_the_quizzes_of_the_documents() -> None:
    quizzes = [[73.0, 93, 89, 96, 73], [80.0, 88, 91, 98, 66], [75.0, 93, 80, 100, 70]]
    limits = limits_of(hessian_spectrum_of(line_of(*quizzes), ("(intercept)", "quiz1", "quiz2", "quiz3")))
    assert limits.smallest == pytest.approx(0.026377, abs=5e-7)
    assert limits.largest == pytest.approx(43306.907, abs=5e-4)
    assert limits.lr == pytest.approx(4.6182e-5, abs=5e-10)
    assert limits.condition == pytest.approx(1.642e6, rel=5e-4)
    assert limits.slowest is not None and limits.slowest.columns[0] == "(intercept)"


def test_the_best_settings_shrink_every_direction_as_promised() -> None:
    hessian_spectrum = hessian_spectrum_of(hessians(5)[0])
    limits = limits_of(hessian_spectrum)
    assert limits.best is not None and limits.best_momentum is not None
    assert rate_of(hessian_spectrum, lr=limits.best.lr, sgd=SGD()) == pytest.approx(limits.best.rate, rel=1e-12)
    tuned = SGD(limits.best_momentum.momentum)
    # Both ends have a double root there, which rounding moves by its own root.
    assert rate_of(hessian_spectrum, lr=limits.best_momentum.lr, sgd=tuned) == pytest.approx(
        limits.best_momentum.rate, rel=1e-6
    )
    for share in (0.98, 1.02):
        assert rate_of(hessian_spectrum, lr=share * limits.best.lr, sgd=SGD()) > limits.best.rate
        assert rate_of(hessian_spectrum, lr=share * limits.best_momentum.lr, sgd=tuned) > limits.best_momentum.rate


@pytest.mark.parametrize("kind", KINDS)
def test_the_rate_is_one_at_the_limit(kind: str) -> None:
    hessian_spectrum, sgd = hessian_spectrum_of(hessians(6)[0]), KINDS[kind]
    limit = limits_of(hessian_spectrum, sgd).lr
    assert rate_of(hessian_spectrum, lr=limit, sgd=sgd) == pytest.approx(1.0, abs=1e-12)
    assert (
        rate_of(hessian_spectrum, lr=0.999 * limit, sgd=sgd) < 1 < rate_of(hessian_spectrum, lr=1.001 * limit, sgd=sgd)
    )


def test_by_hand() -> None:
    assert best_plain(1.0, 3.0).lr == 0.5
    assert best_plain(1.0, 3.0).rate == 0.5
    # √1 = 1 and √9 = 3: rate (3 - 1) / (3 + 1), lr (2 / 4)².
    assert (best_heavy_ball(1.0, 9.0).rate, best_heavy_ball(1.0, 9.0).lr) == (0.5, 0.25)
    assert best_heavy_ball(1.0, 9.0).momentum == 0.25
    assert largest_lr(4.0, SGD()) == 0.5
    assert largest_lr(3.0, SGD(weight_decay=1.0)) == 0.5
    assert largest_lr(4.0, SGD(0.0, dampening=0.5)) == 0.5
    assert largest_lr(4.0, SGD(0.5, dampening=0.25)) == 1.0
    assert largest_lr(0.0, SGD()) == math.inf


@pytest.mark.parametrize("scale", [1.0, 1e5])
def test_collinear_columns_are_flat_and_never_the_slowest(scale: float) -> None:
    g = torch.Generator().manual_seed(7)
    x = torch.randn(50, 2, generator=g, dtype=torch.float64)
    x = torch.cat([x, x[:, :1] + x[:, 1:]], 1) * torch.tensor([1.0, 1.0, scale], dtype=torch.float64)
    # eigh alone leaves an eigenvalue of rounding where the columns differ much in size
    spectrum = spectrum_of(x.T @ x / 25)
    hessian_spectrum = HessianSpectrum(spectrum.eigenvalues, spectrum.eigenvectors, ("x0", "x1", "x2"), exact=True)
    limits = limits_of(hessian_spectrum)
    assert limits.flat == 1
    assert flat_directions(hessian_spectrum).tolist() == [True, False, False]
    assert limits.condition is not None and limits.condition < 1e3 * scale**2
    optimum, start = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    epochs = epochs_to(hessian_spectrum, start=start, optimum=optimum, lr=limits.lr / 2, tolerance=1e-4)
    assert epochs is not None and epochs < 50 * scale**2


def test_a_bound_alone_is_enough_for_the_limit() -> None:
    limits = limits_of(HessianSpectrum(torch.tensor([8.0], dtype=torch.float64)), SGD(0.9))
    assert (limits.lr, limits.plain, limits.largest) == (2 * 1.9 / 8, 0.25, 8.0)
    assert limits.condition is limits.smallest is limits.best is limits.slowest is None
    bare = HessianSpectrum(torch.tensor([8.0], dtype=torch.float64))
    with pytest.raises(OptionError, match="known only where the spectrum is exact and has eigenvectors"):
        epochs_to(bare, start=torch.ones(1), optimum=torch.zeros(1), lr=0.1, tolerance=0.1)


def test_a_direction_names_the_columns_that_make_it_up() -> None:
    z = torch.tensor([[-0.6, 0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    hessian_spectrum = HessianSpectrum(
        torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), z, ("a", "b", "c"), exact=True
    )
    limits = limits_of(hessian_spectrum)
    assert limits.slowest is not None and limits.fastest is not None
    assert (limits.slowest.columns, limits.slowest.eigenvalue) == (("b", "a"), 1.0)
    assert limits.slowest.loadings == pytest.approx((0.8, -0.6))
    assert str(limits.slowest) == "0.80 b - 0.60 a"
    assert str(limits.fastest) == "1.00 c"


def test_a_hessian_of_zeros_has_no_limit() -> None:
    hessian_spectrum = HessianSpectrum(torch.zeros(2), torch.eye(2), ("a", "b"), exact=True)
    assert limits_of(hessian_spectrum).lr == math.inf
    assert epochs_to(hessian_spectrum, start=torch.ones(2), optimum=torch.zeros(2), lr=1.0, tolerance=0.5) == 0


@pytest.mark.parametrize(
    ("sgd", "sentence"),
    [
        (SGD(1.0), "no learning rate converges with momentum 1; choose a momentum from 0 to below 1"),
        (SGD(0.9, dampening=1.0), "no learning rate converges with dampening 1; choose a dampening from 0 to below 1"),
    ],
)
def test_what_never_converges_is_refused(sgd: SGD, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        largest_lr(1.0, sgd)


class TestEpochs:
    """One direction or two, by hand."""

    two = HessianSpectrum(
        torch.tensor([1.0, 4.0], dtype=torch.float64), torch.eye(2, dtype=torch.float64), ("a", "b"), True
    )
    zeros = torch.zeros(2, dtype=torch.float64)

    def epochs(self, start: tuple[float, float], lr: float, tolerance: float, sgd: SGD | None = None) -> int | None:
        at = torch.tensor(start, dtype=torch.float64)
        return epochs_to(self.two, start=at, optimum=self.zeros, lr=lr, tolerance=tolerance, sgd=sgd)

    def test_halving(self) -> None:
        # With lr 0.5 the first error halves an epoch, the gap quarters: 4^-5 < 1e-3 < 4^-4.
        assert self.epochs((1.0, 0.0), 0.5, 1e-3) is None  # 0.5 is the limit of the other direction
        assert self.epochs((1.0, 0.0), 0.25, 1e-3) == math.ceil(math.log(1e-3) / (2 * math.log(0.75)))
        # lr 0.25 ends the second direction at once.
        assert self.epochs((0.0, 1.0), 0.25, 1e-3) == 1

    def test_nothing_to_do_and_never(self) -> None:
        assert self.epochs((0.0, 0.0), 0.25, 1e-3) == 0
        assert self.epochs((1.0, 1.0), 0.51, 1e-3) is None

    def test_a_very_slow_descent_is_counted_without_being_run(self) -> None:
        lr = 1e-9
        exact = math.log(1e-3) / (2 * math.log1p(-lr))
        for sgd in (SGD(), SGD(0.5)):
            counted = self.epochs((1.0, 0.0), lr * (1 - sgd.momentum), 1e-3, sgd)
            assert counted == pytest.approx(exact, rel=1e-6)

    def test_weight_decay_may_never_arrive(self) -> None:
        optimum = torch.ones(2, dtype=torch.float64)
        asked = {"start": self.zeros, "optimum": optimum, "lr": 0.1, "sgd": SGD(weight_decay=0.5)}
        # In the long run errors of 1/3 and 1/9 stay: gap (1/9 + 4/81) / (1 + 4) = 0.0321.
        assert epochs_to(self.two, tolerance=0.03, **asked) is None  # type: ignore[arg-type]
        assert epochs_to(self.two, tolerance=0.04, **asked) is not None  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("lr", "tolerance", "sentence"),
        [
            (0.0, 0.1, "lr must be a positive number, not 0.0"),
            (math.nan, 0.1, "lr must be a positive number, not nan"),
            (0.1, 1.0, "tolerance must be between 0 and 1, not 1.0"),
        ],
    )
    def test_refused(self, lr: float, tolerance: float, sentence: str) -> None:
        with pytest.raises(OptionError, match=sentence):
            self.epochs((1.0, 1.0), lr, tolerance)

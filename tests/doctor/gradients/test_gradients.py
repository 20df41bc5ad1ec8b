from __future__ import annotations

import pytest
import torch
from torch import Tensor

from slopewise.doctor.gradients.factors import explain
from slopewise.doctor.gradients.gradients import Gradients, gradients, partial_derivatives
from slopewise.doctor.gradients.rules import RULES, Rule
from slopewise.errors import FitError, OptionError

X = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64)
Y = 2 * X


def cost(W: Tensor, b: Tensor) -> Tensor:
    return ((X @ W + b - Y) ** 2).mean()


def derivatives(W: Tensor, b: Tensor, factor: float) -> tuple[Tensor, Tensor]:
    error = X @ W + b - Y
    return factor * (X * error).sum(), factor * error.sum()


ORIGIN = (torch.zeros(1, 1), 0.0)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("at", [0.3, 1.0, 2.5])
def test_every_rule_holds_for_all_three_gradients(rule: Rule, at: float) -> None:
    found = gradients(rule.function, at, hand=rule.derivative)
    right = float(rule.derivative(torch.tensor(at, dtype=torch.float64)))
    assert found.hand is not None
    assert found.hand.item() == right
    assert found.autograd.item() == pytest.approx(right, rel=1e-15)
    assert found.difference.item() == pytest.approx(right, rel=1e-7)  # h² f''' / 6 with h = 1e-4
    assert found.diagnosis == ("",)


def test_the_error_falls_with_h_until_rounding_takes_over() -> None:
    found = gradients(torch.exp, 1.0)
    errors = dict(found.errors)
    assert list(errors) == [10.0**-k for k in range(1, 13)]
    # e h² / 6 at h = 0.1 and 0.01
    assert errors[0.1] == pytest.approx(2.7182818 * 0.01 / 6, rel=1e-3)
    assert errors[0.01] == pytest.approx(2.7182818 * 0.0001 / 6, rel=1e-3)
    assert found.best_h in (1e-5, 1e-6)
    assert errors[1e-12] > 1e4 * errors[1e-5]


def test_arguments_are_named_and_tensors_numbered() -> None:
    found = gradients(cost, ORIGIN)
    assert found.names == ("W[0]", "b")
    # R1 of the seed documents: dW -18.666668, db -8.0 before update 0
    assert found.autograd.tolist() == pytest.approx([-56 / 3, -8.0], rel=1e-14)
    assert found.difference.tolist() == pytest.approx([-56 / 3, -8.0], rel=1e-11)
    assert found.value == pytest.approx(56 / 3, rel=1e-15)


@pytest.mark.parametrize(
    ("factor", "diagnosis"),
    [
        (2 / 3, ""),
        (1.0, "1.5 = m/2 with m = 3: a sum of error times input, without the 2/m in front"),
        (1 / 3, "0.5 = 1/2: the factor 2 of the derivative of the square is missing"),
        (4 / 3, "2 = 2: a factor 2 too many"),
        (2.0, "3 = m with m = 3: summed over the rows where the cost takes their mean"),
        (2 / 9, "0.333333 = 1/m with m = 3: divided by the rows twice, or the cost is a sum and not a mean"),
        (-2 / 3, "-1: the sign is flipped"),
        (-1.0, "-1.5 = -m/2 with m = 3: the sign is flipped, and a sum of error times input, without the 2/m in front"),
        (0.0, "0: the derivative by hand is 0; this variable was left out, or taken as constant"),
        (1.1, "1.65: no simple factor; one term of the derivative is wrong or missing"),
    ],
)  # fmt: skip
def test_the_usual_slips_are_named(factor: float, diagnosis: str) -> None:
    found = gradients(cost, ORIGIN, hand=lambda W, b: derivatives(W, b, factor), rows=3)
    assert found.diagnosis == (diagnosis, diagnosis)
    assert found.ratio is not None
    assert found.ratio.tolist() == pytest.approx([1.5 * factor] * 2)


def test_without_the_rows_only_plain_factors_have_names() -> None:
    assert explain(3.0, 2.0, 1e-9) == "1.5: no simple factor; one term of the derivative is wrong or missing"
    assert explain(2.0, 1.0, 1e-9, rows=2).startswith("2 = m or 2 with m = 2: ")
    assert explain(1.0, 0.0, 1e-9) == "the derivative is 0, the one by hand is not"


def test_figures_copied_from_a_page_count_as_right() -> None:
    assert gradients(cost, ORIGIN, hand=(-18.667, -8.0)).diagnosis == ("", "")


@pytest.mark.parametrize(
    "function",
    [lambda x: x.item() ** 2, lambda x: x.detach() ** 2, torch.no_grad()(lambda x: x**2)],
)
def test_a_detached_argument_is_noticed(function: object) -> None:
    found = gradients(function, 3.0, hand=6.0)  # type: ignore[arg-type]
    assert found.autograd.item() == 0.0
    assert found.diagnosis[0].startswith("autograd does not reach it: .detach(), .item()")
    assert found.errors == ()
    assert found.best_h is None


def test_partly_detached_arguments_and_kinks_are_noticed() -> None:
    assert gradients(lambda x: x * x.detach(), 3.0).diagnosis[0].startswith("autograd and every difference disagree")
    assert gradients(torch.relu, 0.0).diagnosis[0].startswith("autograd and every difference disagree")
    assert gradients(torch.log, -1.0).diagnosis == ("not a finite number at this point",)


def test_a_variable_that_does_nothing_is_no_trouble() -> None:
    found = gradients(lambda x, y: 3 * x, (1.0, 2.0))
    assert found.autograd.tolist() == [3.0, 0.0]
    assert found.diagnosis == ("", "")


def test_partial_derivatives_refuse_what_autograd_does_not_know() -> None:
    with pytest.raises(FitError) as caught:
        partial_derivatives(lambda x, y: x * y.detach(), (1.0, 2.0))
    assert str(caught.value) == (
        "there is no derivative with respect to y: autograd does not reach it: .detach(), .item(), float(), .data or "
        "no_grad() removes it from the graph."
    )


def refused(*arguments: object, **named: object) -> str:
    with pytest.raises(OptionError) as caught:
        gradients(*arguments, **named)  # type: ignore[arg-type]
    return str(caught.value)


def test_invalid_arguments_are_refused() -> None:
    assert refused(torch.exp, float("nan")) == (
        "at is nan; give a finite number, or one for each argument of the function."
    )
    assert refused(torch.exp, 1.0, h=0.0) == "h is 0.0; give a small step above zero, such as 1e-4."
    assert refused(torch.exp, 1.0, rows=0) == "rows is 0; give the number of rows that the function averages over."
    assert refused(lambda x: x * X, 1.0) == (
        "the function returned shape (3, 1), and a gradient is of one number; end it in .mean()."
    )
    assert refused(lambda x: (x * X.float()).sum(), 1.0) == (
        "the function returned float32, in which a difference keeps three digits at most; make its data float64 with "
        ".double()."
    )
    assert refused(lambda W: (X.float() @ W).sum(), torch.zeros(1, 1)) == (
        "the function mixes other tensors with the float64 ones it is given; make its data float64 with .double()."
    )
    assert refused(cost, ORIGIN, hand=(1.0,)) == (
        "the gradient by hand has 1 components and the point 2; give one each."
    )


def test_an_error_of_the_function_itself_comes_through() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2|size"):
        gradients(lambda W: (X @ W).sum(), torch.zeros(4, 4))


def test_the_table_reads_well() -> None:
    text = str(gradients(cost, ORIGIN, hand=lambda W, b: derivatives(W, b, 1.0), rows=3))
    head, first, diagnosis, second = text.splitlines()[:4]
    assert head.split() == ["by", "hand", "difference", "autograd", "ratio"]
    assert first.split()[0] == "W[0]"
    assert first.split()[1:] == ["-28", "-18.66666666666461", "-18.66666667", "1.5"]
    assert diagnosis == "  1.5 = m/2 with m = 3: a sum of error times input, without the 2/m in front"
    assert second.split()[0] == "b"
    assert text.count("smallest") == 1
    assert max(map(len, text.splitlines())) <= 80


def test_the_table_stays_narrow() -> None:
    def function(a_variable_with_a_long_name: Tensor) -> Tensor:
        return -1e-5 * torch.sin(a_variable_with_a_long_name).sum()

    found: Gradients = gradients(function, torch.full((2,), 0.123456789), hand=torch.full((2,), -1.23456789e-5))
    assert max(map(len, str(found).splitlines())) <= 80
    assert "by hand" not in str(gradients(function, 1.0))

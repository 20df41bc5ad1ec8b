"""Findings about networks: each on a case that has it, and none on a case that has not."""

import math

import pytest
import torch
from torch import nn

from slopewise.doctor.classification import imbalance, one_layer
from slopewise.doctor.layers import activations_of
from slopewise.doctor.network import NetworkExamination, network_findings, over_fitting
from slopewise.doctor.separable import separating_hyperplane
from slopewise.losses.logistic import Logistic
from slopewise.models.mlp import MLP
from slopewise.solution import History

INPUTS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
AND = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64)
XOR = torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=torch.float64)
GENERATOR = torch.Generator().manual_seed(0)


def examination(module, x, y, **more):
    with torch.no_grad():
        cost = Logistic().value(module(x).reshape(-1), y).mean().item()
    given = {"names": ("a", "b", "c")[: x.shape[1]], "cost": cost, "null_cost": math.log(2), "n_classes": 2, **more}
    return NetworkExamination(module=module, x=x, y=y, **given)


def codes(module, x, y, **more):
    return [finding.code for finding in network_findings(examination(module, x, y, **more))]


def history(cost, validation=None):
    cost = torch.tensor(cost, dtype=torch.float64)
    nothing = torch.zeros(len(cost), 1)
    return History(
        epoch=torch.arange(len(cost)) * 10,
        cost=cost,
        parameters=nothing,
        gradient=nothing,
        lr=nothing[:, 0],
        validation=None if validation is None else torch.tensor(validation, dtype=torch.float64),
    )


def test_one_layer_at_xor():
    module = MLP(2, (), 1).module(torch.zeros(3, dtype=torch.float64))
    (finding,) = network_findings(examination(module, INPUTS, XOR))
    assert finding.code == "one-layer" and finding.severity == "error"
    assert finding.number.words == "the two classes overlap: a mean of rows 1 and 4 is a mean of rows 2 and 3"
    assert finding.cause == "'a' times 'b' has correlation -1.00 with the class; linear models lack products"
    assert finding.fix.startswith("model='mlp', hidden=3")


def test_one_layer_at_and_is_no_finding():
    assert one_layer(INPUTS, AND, ("a", "b")) is None


def test_noise_is_not_xor():
    x = torch.randn(200, 2, dtype=torch.float64, generator=GENERATOR)
    y = torch.randint(0, 2, (200,), generator=GENERATOR).double()
    assert not separating_hyperplane(x, y).separable and one_layer(x, y, ("a", "b")) is None


def test_a_circle_is_found_by_a_square():
    x = torch.randn(300, 2, dtype=torch.float64, generator=GENERATOR)
    finding = one_layer(x, (x[:, 0].abs() > 0.7).double(), ("a", "b"))
    assert finding is not None and finding.cause.startswith("'a' times 'a' has correlation")


@pytest.mark.parametrize("gap", [0.0, 1e-3, 0.5])
def test_a_separating_hyperplane_is_found_and_separates(gap):
    x = torch.randn(400, 4, dtype=torch.float64, generator=GENERATOR)
    along = x @ torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=torch.float64) + 0.3
    x, along = x[along.abs() > gap], along[along.abs() > gap]
    assert separating_hyperplane(1e6 * x + 1e7, (along > 0).double()).separable
    flipped = (along > 0).double()
    flipped[along.argmax()] = 0  # the surest row in the wrong class
    assert not separating_hyperplane(x, flipped).separable


def test_separation_of_one_row_each():
    assert separating_hyperplane(torch.tensor([[1.0], [2.0]]), torch.tensor([0.0, 1.0])).separable
    assert not separating_hyperplane(torch.tensor([[1.0], [1.0]]), torch.tensor([0.0, 1.0])).separable


def test_a_constant_prediction():
    model = MLP(2, (3,), 1, "sigmoid")
    constant = model.module(model.init() * 1e-3)
    (finding,) = network_findings(examination(constant, INPUTS, XOR, history=history([0.7, 0.6932, 0.6931, 0.6931])))
    assert (finding.code, finding.what) == (
        "constant-prediction",
        "the model predicts the same class probabilities for every row, like the null model",
    )
    assert finding.number.words.startswith("cost 0.6931, and the null model costs 0.6931, ln 2, as for equal odds; ")
    assert "outputs from 0.5" in finding.number.words or "outputs from 0.4" in finding.number.words
    assert finding.fix.startswith("n_init=16")
    falling = network_findings(examination(constant, INPUTS, XOR, history=history([0.9, 0.8, 0.7])))
    assert falling[0].cause == "the cost is still decreasing"


def test_a_constant_prediction_of_the_class_shares():
    y = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    bet = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)).double()
    with torch.no_grad():
        for part in bet.parameters():
            part.zero_()
        bet[2].bias.fill_(-math.log(3))
    null_cost = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    found = network_findings(examination(bet, INPUTS, y, null_cost=null_cost))
    assert [finding.code for finding in found] == ["dead-relu", "constant-prediction"]
    assert found[1].what == "the model predicts the same class probabilities for every row, like the null model"


def test_a_negative_cost_is_compared_with_the_null_model_as_any_other():
    """The cost of counts may be negative: -5.02 is better than -5, by less than a hundredth."""
    module = MLP(2, (), 1).module(torch.zeros(3, dtype=torch.float64))
    counts = {"n_classes": 0, "null_cost": -5.0}
    (same,) = network_findings(examination(module, INPUTS, XOR, **counts, cost=-5.02))
    (worse,) = network_findings(examination(module, INPUTS, XOR, **counts, cost=-4.5, has_offset=True))
    assert (same.code, worse.code) == ("constant-prediction", "worse-than-constant")
    assert same.what == "the model predicts nearly the same for every row, like the null model"
    assert worse.what.endswith("predicts the same for every row, apart from its offset")
    assert codes(module, INPUTS, XOR, **counts, cost=-5.5) == []
    (apart,) = network_findings(examination(module, INPUTS, XOR, **counts, cost=-5.0, has_offset=True))
    assert apart.what == "the model predicts nearly the same for every row, apart from its offset, like the null model"


def test_a_solved_task_has_no_finding():
    module = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1)).double()
    with torch.no_grad():  # saturated, as trained networks are: or, and, or-but-not-and
        module[0].weight.copy_(torch.full((2, 2), 20.0))
        module[0].bias.copy_(torch.tensor([-10.0, -30.0]))
        module[2].weight.copy_(torch.tensor([[20.0, -20.0]]))
        module[2].bias.fill_(-10.0)
    assert codes(module, INPUTS, XOR) == []


def test_saturated_sigmoids_and_raw_columns():
    x = INPUTS * 300
    module = nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1)).double()
    with torch.no_grad():
        module[0].weight.fill_(0.5)
        module[0].bias.fill_(-70.0)
    found = {
        finding.code: finding for finding in network_findings(examination(module, x, XOR, standardized=False, cost=0.9))
    }
    assert set(found) == {"unscaled-inputs", "saturated", "worse-than-constant"}
    assert found["saturated"].number.words == "100% of its values have a derivative below 1% of the maximum"
    assert found["saturated"].fix.startswith("leave out standardize=False")
    assert found["unscaled-inputs"].number.value == pytest.approx(300 / math.sqrt(2))
    assert "unscaled-inputs" not in codes(module, INPUTS, XOR, standardized=False)


def test_dead_relus():
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1)).double()
    with torch.no_grad():
        module[0].weight.zero_()
        module[0].bias.copy_(torch.tensor([-1.0, -1.0, 0.0, 1.0]))
    finding = network_findings(examination(module, INPUTS, XOR))[0]
    assert (finding.code, finding.severity) == ("dead-relu", "warning")
    assert finding.number.words == "3 of 4 units are 0 for every row (75.0 %)"
    with torch.no_grad():
        module[0].bias.fill_(-1.0)
    assert network_findings(examination(module, INPUTS, XOR))[0].severity == "error"


def test_a_link_too_many():
    module = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid(), nn.Flatten(0)).double()
    finding = network_findings(examination(module, INPUTS, AND, cost=0.4, null_cost=0.56))[0]
    assert finding.code == "link-twice"
    assert finding.number.value == pytest.approx(math.log(1 + math.exp(-1)))  # sigmoid(1) is the most it can say


def test_over_fitting():
    finding = over_fitting(history([1.0, 0.5, 0.3, 0.1], [1.1, 0.7, 0.9, 1.4]))
    assert finding is not None and finding.number.value == pytest.approx(2)
    assert finding.fix == "early_stopping=True, which keeps the state of epoch 10"
    assert over_fitting(history([1.0, 0.5, 0.3], [1.1, 0.7, 0.71])) is None  # hardly risen
    assert over_fitting(history([1.0, 0.5, 0.8], [1.1, 0.7, 1.4])) is None  # both rise: divergence, not this
    assert over_fitting(history([1.0, 0.5])) is None and over_fitting(None) is None


def test_imbalance():
    y = torch.cat([torch.zeros(95), torch.ones(5)])
    finding = imbalance(torch.bincount(y.long()).tolist(), ("no", "yes"))
    assert finding is not None and finding.what == "class 'yes' is rare"
    assert finding.number.words == "5 of 100 rows; predicting the commonest is right in 95.0%"
    assert imbalance([2, 1, 1]) is None


def test_an_examination_changes_nothing():
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Dropout(), nn.Linear(2, 1)).double()
    module[2].eval()
    layers, eta = activations_of(module, INPUTS)
    assert [(layer.number, layer.kind, tuple(layer.values.shape)) for layer in layers] == [(1, "ReLU", (4, 2))]
    assert eta.shape == (4, 1) and module.training and not module[2].training
    assert not module[1]._forward_hooks

"""A user's own module as a model: its vector of parameters, and what is refused before the first epoch."""

import pytest
import torch
from torch import nn

from slopewise.errors import DataError
from slopewise.models.torch_module import as_model, check_module, describe, fill, flat, names_of, restore


class Curve(nn.Module):
    """One number per row, and a buffer that training changes."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.frozen = nn.Parameter(torch.tensor(2.0), requires_grad=False)
        self.line = nn.Linear(3, 1)

    def forward(self, x):
        return self.line(self.norm(x)).squeeze(1) * self.frozen


def test_vector_and_back():
    module = Curve()
    vector = flat(module)
    assert len(vector) == len(names_of(module)) == 10
    assert names_of(module)[-2:] == ("line.weight[0,2]", "line.bias[0]")
    fill(module, torch.arange(10.0))
    assert module.line.bias.item() == 9 and module.frozen.item() == 2
    assert torch.equal(flat(module), torch.arange(10.0))


def test_as_model_is_a_pure_function():
    module = Curve()
    model = as_model(module, 1)
    x, vector = torch.randn(5, 3), torch.randn(10)
    eta = model.forward(vector, x)
    again = model.module(vector).eval()
    assert eta.shape == (5, 1)
    torch.testing.assert_close(again(x), eta[:, 0])
    assert torch.equal(module.norm.running_mean, torch.zeros(3)) and not torch.equal(flat(module), vector)
    assert torch.equal(model.forward(vector, x), eta)


def test_a_single_output_is_flattened():
    line = nn.Linear(2, 1)
    assert check_module(line, 2, 1)(torch.ones(4, 2)).shape == (4,)
    assert list(check_module(line, 2, 1).parameters())[0] is line.weight
    module = Curve()
    assert check_module(module, 3, 1) is module


def test_a_trial_changes_nothing():
    module = Curve()
    module.line.eval()
    check_module(module, 3, 1)
    assert module.training and module.norm.training and not module.line.training
    assert module.norm.num_batches_tracked.item() == 0


def test_saved_tensors_come_back_into_the_module_given_again():
    module, again = Curve(), Curve()
    module.norm.running_mean.fill_(3.0)
    assert describe(module)["class"] == "Curve" and describe(module)["shapes"]["line.weight"] == [1, 3]
    restore(again, module.state_dict())
    assert all(
        torch.equal(a, b) for a, b in zip(module.state_dict().values(), again.state_dict().values(), strict=True)
    )
    with pytest.raises(DataError) as caught:
        restore(nn.Linear(3, 2), nn.Linear(3, 1).state_dict())
    assert "'bias' is (2,) in it and (1,) in the file" in str(caught.value)


class Odd(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.line, self.answer = nn.Linear(2, 1), answer

    def forward(self, x):
        return self.answer(self.line(x))


@pytest.mark.parametrize(
    ("module", "q", "k", "sentence"),
    [
        (
            nn.Linear(2, 3),
            2,
            1,
            "returns (3, 3), and the loss needs (3, 1): let its last layer have 1 output, not 3.",
        ),
        (nn.Linear(2, 1), 2, 2, "let its last layer have 2 outputs, not 1"),
        (nn.Linear(4, 1), 2, 1, "the module cannot take x of shape (3, 2), torch.float32: mat1 and mat2"),
        (nn.ReLU(), 2, 1, "the module has no trainable parameter"),
        (Odd(lambda eta: (eta, eta)), 2, 1, "the module returns a tuple; return one tensor of shape (n, 1)."),
        (Odd(lambda eta: eta.sum()), 2, 1, "keep one row of output for each row of x"),
        (Odd(lambda eta: eta > 0), 2, 1, "the module returns torch.bool, which has no gradient"),
        (Odd(lambda eta: eta[:, 5]), 2, 1, "index 5 is out of bounds"),
    ],
)
def test_refusals(module, q, k, sentence):
    with pytest.raises(DataError) as caught:
        check_module(module, q, k)
    assert sentence in str(caught.value)

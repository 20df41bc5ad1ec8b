"""Each activation against torch's module, and its derivative against autograd."""

import pytest
import torch

from slopewise.errors import OptionError
from slopewise.models.activations import ACTIVATIONS, activation, activation_curve


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_value_is_the_modules_and_the_derivative_its_gradient(name):
    z = torch.linspace(-5, 5, 101, dtype=torch.float64).requires_grad_()
    kind = activation(name)
    value = kind.value(z)
    (derivative,) = torch.autograd.grad(value.sum(), z)
    assert torch.equal(value, kind.module()(z))
    # two roundings of one formula
    torch.testing.assert_close(kind.derivative(z.detach()), derivative, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_derivative_has_no_nan_far_out(name):
    assert bool(activation(name).derivative(torch.tensor([-800.0, 800.0], dtype=torch.float64)).isfinite().all())


def test_the_documents_grid():
    found = activation_curve("relu")
    assert len(found.x) == 100
    assert found.x[0] == -5 and found.x[50] == 0 and found.x[-1] == 4.9
    assert found.value[50] == 0 and found.derivative[50] == 0 and found.derivative[51] == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sigmoyd",), "activation 'sigmoyd' is not known. Did you mean 'sigmoid'?"),
        (("tanh", 1, 1), "no points from 1 to 1"),
        (("tanh", 0, 1, 0), "give start < stop and a step above 0"),
        (("tanh", 0, float("inf")), "no points from 0 to inf"),
    ],
)
def test_refusals(arguments, sentence):
    with pytest.raises(OptionError) as caught:
        activation_curve(*arguments)
    assert sentence in str(caught.value)

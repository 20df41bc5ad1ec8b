"""The options of a descent: what is refused and how, and that the optimizers are torch's own."""

import math

import pytest
import torch

from slopewise.errors import OptionError
from slopewise.optimizers.parse import plan_descent
from slopewise.optimizers.torch_optimizers import OPTIMIZERS, build_optimizer


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"optimizer": "adm"}, "optimizer 'adm' is not known. Did you mean 'adam'"),
        ({"schedule": "cosin"}, "schedule 'cosin' is not known. Did you mean 'cosine'?"),
        ({"init": "zero"}, "init 'zero' is not known. Did you mean 'zeros'?"),
        ({"dtype": "float16"}, "dtype 'float16' is not known. Did you mean 'float"),
        ({"learning_rate": 1}, "'learning_rate' is not an option of gradient descent."),
        ({"momentun": 0.9}, "'momentun' is not an option of gradient descent. Did you mean 'momentum'"),
        ({"optimizer": "adam", "momentum": 0.9},
         "momentum is not an argument of adam; adam takes lr, betas, eps, weight_decay, amsgrad."),
        ({"betas": (0.9, 0.99)}, "betas is not an argument of sgd; sgd takes lr, momentum, dampening, nesterov"),
        ({"lr": 0.0}, "lr must be a positive finite number, not 0.0."),
        ({"lr": -1}, "lr must be a positive finite number, not -1."),
        ({"lr": math.nan}, "lr must be a positive finite number, not nan."),
        ({"lr": math.inf}, "lr must be a positive finite number, not inf."),
        ({"lr": "0.1"}, "lr must be a positive finite number, not '0.1'."),
        ({"lr": True}, "lr must be a positive finite number, not True."),
        ({"momentum": 1.0}, "momentum must be a number from 0 to below 1, not 1.0."),
        ({"momentum": -0.1}, "momentum must be a number from 0 to below 1, not -0.1."),
        ({"nesterov": True}, "nesterov needs momentum above 0 and dampening 0, and has momentum 0 and dampening 0"),
        ({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "has momentum 0.9 and dampening 0.1"),
        ({"nesterov": 1, "momentum": 0.9}, "nesterov must be True or False, not 1."),
        ({"weight_decay": -1.0}, "weight_decay must be a finite number of at least 0, not -1.0."),
        ({"optimizer": "adam", "betas": (0.9, 1.0)}, "betas must be a number from 0 to below 1, not 1.0."),
        ({"optimizer": "adam", "betas": 0.9}, "betas must be two numbers from 0 to below 1"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, not 0."),
        ({"epochs": 2.5}, "epochs must be a whole number of at least 1, not 2.5."),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, not 0."),
        ({"history_every": -1}, "history_every must be a whole number of at least 0, not -1."),
        ({"init": (1.0, math.nan)}, "every value of init must be a finite number, not nan."),
        ({"init": 3}, "init must be one of zeros, ones, uniform, normal, torch, xavier, he or the parameters"),
        ({"gamma": 0.9}, "gamma is not an argument of the schedule constant; choose schedule step or exponential"),
        ({"schedule": "exponential"}, "the schedule exponential needs gamma; give it, such as gamma=0.99."),
        ({"schedule": "step", "gamma": 0.5}, "the schedule step needs step_size; give it, such as step_size=100."),
        ({"monitor": "test", "patience": 3}, "monitor 'test' is not known."),
        ({"monitor": "validation"}, "monitor has no effect without patience"),
        ({"patience": 0}, "patience must be a whole number of at least 1, not 0."),
        ({"gap_tol": 0.0}, "gap_tol must be a positive finite number, not 0.0."),
    ],
)  # fmt: skip
def test_invalid_options_are_refused_in_one_sentence(options, sentence):
    with pytest.raises(OptionError) as caught:
        plan_descent(**options)
    assert sentence in str(caught.value)


def test_an_option_that_is_none_was_not_given():
    assert plan_descent(lr=None, momentum=None, gamma=None) == plan_descent()
    assert not plan_descent().has_lr
    assert plan_descent().with_lr(0.5).lr == 0.5


def test_defaults_are_filled_in():
    assert plan_descent(lr=1).options == {
        "lr": 1.0, "momentum": 0.0, "dampening": 0.0, "nesterov": False, "weight_decay": 0.0
    }  # fmt: skip
    assert plan_descent(schedule="cosine", epochs=70).schedule.options == {"t_max": 70, "eta_min": 0.0}
    assert plan_descent(init=[1, -2]).init == (1.0, -2.0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_defaults_are_torchs(name):
    ours, theta = plan_descent(optimizer=name, lr=0.1), torch.zeros(2, requires_grad=True)
    theirs = OPTIMIZERS[name].make([theta], lr=0.1).defaults
    assert {word: theirs[word] for word in ours.options} == ours.options


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        ("sgd", {"momentum": 0.5, "dampening": 0.3}),
        ("adam", {"betas": (0.8, 0.99), "amsgrad": True}),
        ("adamw", {}),
        ("rmsprop", {"momentum": 0.5, "centered": True}),
        ("adagrad", {"lr_decay": 0.01}),
    ],
)
def test_steps_are_torchs(name, options):
    """100 steps on a fixed quadratic against the class used by hand; 1e-12: fused kernels round differently."""

    def descend(make):
        theta = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
        optimizer = make(theta)
        for _ in range(100):
            optimizer.zero_grad()
            (theta @ torch.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=torch.float64) @ theta).backward()
            optimizer.step()
        return theta.detach()

    plan = plan_descent(optimizer=name, lr=0.01, **options)
    ours = descend(lambda theta: build_optimizer([theta], plan))
    theirs = descend(lambda theta: OPTIMIZERS[name].make([theta], lr=0.01, **options))
    assert torch.allclose(ours, theirs, rtol=1e-12, atol=0)


def test_without_lr_nothing_is_built():
    with pytest.raises(OptionError, match="sgd has no learning rate; give one, such as lr=0.01"):
        build_optimizer([torch.zeros(1, requires_grad=True)], plan_descent())

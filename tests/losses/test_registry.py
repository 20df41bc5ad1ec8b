"""What a user may name is made, and what makes no sense is refused in one sentence."""

import subprocess
import sys

import pytest
from catalog import LOSSES

from slopewise.errors import OptionError
from slopewise.losses.huber import Huber
from slopewise.losses.quantile import Quantile
from slopewise.losses.registry import REGISTRY, make_loss


def test_every_loss_of_the_catalogue_is_registered_and_no_other() -> None:
    assert {entry.loss.name for entry in LOSSES} == set(REGISTRY)


@pytest.mark.parametrize("name", REGISTRY)
def test_every_loss_is_made_under_its_name(name: str) -> None:
    loss = make_loss(name, n_classes=3)
    assert loss.name == name
    assert loss.title
    assert REGISTRY[name].solvers


def test_a_parameter_left_out_takes_its_default_or_is_estimated() -> None:
    assert make_loss("quantile") == Quantile(0.5)
    assert make_loss("huber") == Huber(estimates="scale")
    assert make_loss("huber", {"delta": 2}) == Huber(2.0)


def test_class_weights_are_passed_on() -> None:
    assert make_loss("logistic", class_weights=(1.0, 2.0)).max_hessian == 0.5
    assert make_loss("softmax", n_classes=3, class_weights=(1.0, 2.0, 3.0)).max_hessian == 1.5


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(OptionError, match=r"loss 'poison' is not known\. Did you mean 'poisson'"):
        make_loss("poison")
    with pytest.raises(OptionError, match="loss 'poisson' takes no tau; it belongs to loss 'quantile'; leave it out"):
        make_loss("poisson", {"tau": 0.5})
    for tau in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(OptionError, match=r"tau is .*, and a quantile lies between 0 and 1"):
            make_loss("quantile", {"tau": tau})
    with pytest.raises(OptionError, match="delta is 0, and must be a positive number"):
        make_loss("huber", {"delta": 0.0})


def test_listing_the_losses_loads_no_torch() -> None:
    code = "import sys, slopewise.losses.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

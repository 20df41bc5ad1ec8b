"""The registry: every solver by its name, and the choice among them with its reason."""

from __future__ import annotations

import pytest
from problems import problem_of, random_classes

from slopewise.engine.local import LocalEngine
from slopewise.errors import OptionError
from slopewise.losses.penalty import ElasticNet
from slopewise.losses.squared import Squared
from slopewise.optimizers.parse import plan_descent
from slopewise.training.moments.moments import read_moments
from slopewise.training.registry import CHOICES, ENTRIES, SOLVERS, names_of, select_solver
from slopewise.training.solver import Solver


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_is_a_solver_of_that_name(entry):
    solver = entry.load()
    assert issubclass(solver, Solver) and solver.name == entry.name and entry.help
    assert all(requirement.__doc__ for requirement in solver.requires)


def test_the_kinds_partition_all_names():
    assert sorted(names_of("exact", "likelihood", "descent")) == sorted(SOLVERS)
    assert set(CHOICES) == {"auto", "gd", *SOLVERS}


def test_classes_get_newton_and_many_parameters_lbfgs():
    few = problem_of(*random_classes(1, n=60, q=2, k=2))
    many = problem_of(*random_classes(1, n=60, q=501, k=2))
    assert select_solver(few).name == "newton" and select_solver(few).reason.startswith("3 parameters")
    assert select_solver(many).name == "lbfgs"
    assert select_solver(few, firth=True).name == "firth"


def test_the_solver_of_least_squares_depends_on_the_condition():
    x, y = random_classes(2, n=60, q=2, k=2)
    problem = problem_of(x, y, loss=Squared())
    assert select_solver(problem, read_moments(problem, LocalEngine())).name == "cholesky"
    beside = x.copy()
    beside[:, 1] = x[:, 0] * (1 + 1e-9 * y)
    problem = problem_of(beside, y, loss=Squared())
    assert select_solver(problem, read_moments(problem, LocalEngine())).name == "qr"


def test_a_descent_gets_the_cheapest_solver_that_applies():
    problem = problem_of(*random_classes(2, n=60, q=2, k=2), loss=Squared())
    assert select_solver(problem, plan=plan_descent(lr=0.1)).name == "gd_closed_form"
    assert select_solver(problem, plan=plan_descent(lr=0.1, optimizer="adam")).name == "gd_moments"
    assert select_solver(problem, plan=plan_descent(lr=0.1, batch_size=8)).name == "gd_loop"
    assert select_solver(problem, plan=plan_descent(lr=0.1), wanted="gd_loop").reason == "asked for"
    with pytest.raises(OptionError, match="there is no gd_moments of this descent: mini-batches .*'gd_loop' would be"):
        select_solver(problem, plan=plan_descent(lr=0.1, batch_size=8), wanted="gd_moments")


def test_what_a_solver_cannot_take_is_refused():
    classes = problem_of(*random_classes(1, n=60, q=2, k=3), penalty=ElasticNet(0.0, 1.0))
    with pytest.raises(OptionError, match="solver 'newton' cannot be used here: it cannot take l1 1"):
        select_solver(classes, wanted="newton")
    with pytest.raises(OptionError, match="solver 'firth' cannot be used here: it is for two classes"):
        select_solver(classes, wanted="firth")
    with pytest.raises(OptionError, match="solver 'qr' cannot be used here: only squared loss"):
        select_solver(classes, wanted="qr")

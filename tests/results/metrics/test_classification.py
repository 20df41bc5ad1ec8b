"""Metrics of classes against scikit-learn."""

import numpy as np
import pytest
from problems import fit_of, problem_of, random_classes
from sklearn import metrics

from slopewise.engine.local import LocalEngine
from slopewise.results.metrics.classification import classification_metrics
from slopewise.training.likelihood.newton import Newton

ENGINE = LocalEngine()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("batch_rows", [1, 100_000])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_metrics_are_scikit_learns(classes: int, batch_rows: int, weighted: bool) -> None:
    x, y = random_classes(30, n=150, q=2, k=classes)
    w = np.random.default_rng(0).random(150) + 0.1 if weighted else None
    problem = problem_of(x.round(2), y, w=w)
    fit = fit_of(problem, Newton().solve(problem, ENGINE))
    theta = fit.theta
    found = classification_metrics(fit.record, LocalEngine(batch_rows), problem.source)
    eta = np.column_stack([np.zeros(150), (x.round(2) @ theta[1:].numpy() + theta[0].numpy()).reshape(150, -1)])
    chances = np.exp(eta - eta.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    predicted = chances.argmax(1)
    assert found.n == 150
    assert found.accuracy == pytest.approx(metrics.accuracy_score(y, predicted, sample_weight=w))
    assert found.log_loss == pytest.approx(metrics.log_loss(y, chances, sample_weight=w))
    scored = chances[:, 1] if classes == 2 else chances
    assert found.brier == pytest.approx(metrics.brier_score_loss(y, scored, sample_weight=w))
    if classes == 2 or not weighted:
        assert found.auc == pytest.approx(metrics.roc_auc_score(y, scored, sample_weight=w, multi_class="ovr"))
    for ours, theirs in (
        (found.precision, metrics.precision_score),
        (found.recall, metrics.recall_score),
        (found.f1, metrics.f1_score),
    ):
        assert ours == pytest.approx(theirs(y, predicted, average=None, sample_weight=w))
    np.testing.assert_allclose(found.confusion, metrics.confusion_matrix(y, predicted, sample_weight=w))


def test_a_threshold_moves_the_line() -> None:
    x, y = random_classes(31, n=100, q=1, k=2)
    problem = problem_of(x, y)
    fit = fit_of(problem, Newton().solve(problem, ENGINE))
    always, never = (
        classification_metrics(fit.record, ENGINE, problem.source, threshold=at) for at in (1e-9, 1 - 1e-9)
    )
    assert always.recall == (0.0, 1.0)
    assert never.recall == (1.0, 0.0)
    assert np.isnan(never.precision[1])


def test_one_class_has_no_auc() -> None:
    x, y = random_classes(31, n=100, q=1, k=2)
    problem = problem_of(x, y)
    fit = fit_of(problem, Newton().solve(problem, ENGINE))
    ones = problem_of(x[y == 1], y[y == 1])
    assert np.isnan(classification_metrics(fit.record, ENGINE, ones.source).auc)

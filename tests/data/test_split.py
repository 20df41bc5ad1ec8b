"""The held-out rows depend on the row's number and the seed alone."""

import numpy as np
import pytest

from slopewise.data.split import Split
from slopewise.errors import OptionError


@pytest.mark.parametrize("size", [1, 7, 20, 999])
def test_same_rows_whatever_the_batch_size(size):
    split = Split(0.2, seed=3)
    whole = split.mask("test", 0, 1000)
    parts = np.concatenate([split.mask("test", s, min(size, 1000 - s)) for s in range(0, 1000, size)])
    assert (whole == parts).all()


@pytest.mark.parametrize("share", [0.05, 0.2, 0.25, 1 / 3, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_share_is_kept_to_one_row_in_whole_blocks(share, seed):
    held_out = Split(share, seed).mask("test", 0, 2000).sum()
    assert abs(held_out - share * 2000) <= 1


def test_another_seed_gives_other_rows_and_no_row_is_favoured():
    assert (Split(0.2, 0).mask("test", 0, 1000) != Split(0.2, 1).mask("test", 0, 1000)).any()
    often = sum(Split(0.2, seed).mask("test", 0, 40).astype(int) for seed in range(2000))
    # 2000 draws of probability 0.2: mean 400, standard deviation 18; six of them.
    assert abs(often - 400).max() < 6 * 18


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_impossible_share_is_refused(share):
    with pytest.raises(OptionError, match="share of rows to hold out"):
        Split(share)


def test_three_parts_share_the_rows_without_overlap():
    split = Split(0.2, 5, 0.15)
    test, validation, train = (split.mask(part, 7, 993) for part in ("test", "validation", "train"))
    assert (test.astype(int) + validation + train == 1).all()
    assert abs(test.sum() - 0.2 * 993) <= 4 and abs(validation.sum() - 0.15 * 993) <= 4
    assert (Split(0.2, 5).mask("test", 7, 993) == test).all(), "validation rows do not change which are test rows"


def test_parts_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(OptionError, match="leave no row to train on"):
        Split(0.5, 0, 0.5)

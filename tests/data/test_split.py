"""The held-out rows depend on the row's number and the seed alone."""

import numpy as np
import pytest

from slopewise.data.split import Split
from slopewise.errors import OptionError


@pytest.mark.parametrize("size", [1, 7, 20, 999])
def test_same_rows_whatever_the_batch_size(size):
    split = Split(0.2, seed=3)
    whole = split.held_out(0, 1000)
    parts = np.concatenate([split.held_out(s, min(size, 1000 - s)) for s in range(0, 1000, size)])
    assert (whole == parts).all()


@pytest.mark.parametrize("share", [0.05, 0.2, 0.25, 1 / 3, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_share_is_kept_to_one_row_in_whole_blocks(share, seed):
    held_out = Split(share, seed).held_out(0, 2000).sum()
    assert abs(held_out - share * 2000) <= 1


def test_another_seed_gives_other_rows_and_no_row_is_favoured():
    assert (Split(0.2, 0).held_out(0, 1000) != Split(0.2, 1).held_out(0, 1000)).any()
    often = sum(Split(0.2, seed).held_out(0, 40).astype(int) for seed in range(2000))
    # 2000 draws of probability 0.2: mean 400, standard deviation 18; six of them.
    assert abs(often - 400).max() < 6 * 18


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_impossible_share_is_refused(share):
    with pytest.raises(OptionError, match="share of rows to hold out"):
        Split(share)

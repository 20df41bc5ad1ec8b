"""Reading ahead in one other thread."""

import threading

import pytest

from slopewise.data.prefetch import batch_rows, prefetch


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("slopewise-read")]


def test_everything_comes_in_order_from_another_thread():
    def items():
        for i in range(10):
            yield i, threading.current_thread().name

    got = list(prefetch(items()))
    assert [i for i, _ in got] == list(range(10))
    assert {name for _, name in got} != {threading.current_thread().name}
    assert not readers()


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    ahead = prefetch(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)
    assert not readers()


def test_leaving_early_closes_the_reader_and_its_thread():
    made, closed = [], []

    def items():
        try:
            for i in range(1000):
                made.append(i)
                yield i
        finally:
            closed.append(True)

    ahead = prefetch(items(), depth=2)
    assert next(ahead) == 0
    ahead.close()
    assert closed == [True] and len(made) <= 3 and not readers()


def test_a_batch_stays_small_however_wide_the_table_is():
    assert batch_rows(0) == batch_rows(21) == 122_880
    assert batch_rows(1000) * 1000 * 8 <= 32 * 2**20
    assert batch_rows(10**6) == 2048

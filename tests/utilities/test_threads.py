"""Work done ahead: in order, within bounds, and ended with its consumer."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from unetseg.utilities.threads import ahead, in_order


def counted(taken: list[int], fails_at: int | None = None) -> Iterator[int]:
    for number in range(100):
        if number == fails_at:
            raise OSError("no more")
        taken.append(number)
        yield number


def test_items_come_in_order_from_another_thread():
    threads = set()

    def source() -> Iterator[int]:
        for number in range(50):
            threads.add(threading.get_ident())
            yield number

    with ahead(source(), 3) as items:
        assert list(items) == list(range(50))
    assert threads and threading.get_ident() not in threads


def test_what_the_source_raises_is_raised_where_its_items_are_taken():
    taken: list[int] = []
    with ahead(counted(taken, fails_at=3)) as items, pytest.raises(OSError, match="no more"):
        for _ in items:
            pass
    assert taken == [0, 1, 2]


def test_no_more_is_taken_than_may_be_and_leaving_early_ends_the_thread():
    taken: list[int] = []
    before = threading.active_count()
    with ahead(counted(taken), 2) as items:
        assert next(items) == 0
    assert threading.active_count() == before
    assert len(taken) <= 5  # one taken, two waiting, one in hand, and the one that saw the end


def test_a_pool_computes_in_order_and_takes_no_more_than_it_may():
    taken: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        results = in_order(pool, lambda number: number**2, counted(taken), 5)
        assert [next(results) for _ in range(10)] == [number**2 for number in range(10)]
        assert len(taken) == 15
        assert list(results)[-1] == 99**2


def test_the_error_of_one_item_is_raised_in_its_turn():
    with ThreadPoolExecutor(2) as pool:
        results = in_order(pool, lambda number: 1 // (3 - number), range(5), 2)
        assert [next(results) for _ in range(3)] == [0, 0, 1]
        with pytest.raises(ZeroDivisionError):
            next(results)

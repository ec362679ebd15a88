"""The number of threads of small steps: the quickest one where the numbers are the same, else a fixed one."""

from itertools import islice

import pytest
import torch

from avzoo.models.generators import quickest_threads as module
from avzoo.models.generators.quickest_threads import quickest_threads

CPU = torch.device('cpu')
SMALL, LARGE = 1 << 20, 1 << 30


@pytest.fixture
def threads(monkeypatch):
    """The number of threads as torch would hold it, with a clock that gives a step's seconds by their number."""

    class Threads:
        count, now, seconds = 8, 0.0, dict.fromkeys((1, 2, 4, 8), 1.0)

        def set(self, count: int) -> None:
            self.count = count

        def used(self, steps: int, trial=lambda: (torch.ones(2),), products: int = SMALL) -> list[int]:
            counts = []
            with quickest_threads(trial, products, CPU) as before_each:
                for _ in islice(before_each, steps):
                    counts.append(self.count)
                    self.now += self.seconds[self.count]
            return counts

    threads = Threads()
    monkeypatch.setattr(torch, 'set_num_threads', threads.set)
    monkeypatch.setattr(torch, 'get_num_threads', lambda: threads.count)
    monkeypatch.setattr(module.time, 'perf_counter', lambda: threads.now)
    return threads


def test_the_quickest_number_is_found_and_kept(threads):
    for seconds, tried, quickest in [
        ({1: 3.0, 2: 2.0, 4: 1.0, 8: 4.0}, [1, 2, 4, 8], 4),
        ({1: 3.0, 2: 4.0, 4: 1.0, 8: 1.0}, [1, 2], 1),  # Beyond what is slower nothing is tried.
        ({1: 4.0, 2: 3.0, 4: 2.0, 8: 1.0}, [1, 2, 4, 8], 8),
    ]:
        threads.seconds = seconds
        trials = [count for count in tried for _ in range(11)]
        assert threads.used(len(trials) + 500) == [*trials, *[quickest] * 500]
        assert threads.count == 8


def test_what_became_slower_is_left(threads):
    threads.seconds = {1: 2.0, 2: 1.0, 4: 2.0, 8: 2.0}
    used = []
    with quickest_threads(lambda: (), SMALL, CPU) as before_each:
        for step, _ in enumerate(islice(before_each, 1200)):
            used.append(threads.count)
            if step == 100:  # Another program takes a core.
                threads.seconds = {1: 2.0, 2: 3.0, 4: 4.0, 8: 5.0}
            threads.now += threads.seconds[threads.count]
    assert used[500] == 2 and used[-1] == 1


def test_the_time_does_not_decide_where_numbers_differ(threads):
    threads.seconds = {1: 1.0, 2: 0.1, 4: 0.1, 8: 0.1}

    def trial():
        return torch.ones(2), torch.tensor([1.0, float(threads.count == 4)])

    assert set(threads.used(600, trial)) == {1}
    assert set(threads.used(600, trial, LARGE)) == {8}
    assert threads.count == 8


def test_one_thread_is_not_compared(threads):
    threads.count = 1
    assert set(threads.used(600, lambda: pytest.fail('compared'))) == {1}


def test_what_is_compared_draws_no_random_numbers(threads):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    used = threads.used(20, lambda: (torch.rand(3),))  # The same draws for each number, so the search begins.
    assert torch.equal(torch.rand(3), expected) and used == [1] * 11 + [2] * 9


def test_the_number_is_restored_after_an_error(threads):
    with pytest.raises(KeyboardInterrupt), quickest_threads(lambda: (), SMALL, CPU) as before_each:
        for _ in before_each:
            raise KeyboardInterrupt
    assert threads.count == 8


def test_beside_a_cpu_nothing_is_compared(threads):
    with quickest_threads(lambda: pytest.fail('compared'), LARGE, torch.device('cuda')) as before_each:
        assert len(list(islice(before_each, 600))) == 600 and threads.count == 8

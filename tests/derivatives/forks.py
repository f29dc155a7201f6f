"""Runs the tests for each mutant in a process of its own, forked from one that has collected them and run none.

Forked later, what tests leave behind, such as a plan in a cache, would hide mutants. Forked sooner, the imports and the
collection, which take longer than the test that kills, would be repeated for each.
"""

import bisect
import functools
import itertools
import multiprocessing
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.pool import ThreadPool
from typing import TypeVar

import pytest
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from mutmut.utils.format_utils import mangled_name_from_mutant_name

Result = TypeVar("Result")


class Forks:
    """Plugin of pytest that runs, instead of all tests once, for each mutant those that reach it."""

    def __init__(self, mutants: Sequence[str], seconds: float, processes: int) -> None:
        """Take the names of the mutants, the time of the tests for each, and how many are tried at a time."""
        self.mutants = mutants
        self.seconds = seconds
        self.processes = processes
        self.survivors: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try the mutants function by function: a test that killed one is the first for the next."""
        if session.testsfailed:
            raise session.Interrupted("the tests cannot be collected")
        measured = in_fork(lambda: measure(session.items))
        functions = defaultdict(list)
        for mutant in self.mutants:
            functions[mangled_name_from_mutant_name(mutant)].append(mutant)

        def try_function(function: str) -> list[str]:
            reach = sorted((time, i) for i, (time, reached) in enumerate(measured) if function in reached)
            number = bisect.bisect(list(itertools.accumulate(time for time, _ in reach)), self.seconds)
            return survivors(functions[function], [(session.items[i], time) for time, i in reach[:number]])

        with ThreadPool(self.processes) as pool:
            for alive in pool.imap_unordered(try_function, functions):
                self.survivors += alive
                for mutant in alive:
                    print(mutant, flush=True)
        return True


def measure(tests: Sequence[pytest.Item]) -> list[tuple[float, set[str]]]:
    """Run each test and return its processor time and the functions it reaches."""
    set_mutant_under_test("stats")
    measured = []
    for test in tests:
        state()._stats.clear()
        start = time.process_time()
        if fails(test):
            raise RuntimeError(f"{test.nodeid} fails without a mutant")
        measured.append((time.process_time() - start, set(state()._stats)))
    return measured


def survivors(mutants: Sequence[str], tests: list[tuple[pytest.Item, float]]) -> list[str]:
    """Return the mutants of one function that pass the tests, given with their times, which end up reordered."""
    alive = []
    for mutant in mutants:
        try:
            killer = in_fork(functools.partial(first_failure, mutant, tests))
        except ChildProcessError:
            continue
        if killer == len(tests):
            alive.append(mutant)
        else:
            tests.insert(0, tests.pop(killer))
    return alive


def first_failure(mutant: str, tests: Sequence[tuple[pytest.Item, float]]) -> int:
    """Return the index of the first test that the mutant fails, or the number of tests."""
    set_mutant_under_test(mutant)
    for index, (test, seconds) in enumerate(tests):
        # An endless loop is ended by this signal, and the process with it.
        signal.setitimer(signal.ITIMER_PROF, 5 + 10 * seconds)
        if fails(test):
            return index
    return len(tests)


def fails(test: pytest.Item) -> bool:
    """Run a test; a process runs none after one that failed."""
    test.config.hook.pytest_runtest_protocol(item=test, nextitem=None)
    return test.session.testsfailed > 0


def in_fork(work: Callable[[], Result]) -> Result:
    """Do the work in a copy of this process, and return its result or raise its error.

    Raises:
        ChildProcessError: if the copy dies.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=send, args=(sender, work))
    process.start()
    sender.close()
    try:
        result = receiver.recv()
    except EOFError:
        raise ChildProcessError("the process died") from None
    finally:
        process.join()
    if isinstance(result, Exception):
        raise result
    return result


def send(sender: Connection, work: Callable[[], object]) -> None:
    """Send the result of the work, which prints nothing, or its error."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(null, stream)
    try:
        sender.send(work())
    except Exception as error:  # whatever it is, it is raised again where the result was wanted
        sender.send(error)

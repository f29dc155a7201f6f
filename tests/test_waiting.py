"""What takes long says so, and what does not is silent."""

import threading

from pinn.waiting import said_if_long


def test_a_line_is_said_when_it_takes_long() -> None:
    said, heard = [], threading.Event()

    def say(line: str) -> None:
        said.append(line)
        heard.set()

    with said_if_long(say, "going on", seconds=0.01):
        assert heard.wait(timeout=60)
    assert said == ["going on"]


def test_nothing_is_said_of_what_is_over() -> None:
    said: list[str] = []
    with said_if_long(said.append, "going on", seconds=3600):
        timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    for timer in timers:
        timer.join(timeout=60)
    assert said == []
    assert len(timers) == 1
    assert timers[0].daemon

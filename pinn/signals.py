"""SIGINT and SIGTERM: the first one ends what is going on in order, a second one at once."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | int
SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = b"\x1b[?25h"
"""What a terminal is told where a progress bar has hidden the cursor."""


class Signals:
    """Notes a signal while something goes on that is to be ended in order.

    Signals can only be caught in the main thread; in any other nothing is noted.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        """The signal that was noted."""
        self.heard: Callable[[], object] = lambda: None
        """Called in the main thread when a signal has been noted; it may raise."""
        self._noting = False

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the first signal; a second one does what it would have done before.

        Raises:
            KeyboardInterrupt: a second Ctrl-C, where that is what it does.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        first = True

        def note(number: int, frame: FrameType | None) -> None:
            nonlocal first
            if first:
                first, self.received = False, number
                self.heard()
                return
            signal.signal(number, before[number])
            try:
                signal.raise_signal(number)
            except KeyboardInterrupt as error:
                # Lightning makes of a KeyboardInterrupt the exit code 1.
                raise _Again from error

        before: dict[int, Handler] = {number: signal.signal(number, note) or signal.SIG_DFL for number in SIGNALS}
        self._noting = True
        try:
            yield
        except _Again as error:
            raise KeyboardInterrupt from error
        finally:
            self._noting = False
            for number, handler in before.items():
                signal.signal(number, handler)

    def end_process(self) -> None:
        """From now on a signal that is not noted ends the process at once, with exit code 128 + its number.

        A thread waits for signals, so that this holds in the middle of a long call too, which Python's own handlers
        would wait for.
        """
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        for number in SIGNALS:
            signal.signal(number, lambda number, frame: None)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        threading.Thread(target=self._wait, args=(reading,), daemon=True).start()

    def _wait(self, reading: int) -> None:
        first = True
        while True:
            [number] = os.read(reading, 1)
            if number in SIGNALS:
                if not (first and self._noting):
                    if sys.stdout.isatty():
                        os.write(sys.stdout.fileno(), SHOW_CURSOR)
                    os.write(sys.stderr.fileno(), f"ended by {signal.Signals(number).name}\n".encode())
                    os._exit(128 + number)
                first, self.received = False, number


class _Again(BaseException):
    """A second Ctrl-C."""

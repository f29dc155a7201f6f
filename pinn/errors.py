"""What cannot be used, what does not fit, and what has no time: errors that are no fault of the program."""

MOST_CHARACTERS = 1500
"""Of a message: it may repeat what a file holds."""


class InputError(ValueError):
    """Something a user gave is wrong.

    Its message is one line: what was given, what was expected, how to fix it. The scripts print it without a traceback
    and exit with code 2; a library caller catches it as the `ValueError` that it is.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class NotFinite(InputError):
    """A residual, or a derivative of one, is infinite or no number.

    Before a training that is a mistake in the problem or its data. Within one the training has diverged.
    """


class OutOfMemory(MemoryError):
    """There is too little memory for what was given, on this machine at this moment.

    Its message is one line too, and says what needs less. The scripts print it and exit with code 4.
    """


class OutOfTime(Exception):
    """An evaluation or a decomposition is not begun, or given up, for it has no time.

    An optimizer catches it and leaves its iteration, with parameters and state as they were before it.
    """


WORDS_OF_ALLOCATORS = ("allocate memory", "not enough memory", "bad_alloc", "bad allocation")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception says that memory is exhausted; only CUDA's allocator has one of its own."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    said = any(words in str(error) for words in WORDS_OF_ALLOCATORS)
    return said or not kinds.isdisjoint({"MemoryError", "OutOfMemoryError"})


def one_line(text: str) -> str:
    """Return text as one line that is safe to print: no breaks, no control characters, and not too long.

    A message may repeat a name or a value from somebody else's file, which could move the cursor of a terminal.
    """
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]} …"

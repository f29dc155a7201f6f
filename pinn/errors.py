"""What cannot be used, what does not fit, and what has no time: errors that are no fault of the program."""


class InputError(ValueError):
    """Something a user gave is wrong.

    Its message is one line: what was given, what was expected, how to fix it. The scripts print it without a traceback
    and exit with code 2; a library caller catches it as the `ValueError` that it is.
    """


class OutOfMemory(MemoryError):
    """There is too little memory for what was given, on this machine at this moment.

    Its message is one line too, and says what needs less. The scripts print it and exit with code 4.
    """


class OutOfTime(Exception):
    """An evaluation or a decomposition is not begun, or given up, for it has no time.

    An optimizer catches it and leaves its iteration, with parameters and state as they were before it.
    """

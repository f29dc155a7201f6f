"""The one error that means: what was given cannot be used, and here is how to fix it."""


class InputError(ValueError):
    """Something a user gave is wrong.

    Its message is one line: what was given, what was expected, how to fix it. The scripts print it without a traceback
    and exit with code 2; a library caller catches it as the `ValueError` that it is.
    """


class OutOfMemory(MemoryError):
    """There is too little memory for what was given, on this machine at this moment.

    Its message is one line too, and says what needs less. The scripts print it and exit with code 4.
    """

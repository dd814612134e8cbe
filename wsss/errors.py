"""The one error of the package that is meant for its user's eyes."""


class InputError(ValueError):
    """What the user gave cannot be used; one clear line says what, where and what to do.

    The command line prints the message alone, without a traceback.

    Examples
    --------
    >>> raise InputError("val.txt, line 3: id '2007_000032' is listed twice; remove one")
    Traceback (most recent call last):
    wsss.errors.InputError: val.txt, line 3: id '2007_000032' is listed twice; remove one
    """

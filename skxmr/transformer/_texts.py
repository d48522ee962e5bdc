"""What is checked of raw texts before any work is done on them."""

import numpy as np


def check_texts(texts, name="texts"):
    """Return texts as a list of str.

    Parameters
    ----------
    texts : sequence of str
        A list, tuple, 1-D array or pandas Series; an empty string is a text.
    name : str
        What to call it in errors.

    Returns
    -------
    list of str
        One a row.

    Raises
    ------
    ValueError
        If it is one lone string, has no order or not exactly one dimension, is empty, or holds
        anything else than strings: bytes, numbers, None and what else stands for a missing value,
        half of a surrogate pair.
    """
    if isinstance(texts, (str, bytes)):
        raise ValueError(
            f"{name} must be a sequence of strings, one a row; got a lone {type(texts).__name__}: "
            f"{_short(texts)}. Put it in a list."
        )
    if isinstance(texts, (set, frozenset, dict)):
        raise ValueError(
            f"{name} must be a sequence of strings, one a row; got a {type(texts).__name__}, whose "
            "rows have no order."
        )
    ndim = getattr(texts, "ndim", 1)
    if ndim != 1:
        raise ValueError(f"{name} must be 1-D, one string a row; got {ndim} dimensions.")
    try:
        rows = list(texts)
    except TypeError:
        raise ValueError(
            f"{name} must be a sequence of strings, one a row; got {type(texts).__name__}."
        ) from None
    if not rows:
        raise ValueError(f"{name} must have at least 1 row; got 0.")
    for row, text in enumerate(rows):
        if not isinstance(text, str):
            raise ValueError(
                f"{name} must hold strings, the empty one allowed; {name}[{row}] is "
                f"{_short(text)} of type {type(text).__name__}."
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{name} must hold strings of Unicode characters; {name}[{row}] has half of a "
                f"surrogate pair at place {error.start}."
            ) from None
    # numpy's strings are str, but tokenizers ask for the plain ones.
    return [str(text) for text in rows] if isinstance(texts, np.ndarray) else rows


def _short(value):
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."

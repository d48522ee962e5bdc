"""Validation of raw texts."""

import numpy as np

# Longest representation of a wrong value in an error message.
MAX_SHOWN_CHARACTERS = 40


def check_texts(texts, name="texts"):
    """Validate texts and return them as a list of str.

    Parameters
    ----------
    texts : sequence of str
        List, tuple, 1-D array, or column of pandas, polars or Arrow. Empty strings are allowed.
    name : str
        Name of the argument in error messages.

    Returns
    -------
    list of str
        One text per row.

    Raises
    ------
    ValueError
        If `texts` is a single string, has no order, is not 1-D or is empty, or if an element is not
        a string of valid Unicode. Missing values are not strings.
    """
    if isinstance(texts, (str, bytes)):
        raise ValueError(
            f"{name} must be a sequence of strings, one per row; got a single "
            f"{type(texts).__name__}: {_shorten(texts)}. Put it in a list."
        )
    if isinstance(texts, (set, frozenset, dict)):
        raise ValueError(
            f"{name} must be a sequence of strings, one per row; got a {type(texts).__name__}, "
            "which has no row order. Use a list."
        )
    ndim = getattr(texts, "ndim", 1)
    if ndim != 1:
        raise ValueError(f"{name} must be 1-D, one string per row; got {ndim} dimensions.")
    try:
        rows = list(read_text_column(texts))
    except TypeError:
        raise ValueError(
            f"{name} must be a sequence of strings, one per row; got {type(texts).__name__}."
        ) from None
    if not rows:
        raise ValueError(f"{name} must have at least 1 row; got 0.")
    for row, text in enumerate(rows):
        if not isinstance(text, str):
            raise_not_a_string(text, name, f"{name}[{row}] = ")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{name} must contain only valid Unicode; got {name}[{row}] with an unpaired "
                f"surrogate at position {error.start}."
            ) from None
    # Elements of a string array are np.str_. Tokenizers accept only str.
    return [str(text) for text in rows] if isinstance(texts, np.ndarray) else rows


def read_text_column(texts):
    """Return a column of Arrow as a list; its elements are not strings. Return others unchanged."""
    is_arrow = type(texts).__module__.partition(".")[0] == "pyarrow" and hasattr(texts, "to_pylist")
    return texts.to_pylist() if is_arrow else texts


def raise_not_a_string(text, name, place=""):
    """Raise a ValueError for an element of texts that is no string, such as a missing one."""
    raise ValueError(
        f"{name} must contain only strings; got {place}{_shorten(text)} of type "
        f"{type(text).__name__}. Replace missing texts by an empty string."
    )


def _shorten(value):
    shown = repr(value)
    return (
        shown if len(shown) <= MAX_SHOWN_CHARACTERS else shown[: MAX_SHOWN_CHARACTERS - 3] + "..."
    )

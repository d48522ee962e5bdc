"""Load texts and their labels from a table."""

from typing import NamedTuple

import numpy as np

from skxmr._core.target_mistakes import find_separator
from skxmr._core.user_warnings import warn_user
from skxmr.datasets._binary_files import open_binary
from skxmr.datasets._tables import find_format, read_table, shorten


class LabeledTexts(NamedTuple):
    """Texts and their labels.

    Attributes
    ----------
    texts : list of str
        Text of each row.
    labels : list of list of str, or None
        Labels of each row; None if no column of labels was read.
    """

    texts: list[str]
    labels: list[list[str]] | None


def load_texts(path, *, text, labels=None, separator=None, format=None, delimiter=None):
    """Load texts and their labels from a CSV, TSV, JSON lines or Parquet file.

    Parameters
    ----------
    path : str, path-like or file-like
        File to read: a path, or a file object in binary mode. A path that ends in ".gz",
        ".bz2" or ".xz" is decompressed. Text files must be in UTF-8; a byte order mark is ignored.
    text : str or sequence of str
        Name of the column with the text. The texts of several columns are joined with spaces.
    labels : str or None, default=None
        Name of the column with the labels. None reads only texts.
    separator : str or None, default=None
        Separator of several labels in one string, such as ";". With None, a string is one label.
        In JSON lines and Parquet, a cell may also be a list of labels, which is not split.
    format : {"csv", "tsv", "jsonl", "parquet"} or None, default=None
        Format of the file. With None, the end of the name decides: ".csv", ".tsv", ".tab",
        ".jsonl", ".ndjson", ".json" or ".parquet", followed by ".gz", ".bz2" or ".xz" if
        compressed.

        CSV and TSV files have a header line. Fields can be in quotes, as RFC 4180 defines.
        JSON files have one object per line. Parquet needs pyarrow.
    delimiter : str or None, default=None
        Character between the fields of a CSV or TSV file. None is a comma for CSV and a tab for
        TSV.

    Returns
    -------
    texts : list of str
        Text of each row. A missing value is an empty text.
    labels : list of list of str, or None
        Labels of each row, without blanks around them. A missing value or an empty cell is a row
        without labels. None if `labels` is None.

    Raises
    ------
    ValueError
        If the file is not valid, a column is missing, or the format is unknown. The message has
        the file, the line and the remedy.
    TypeError
        If an argument has a wrong type.
    ImportError
        If the file is a Parquet file and pyarrow is not installed.

    Warns
    -----
    UserWarning
        If labels look like several labels that are joined by a separator, or if no label has the
        given separator.

    See Also
    --------
    skxmr.make_text_classifier : Classifier of such texts and labels.
    load_xmc_texts : Load raw texts of the Extreme Classification Repository.
    load_xmc_file : Load features instead of texts.

    Examples
    --------
    >>> import io
    >>> from skxmr.datasets import load_texts
    >>> file = io.BytesIO(b'title,tags\\n"Salt, pepper",food;spice\\nA new engine,\\n')
    >>> texts, labels = load_texts(
    ...     file, text="title", labels="tags", separator=";", format="csv"
    ... )
    >>> texts
    ['Salt, pepper', 'A new engine']
    >>> labels
    [['food', 'spice'], []]
    """
    texts, label_lists = [], []
    rows = iterate_texts(
        path,
        text=text,
        labels=labels,
        separator=separator,
        format=format,
        delimiter=delimiter,
    )
    for row_text, row_labels in rows:
        texts.append(row_text)
        label_lists.append(row_labels)
    if labels is None:
        return LabeledTexts(texts, None)
    _warn_about_separator(str(getattr(path, "name", path)), label_lists, separator)
    return LabeledTexts(texts, label_lists)


def iterate_texts(path, *, text, labels=None, separator=None, format=None, delimiter=None):
    """Read texts and their labels row by row.

    Parameters
    ----------
    path, text, labels, separator, format, delimiter
        As in `load_texts`.

    Yields
    ------
    text : str
        Text.
    labels : list of str
        Labels; empty if `labels` is None.
    """
    text_columns = _check_arguments(text, labels, separator, delimiter)
    file_format = find_format(path, format)
    columns = text_columns if labels is None else [*text_columns, labels]
    n_texts = len(text_columns)
    with open_binary(path) as (file, name):
        for place, cells in read_table(file, name, file_format, columns, delimiter):
            texts = [
                check_text(cell, place, column)
                for cell, column in zip(cells[:n_texts], text_columns, strict=True)
            ]
            row_labels = [] if labels is None else _read_labels(cells[-1], place, labels, separator)
            yield " ".join(texts), row_labels


def _check_arguments(text, labels, separator, delimiter):
    text_columns = check_text_columns(text)
    if not isinstance(labels, str | None):
        raise TypeError(f"labels must be the name of a column or None; got {labels!r}.")
    if separator is not None and not (isinstance(separator, str) and separator):
        raise TypeError(f"separator must be a string or None; got {separator!r}.")
    is_delimiter = isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n'
    if delimiter is not None and not is_delimiter:
        raise TypeError(f"delimiter must be one character or None; got {delimiter!r}.")
    return text_columns


def check_text_columns(text):
    """Return the argument `text`, one or several names of columns, as a list."""
    columns = [text] if isinstance(text, str) else text
    is_sequence = isinstance(columns, list | tuple) and len(columns) > 0
    if not (is_sequence and all(isinstance(column, str) for column in columns)):
        raise TypeError(f"text must be the name of a column or a list of names; got {text!r}.")
    return list(columns)


def check_text(cell, place, column):
    """Return the text in a cell of a table; a missing value is an empty text."""
    if cell is None:
        return ""
    if not isinstance(cell, str):
        raise ValueError(f"{place}: {column!r} must be a string or null; got {shorten(cell)}.")
    return cell


def _read_labels(cell, place, column, separator):
    if cell is None:
        return []
    if isinstance(cell, str):
        cell = [cell] if separator is None else cell.split(separator)
    elif not isinstance(cell, list):
        cell = [cell]
    for label in cell:
        if not isinstance(label, str | int) or isinstance(label, bool):
            raise ValueError(
                f"{place}: {column!r} must be a string, an integer, or a list of them; got "
                f"{shorten(label)}."
            )
    stripped = (str(label).strip() for label in cell)
    return [label for label in stripped if label]


def _warn_about_separator(name, labels, separator):
    # Rows with several labels show that the labels are separated correctly.
    if any(len(row) > 1 for row in labels):
        return
    names = np.array(sorted({label for row in labels for label in row}), dtype=object)
    if separator is not None and len(names) > 1:
        warn_user(
            f"{name}: no row has several labels separated by {separator!r}. If this is wrong, "
            "change separator."
        )
    found = find_separator(names)
    if found is not None and found != separator:
        example = next(label for label in names if found in label)
        warn_user(
            f"{name}: labels look like several labels joined by {found!r}, such as "
            f"{shorten(example)}. Each string is used as one label. Set separator to {found!r}."
        )

"""Read the data files of the command line.

There are two formats: the text format of the Extreme Classification Repository, and texts with
the names of their labels (one line per row: the text, a tab, and labels separated by commas).
"""

import re
import sys
import warnings
from collections import Counter
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from skxmr._core.arrays import offsets_of
from skxmr.datasets import load_xmc_file
from skxmr.text import TfidfVectorizer

# Number of characters of an invalid line that an error message shows.
MAX_SHOWN_CHARACTERS = 60
# A row with labels and features, or with features only.
REPOSITORY_ROW = re.compile(rb"(\d+(,\d+)*)?(\s+\d+:[-+.\deE]+)+\s*")
# Label fields of a header line.
HEADER_LABELS = {"label", "labels", "tag", "tags", "class", "classes", "category", "categories"}
# Separators that are often used instead of commas, and the fraction of rows with one of them that
# causes a warning.
OTHER_SEPARATORS = ";|"
MIN_SEPARATED_ROWS = 0.1


class TextRows(NamedTuple):
    """Content of a text file.

    Attributes
    ----------
    texts : list of str
        Text of each row.
    labels : list of list of str
        Labels of each row; empty if the line has no tab.
    """

    texts: list[str]
    labels: list[list[str]]


class LabeledRows(NamedTuple):
    """Rows of a data file as the classifier takes them.

    Attributes
    ----------
    X : csr_array of shape (n_samples, n_features)
        Feature rows.
    Y : csr_array of shape (n_samples, n_labels)
        Indicator of the labels that the model knows.
    n_unknown_labels : int
        Number of distinct labels in the file that the model does not know.
    """

    X: sp.csr_array
    Y: sp.csr_array
    n_unknown_labels: int


class DataFormat(NamedTuple):
    """Format of the data files of one model; saved with the model.

    Attributes
    ----------
    normalize : bool
        Whether rows of the repository format are scaled to unit length.
    vectorizer : TfidfVectorizer or None
        Fitted vectorizer of texts; None for the repository format.
    names : ndarray of str or None
        Names of the labels of texts, by column; None for the repository format.
    """

    normalize: bool = False
    vectorizer: TfidfVectorizer | None = None
    names: np.ndarray | None = None

    def read(self, path, require_labels=False):
        """Read a file in this format.

        Parameters
        ----------
        path : str
            File to read. For texts, "-" is standard input.
        require_labels : bool, default=False
            Whether a line of text without a tab is an error.

        Returns
        -------
        LabeledRows
        """
        if self.vectorizer is None:
            X, Y = load_xmc_file(path)
            return LabeledRows(normalize(X) if self.normalize else X, Y, 0)
        rows = read_texts(path, require_labels)
        column_of = {name: column for column, name in enumerate(self.names)}
        unknown = {name for names in rows.labels for name in names if name not in column_of}
        X = self.vectorizer.transform(rows.texts)
        return LabeledRows(X, make_indicator(rows.labels, column_of), len(unknown))


def is_text_file(path):
    """Return whether a file contains texts, and not rows of the repository format.

    The first line of a repository file has three integers: the sizes of the data. A line with a tab
    can also be a text of numbers and its label. Then the second line decides.

    Raises
    ------
    ValueError
        If the file has rows of the repository format, but no sizes.
    """
    if str(path).endswith((".gz", ".bz2")):
        return False
    with open(path, "rb") as file:
        first, second = file.readline(), file.readline()
    fields = first.split()
    if len(fields) == 3 and all(field.isdigit() for field in fields):
        return b"\t" in first and not REPOSITORY_ROW.fullmatch(second)
    if REPOSITORY_ROW.fullmatch(first):
        line = first.decode().rstrip()[:MAX_SHOWN_CHARACTERS]
        raise ValueError(
            f"{path}, line 1: a file in the repository format must start with the line "
            f"'n_samples n_features n_labels'; got the row {line!r}. Add this line."
        )
    return True


def read_texts(path, require_labels):
    """Read a text file in UTF-8; the path "-" is standard input.

    The last tab of a line separates the text and the labels. Blank lines at the end are ignored.

    Parameters
    ----------
    path : str
        File to read.
    require_labels : bool
        Whether a line without a tab is an error. Blank lines are ignored then.

    Returns
    -------
    TextRows

    Raises
    ------
    ValueError
        If the file is empty, if a line is not UTF-8, or if `require_labels` is true and a line has
        no tab.
    """
    texts, labels = [], []
    with nullcontext(sys.stdin.buffer) if path == "-" else open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line = line.decode().rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path}, line {number}: the line must be UTF-8; {error.reason}. "
                    "Convert the file to UTF-8."
                ) from None
            text, tab, names = line.rpartition("\t")
            if not tab:
                if require_labels and not line.strip():
                    continue
                if require_labels:
                    raise ValueError(
                        f"{path}, line {number}: the line must be a text, a tab and labels "
                        f"separated by commas; got {line[:MAX_SHOWN_CHARACTERS]!r} without a tab."
                    )
                text, names = line, ""
            texts.append(text)
            stripped = (name.strip() for name in names.split(","))
            labels.append([name for name in stripped if name])
    while texts and not texts[-1].strip() and not labels[-1]:
        del texts[-1], labels[-1]
    if not texts:
        raise ValueError(f"{path} must have at least one line with a text; got none.")
    return TextRows(texts, labels)


def warn_about_labels(path, rows):
    """Warn about a header line, and about labels that are not separated by commas.

    Parameters
    ----------
    path : str
        File, for the warning.
    rows : TextRows
        Content of the file.
    """
    counts = Counter(name for names in rows.labels for name in names)
    first = rows.labels[0]
    if len(first) == 1 and first[0].lower() in HEADER_LABELS and counts[first[0]] == 1:
        warnings.warn(
            f"{path}: the first row has the label {first[0]!r}, which no other row has. It looks "
            "like a header, but is used as a row. Remove the line if it is a header.",
            stacklevel=2,
        )
    if any(len(names) > 1 for names in rows.labels):
        return
    for separator in OTHER_SEPARATORS:
        n_rows = sum(any(separator in name for name in names) for names in rows.labels)
        if n_rows >= MIN_SEPARATED_ROWS * len(rows.labels):
            warnings.warn(
                f"{path}: no row has several labels separated by commas, but {n_rows:,} of "
                f"{len(rows.labels):,} rows have a label with {separator!r}. Such a label is one "
                "label. Separate labels by commas.",
                stacklevel=2,
            )


def make_indicator(labels, column_of):
    """Return the CSR indicator of the labels that have a column.

    Parameters
    ----------
    labels : list of list of str
        Labels of each row.
    column_of : dict of str to int
        Column of each label.

    Returns
    -------
    csr_array of shape (n_rows, n_columns), float32
    """
    columns = [sorted({column_of[name] for name in names if name in column_of}) for names in labels]
    indptr = offsets_of([len(row) for row in columns])
    indices = np.array([column for row in columns for column in row], dtype=np.int32)
    ones = np.ones(len(indices), dtype=np.float32)
    return sp.csr_array((ones, indices, indptr), shape=(len(labels), len(column_of)))


def read_training_file(path, normalize_rows):
    """Detect the format of a training file and read it.

    Parameters
    ----------
    path : str
        File to read.
    normalize_rows : bool
        Whether rows of the repository format are scaled to unit length.

    Returns
    -------
    X, Y : csr_array
        Feature rows and indicator.
    data_format : DataFormat
        Format for reading other files.
    """
    if not is_text_file(path):
        data_format = DataFormat(normalize_rows)
        X, Y, _ = data_format.read(path)
        return X, Y, data_format
    rows = read_texts(path, require_labels=True)
    warn_about_labels(path, rows)
    names = sorted({name for row_names in rows.labels for name in row_names})
    if not names:
        raise ValueError(f"{path} must have at least one label; no line has one.")
    vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
    X = vectorizer.fit_transform(rows.texts)
    Y = make_indicator(rows.labels, {name: column for column, name in enumerate(names)})
    return X, Y, DataFormat(False, vectorizer, np.array(names, dtype=object))

"""Data files of the command line: the repository's format, or texts and the names of their labels.

A text file has a line a row: the text, a tab, and labels separated by commas.
"""

import sys
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from skxmr._core.arrays import offsets_of
from skxmr.datasets import load_xmc_file


class TextRows(NamedTuple):
    """A text file.

    Attributes
    ----------
    texts : list of str
        Text of each row.
    labels : list of list of str or None
        Labels of each row, None where the line has no tab.
    """

    texts: list
    labels: list


class Preparation(NamedTuple):
    """How data become what a model takes; kept with the model.

    Attributes
    ----------
    normalize : bool
        Whether rows of the repository's format are scaled to unit length.
    vectorizer : TfidfVectorizer or None
        Of texts; None for the repository's format.
    names : ndarray of str or None
        Names of the labels of texts, by column.
    """

    normalize: bool = False
    vectorizer: Any = None
    names: Any = None

    def read(self, path, labels_needed=False):
        """Return the rows of a file and their labels.

        Parameters
        ----------
        path : str
            The file: texts if there is a vectoriser, else the repository's format.
        labels_needed : bool
            Whether a line of text without labels is an error.

        Returns
        -------
        X : csr_array of shape (n_samples, n_features)
            Rows.
        Y : csr_array of shape (n_samples, n_labels)
            Indicator of the labels that have a name here.
        n_unknown : int
            Labels that have none, each counted once.
        """
        if self.vectorizer is None:
            X, Y = load_xmc_file(path)
            return (normalize(X) if self.normalize else X), Y, 0
        rows = read_texts(path, labels_needed=labels_needed)
        column = {name: number for number, name in enumerate(self.names)}
        labels = [row or [] for row in rows.labels]
        unknown = {name for row in labels for name in row if name not in column}
        X = self.vectorizer.transform(rows.texts)
        return X, indicator(labels, column), len(unknown)


def is_text_file(path):
    """Whether a file has texts: its first line is not three numbers."""
    with open(path, "rb") as file:
        first = file.readline().split()
    compressed = str(path).endswith((".gz", ".bz2"))
    return not compressed and not (len(first) == 3 and all(part.isdigit() for part in first))


def read_texts(path, labels_needed):
    """Read a text file.

    Parameters
    ----------
    path : str
        The file, in UTF-8; "-" is standard input.
    labels_needed : bool
        Whether a line without a tab is an error.

    Returns
    -------
    TextRows

    Raises
    ------
    ValueError
        If a line has no tab, or is not UTF-8; the error names it. If there is no line.
    """
    texts, labels = [], []
    with nullcontext(sys.stdin.buffer) if path == "-" else open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text, tab, names = line.decode().rstrip("\r\n").rpartition("\t")
            except UnicodeDecodeError as error:
                raise ValueError(f"{path}, line {number}: not UTF-8: {error.reason}.") from None
            if not tab:
                if labels_needed:
                    raise ValueError(
                        f"{path}, line {number}: expected text, a tab, and labels separated by "
                        f"commas; got {names[:60]!r}."
                    )
                texts.append(names)
                labels.append(None)
                continue
            texts.append(text)
            stripped = (name.strip() for name in names.split(","))
            labels.append([name for name in stripped if name])
    if not texts:
        raise ValueError(f"{path} has no line.")
    return TextRows(texts, labels)


def indicator(labels, column):
    """Return a CSR indicator of the labels that have a column.

    Parameters
    ----------
    labels : list of list of str
        Of each row.
    column : dict of int
        By label.

    Returns
    -------
    csr_array of shape (n_rows, n_columns)
    """
    columns = [sorted({column[name] for name in row if name in column}) for row in labels]
    indptr = offsets_of([len(row) for row in columns])
    indices = np.array([c for row in columns for c in row], dtype=np.int32)
    ones = np.ones(len(indices), dtype=np.float32)
    return sp.csr_array((ones, indices, indptr), shape=(len(labels), len(column)))


def read_training_file(path, scale):
    """Read what to train on.

    Parameters
    ----------
    path : str
        A file of texts, or of the repository's format.
    scale : bool
        Whether rows of the repository's format are scaled to unit length.

    Returns
    -------
    X, Y : csr_array
        Rows and indicator.
    preparation : Preparation
        What was made of the file, for the model's other data.
    """
    if not is_text_file(path):
        preparation = Preparation(scale)
        X, Y, _ = preparation.read(path)
        return X, Y, preparation
    rows = read_texts(path, labels_needed=True)
    names = sorted({name for row in rows.labels for name in row})
    if not names:
        raise ValueError(f"{path}: no line has a label.")
    vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
    X = vectorizer.fit_transform(rows.texts)
    Y = indicator(rows.labels, {name: number for number, name in enumerate(names)})
    return X, Y, Preparation(False, vectorizer, np.array(names, dtype=object))

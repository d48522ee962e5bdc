"""Load the raw texts of the Extreme Classification Repository."""

from array import array
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr.datasets._binary_files import NumberedLines, open_binary
from skxmr.datasets._index_arrays import MAX_DERIVED_SIZE, make_index_array, make_indicator
from skxmr.datasets._tables import list_names, read_objects, shorten
from skxmr.datasets._text_files import check_text, check_text_columns

TITLE, LABELS = "title", "target_ind"


class XMCTexts(NamedTuple):
    """Texts of the Extreme Classification Repository and their labels.

    Attributes
    ----------
    texts : list of str
        Text of each row.
    Y : sparse matrix of shape (n_samples, n_labels)
        Indicator of the labels.
    label_titles : list of str, or None
        Title of each label, in the order of the columns of `Y`.
    """

    texts: list[str]
    Y: sp.csr_matrix | sp.csr_array
    label_titles: list[str] | None


def load_xmc_texts(path, label_path=None, *, text=(TITLE, "content"), n_labels=None):
    """Load raw texts of the Extreme Classification Repository.

    The repository [1]_ publishes texts as JSON lines: ``trn.json.gz`` and ``tst.json.gz``. Each
    line is an object with the fields "uid", "title", "content" and "target_ind", a list of label
    indices from 0. Data sets with texts of labels, whose names start with "LF-", also have
    ``lbl.json.gz``, whose line i describes label i.

    The files are decompressed line by line. Only the texts that are returned stay in memory.

    Parameters
    ----------
    path : str, path-like or file-like
        File of the texts: a path, or a file object in binary mode. A path that ends in ".gz",
        ".bz2" or ".xz" is decompressed.
    label_path : str, path-like, file-like or None, default=None
        File of the labels, such as ``lbl.json.gz``. Its number of lines is the number of labels.
    text : str or sequence of str, default=("title", "content")
        Fields of the text. Their texts are joined with spaces. Fields that an object does not have
        are ignored, but it must have one of them.
    n_labels : int or None, default=None
        Number of labels, for data sets without a file of the labels. With None, it is the largest
        label plus 1. For the test file, pass the number of the training file: ``Y.shape[1]``.

    Returns
    -------
    texts : list of str
        Text of each row.
    Y : sparse matrix of shape (n_samples, n_labels)
        CSR indicator, int32, with sorted indices. The field "target_rel", the relevance of each
        label, is not read.
    label_titles : list of str, or None
        Title of each label, in the order of the columns of `Y`. None if `label_path` is None.
        Titles may occur several times.

    Raises
    ------
    ValueError
        If a file is not valid or a label is too large. The message has the file and the line.
    TypeError
        If an argument has a wrong type.

    See Also
    --------
    load_xmc_filter : Load the pairs that are left out of the evaluation of such data sets.
    load_texts : Load any JSON lines, for example the whole text of each label.

    References
    ----------
    .. [1] K. Bhatia et al., "The extreme classification repository: Multi-label datasets and
       code", 2016. http://manikvarma.org/downloads/XC/XMLRepository.html

    Examples
    --------
    >>> import io
    >>> from skxmr.datasets import load_xmc_texts
    >>> rows = io.BytesIO(b'{"uid": "a", "title": "Go", "content": "", "target_ind": [2, 0]}')
    >>> labels = io.BytesIO(b'{"title": "Game"}\\n{"title": "Lake"}\\n{"title": "Board"}')
    >>> texts, Y, label_titles = load_xmc_texts(rows, labels)
    >>> texts
    ['Go']
    >>> Y.toarray()
    array([[1, 0, 1]], dtype=int32)
    >>> label_titles
    ['Game', 'Lake', 'Board']
    """
    fields = check_text_columns(text)
    _check_n_labels(n_labels, label_path)
    label_titles = None
    if label_path is not None:
        label_titles = [
            _join_fields(record, [TITLE], place) for place, record in _read_file(label_path)
        ]
        n_labels = len(label_titles)
    texts, indptr, indices = [], array("q", [0]), make_index_array(n_labels)
    for place, record in _read_file(path):
        texts.append(_join_fields(record, fields, place))
        indices.extend(_read_labels(record, n_labels, place))
        indptr.append(len(indices))
    return XMCTexts(texts, make_indicator(indptr, indices, n_labels), label_titles)


def _check_n_labels(n_labels, label_path):
    if n_labels is None:
        return
    if label_path is not None:
        raise ValueError(f"n_labels must be None if label_path is given; got {n_labels!r}.")
    is_int = isinstance(n_labels, int | np.integer) and not isinstance(n_labels, bool)
    if not (is_int and 0 <= n_labels <= np.iinfo(np.int64).max):
        raise ValueError(f"n_labels must be a nonnegative int or None; got {n_labels!r}.")


def _read_file(path):
    with open_binary(path) as (file, name):
        yield from read_objects(NumberedLines(file, name))


def _join_fields(record, fields, place):
    found = [field for field in fields if field in record]
    if not found:
        raise ValueError(
            f"{place}: the object must have a field of {list_names(fields)}; got the fields "
            f"{list_names(record)}."
        )
    texts = (check_text(record[field], place, field) for field in found)
    return " ".join(text for text in texts if text)


def _read_labels(record, n_labels, place):
    labels = record.get(LABELS)
    if not isinstance(labels, list):
        raise ValueError(
            f"{place}: the object must have a field {LABELS!r} with a list of labels; got "
            f"{shorten(labels)}."
        )
    limit = MAX_DERIVED_SIZE if n_labels is None else n_labels
    for label in labels:
        if type(label) is not int or not 0 <= label < limit:
            raise ValueError(
                f"{place}: labels in {LABELS!r} must be integers of at least 0 and less than "
                f"{limit}; got {shorten(label)}."
            )
    return labels

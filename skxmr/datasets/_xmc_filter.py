"""Load pairs of rows and labels that the Extreme Classification Repository does not evaluate."""

from array import array

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import as_public_csr
from skxmr.datasets._binary_files import NumberedLines, open_binary
from skxmr.datasets._tables import shorten


def load_xmc_filter(path, shape):
    """Load the (row, label) pairs that are left out of an evaluation.

    In data sets of the Extreme Classification Repository [1]_ whose names start with "LF-", a text
    can also be a label. The files ``filter_labels_train.txt`` and ``filter_labels_test.txt`` list
    the pairs of a text and its own label. Each line is ``row label``, with indices from 0.

    Parameters
    ----------
    path : str, path-like, file-like or int
        File to read: a path, a file object in binary mode, or a file descriptor. A path that ends
        in ".gz", ".bz2" or ".xz" is decompressed.
    shape : tuple of (n_samples, n_labels)
        Shape of the indicator of the labels, ``Y.shape``.

    Returns
    -------
    sparse matrix of shape (n_samples, n_labels)
        CSR indicator of the pairs, int32, with sorted indices, for the parameter `ignore` of
        metrics. An empty file has no pairs.

    Raises
    ------
    ValueError
        If a line is not valid, or a row or label is outside of `shape`. The message has the file
        and the line.
    TypeError
        If `path` has an unsupported type or is a file opened in text mode.

    See Also
    --------
    load_xmc_texts : Load the texts of such data sets.
    skxmr.metrics.precision_at_k : Metric with the parameter `ignore`.

    References
    ----------
    .. [1] K. Bhatia et al., "The extreme classification repository: Multi-label datasets and
       code", 2016. http://manikvarma.org/downloads/XC/XMLRepository.html

    Examples
    --------
    >>> import io
    >>> from skxmr.datasets import load_xmc_filter
    >>> from skxmr.metrics import precision_at_k
    >>> ignore = load_xmc_filter(io.BytesIO(b"0 1\\n"), (2, 3))
    >>> ignore.toarray()
    array([[0, 1, 0],
           [0, 0, 0]], dtype=int32)
    >>> y_true, y_score = [[1, 0, 0], [0, 0, 1]], [[0.8, 0.9, 0.1], [0.2, 0.3, 0.4]]
    >>> print(precision_at_k(y_true, y_score, k=1))
    0.5
    >>> print(precision_at_k(y_true, y_score, k=1, ignore=ignore))
    1.0
    """
    shape = _check_shape(shape)
    rows, labels = array("q"), array("q")
    with open_binary(path) as (file, name):
        lines = NumberedLines(file, name)
        for line in lines:
            if line.strip():
                row, label = _parse_pair(line, shape, f"{name}, line {lines.number}")
                rows.append(row)
                labels.append(label)
    pairs = sp.coo_array((np.ones(len(rows), np.int32), (rows, labels)), shape=shape).tocsr()
    pairs.sum_duplicates()
    pairs.data[:] = 1
    return as_public_csr(pairs.indptr, pairs.indices, pairs.data, shape)


def _check_shape(shape):
    is_valid = isinstance(shape, tuple | list) and len(shape) == 2
    if not (is_valid and all(isinstance(n, int | np.integer) and n >= 0 for n in shape)):
        raise ValueError(
            f"shape must be a tuple (n_samples, n_labels) of nonnegative int; got {shape!r}."
        )
    return tuple(map(int, shape))


def _parse_pair(line, shape, place):
    try:
        if b"_" in line:  # int() would accept "1_000".
            raise ValueError
        row, label = map(int, line.split())
    except ValueError:
        shown = shorten(line.decode("utf-8", "backslashreplace").rstrip())
        raise ValueError(f"{place}: line must be 'row label', two integers; got {shown}.") from None
    for name, value, size in zip(("row", "label"), (row, label), shape, strict=True):
        if not 0 <= value < size:
            raise ValueError(
                f"{place}: {name} must be at least 0 and less than {size}; got {value}. "
                "The file must belong to the rows of the given shape."
            )
    return row, label

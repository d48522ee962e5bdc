"""The text format of the Extreme Classification Repository.

scikit-learn's svmlight functions come near it but not all the way: the loader knows no header,
skips rows that have neither labels nor features (the rows after them would move up), gives labels
as floats and errors without a place; the dumper takes 32-bit indices only and writes float32 at
twice the length it needs. So the format, simple as it is, is read and written here.
"""

import bz2
import gzip
import io
import os
import secrets
import shutil
from array import array
from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from skxmr._core.arrays import as_public_csr
from skxmr._core.validation import check_indicator

# All bytes but those that may only stand between numbers ("_" is a digit separator to Python).
_NO_SEPARATOR = bytes(set(range(256)) - set(b": _"))
_ROWS_PER_WRITE = 1000
# Digits that bring back the same number.
_VALUE = {np.dtype(np.float32): "%d:%.9g", np.dtype(np.float64): "%d:%.17g"}


def load_xmc_file(path, *, dtype=np.float32, header=None):
    """Load a data set in the text format of the Extreme Classification Repository.

    The first line says ``n_samples n_features n_labels``; each further line is a row:
    ``label,label,... feature:value feature:value ...``, all numbered from 0. A row without labels
    starts with a space, a row without features ends after its labels. The repository is [1]_.

    Parameters
    ----------
    path : str, path-like, file-like or int
        File to read: a path, decompressed on the fly if it ends in ".gz" or ".bz2", a file
        object in binary mode or a file descriptor, which are left open.

    dtype : {np.float32, np.float64}, default=np.float32
        Type of the values. In float32 a number with more digits is rounded.

    header : tuple of (n_samples, n_features, n_labels) or None, default=None
        For a file without a header line, what that line would say. A part that is None is
        counted: as many rows as lines, as many features and labels as the largest number asks
        for (so a train and a test file may disagree, unless both are told). If None, the first
        line is the header.

    Returns
    -------
    X : sparse matrix of shape (n_samples, n_features)
        CSR of the given dtype, indices sorted.

    Y : sparse matrix of shape (n_samples, n_labels)
        CSR indicator, int32, indices sorted. A label that a row names twice counts once.

    Raises
    ------
    TypeError
        If `path` is nothing that can be read, or is open in text mode.

    ValueError
        If the file is not in the format or not what its header says: the message names the file,
        the line and what was expected there. Also if a value is not finite, or a row gives a
        feature twice.

    See Also
    --------
    dump_xmc_file : Write such a file.
    sklearn.datasets.load_svmlight_file : Files without a header, one label a row or several.

    References
    ----------
    .. [1] K. Bhatia et al., "The extreme classification repository: Multi-label datasets and
       code", 2016. http://manikvarma.org/downloads/XC/XMLRepository.html

    Examples
    --------
    >>> import io
    >>> from skxmr.datasets import load_xmc_file
    >>> X, Y = load_xmc_file(io.BytesIO(b"2 4 3\\n0,2 1:0.5 3:1\\n 0:2\\n"))
    >>> X.toarray()
    array([[0. , 0.5, 0. , 1. ],
           [2. , 0. , 0. , 0. ]], dtype=float32)
    >>> Y.toarray()
    array([[1, 0, 1],
           [0, 0, 0]], dtype=int32)
    """
    dtype = np.dtype(dtype)
    if dtype not in _VALUE:
        raise ValueError(f"dtype must be np.float32 or np.float64; got {dtype}.")
    sizes = (None, None, None) if header is None else _check_header(header)
    with _open(path, "rb") as (file, name):
        number = 0
        try:
            if header is None:
                number = 1
                sizes = _parse_header(file.readline(), name)
            reader = _RowReader(sizes, dtype, name)
            for line in file:
                number += 1
                reader.read(line, number)
        except EOFError as error:
            raise ValueError(f"{name}: the compressed data end after line {number}.") from error
    return reader.finish(first_line=1 if header is not None else 2)


def dump_xmc_file(X, Y, path):
    """Write a data set in the text format of the Extreme Classification Repository.

    What is written loads back as it was: `load_xmc_file` describes the format, values are written
    with as many digits as their type needs (9 for float32, 17 for others).

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features, finite. Stored zeros are written; duplicates are added up.

    Y : {array-like, sparse matrix} of shape (n_samples, n_labels)
        Indicator of 0 and 1.

    path : str, path-like, file-like or int
        File to write: a path, compressed if it ends in ".gz" or ".bz2", a file object in binary
        mode or a file descriptor, which are left open. A path is written beside and then moved
        into place, so that no half-written file is ever found there.

    Raises
    ------
    TypeError
        If `path` is nothing that can be written to, or is open in text mode.

    ValueError
        If `Y` is no indicator, `X` is not finite or their numbers of rows differ.

    See Also
    --------
    load_xmc_file : Read such a file.

    Examples
    --------
    >>> import io
    >>> from skxmr.datasets import dump_xmc_file
    >>> file = io.BytesIO()
    >>> dump_xmc_file([[0, 0.5], [2, 0]], [[1, 1, 0], [0, 0, 0]], file)
    >>> print(file.getvalue().decode())
    2 2 3
    0,1 1:0.5
     0:2
    <BLANKLINE>
    """
    X = check_array(
        X,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        ensure_min_samples=0,
        ensure_min_features=0,
        input_name="X",
    )
    X = sp.csr_array(X)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    Y = Y if sp.issparse(Y) else np.asarray(Y)
    if Y.ndim != 2:
        raise ValueError(f"Y must be an indicator of shape (n_samples, n_labels); got {Y.ndim}-D.")
    if X.shape[0] != Y.shape[0]:
        raise ValueError(f"X has {X.shape[0]} rows and Y {Y.shape[0]}: they must be the same rows.")
    Y = check_indicator(Y, "Y")
    with _open(path, "wb") as (file, _):
        file.write(b"%d %d %d\n" % (*X.shape, Y.shape[1]))
        for start in range(0, X.shape[0], _ROWS_PER_WRITE):
            stop = min(start + _ROWS_PER_WRITE, X.shape[0])
            file.write(_format_rows(X, Y, start, stop).encode("ascii"))


def _format_rows(X, Y, start, stop):
    x_from, x_to = X.indptr[[start, stop]]
    y_from, y_to = Y.indptr[[start, stop]]
    pairs = zip(X.indices[x_from:x_to].tolist(), X.data[x_from:x_to].tolist(), strict=True)
    features = list(map(_VALUE[X.dtype].__mod__, pairs))
    labels = list(map(str, Y.indices[y_from:y_to].tolist()))
    x_bounds = (X.indptr[start : stop + 1] - x_from).tolist()
    y_bounds = (Y.indptr[start : stop + 1] - y_from).tolist()
    return "".join(
        f"{','.join(labels[y_bounds[i] : y_bounds[i + 1]])} "
        f"{' '.join(features[x_bounds[i] : x_bounds[i + 1]])}\n"
        for i in range(stop - start)
    )


def _check_header(header):
    wanted = "header must be None or a tuple (n_samples, n_features, n_labels) of int or None"
    if not isinstance(header, tuple | list) or len(header) != 3:
        raise ValueError(f"{wanted}; got {header!r}.")
    for size in header:
        if size is not None and (not isinstance(size, int | np.integer) or size < 0):
            raise ValueError(f"{wanted}, none of them negative; got {header!r}.")
    return tuple(header)


def _parse_header(line, name):
    try:
        if b"_" in line:
            raise ValueError
        sizes = tuple(map(int, line.split()))
        if len(sizes) != 3 or min(sizes) < 0:
            raise ValueError
    except ValueError:
        shown = line[:60].decode("utf-8", "backslashreplace").rstrip()
        raise ValueError(
            f"{name}, line 1: expected the header 'n_samples n_features n_labels', got {shown!r}. "
            "For a file without a header line pass header=(n_samples, n_features, n_labels); "
            "parts that are not known may be None."
        ) from None
    return sizes


class _RowReader:
    """Collects the rows of a file in compact arrays and checks them against the header."""

    def __init__(self, sizes, dtype, name):
        self.n_samples, self.n_features, self.n_labels = sizes
        self.dtype, self.name = dtype, name
        self.values = array("f" if dtype == np.float32 else "d")
        self.features, self.labels = _index_array(self.n_features), _index_array(self.n_labels)
        self.feature_starts, self.label_starts = array("q", [0]), array("q", [0])

    def read(self, line, number):
        """Take in one line."""
        if len(self.feature_starts) - 1 == self.n_samples:
            if line.strip():
                raise self._error(
                    number, f"the header says {self.n_samples} rows; here is one more"
                )
            return
        first, *pairs = line.split() or [b""]
        if line[:1].isspace() or b":" in first:
            first, pairs = b"", [first, *pairs] if first else pairs
        try:
            labels = list(map(int, first.split(b","))) if first else []
            joined = b" ".join(pairs)
            # Between the numbers of well-formed pairs ":" and " " take turns.
            if joined.translate(None, _NO_SEPARATOR) != b": " * (len(pairs) - 1) + b":" * bool(
                pairs
            ):
                raise ValueError
            numbers = joined.replace(b":", b" ").split()
            features = list(map(int, numbers[0::2]))
            values = list(map(float, numbers[1::2]))
            if len(features) != len(pairs) or len(values) != len(pairs) or b"_" in first:
                raise ValueError
        except ValueError:
            shown = line[:60].decode("utf-8", "backslashreplace").rstrip()
            message = f"expected 'label,label,... feature:value feature:value ...', got {shown!r}"
            raise self._error(number, message) from None
        self._check_range("label", labels, self.n_labels, number)
        self._check_range("feature", features, self.n_features, number)
        self.labels.extend(labels)
        self.features.extend(features)
        self.values.extend(values)
        self.label_starts.append(len(self.labels))
        self.feature_starts.append(len(self.features))

    def finish(self, first_line):
        """Return X and Y; `first_line` is the number of the line that holds the first row."""
        n_read = len(self.feature_starts) - 1
        if self.n_samples is not None and n_read < self.n_samples:
            raise ValueError(
                f"{self.name}: the header says {self.n_samples} rows, but the file ends after "
                f"{n_read}, at line {n_read + first_line - 1}. Is it truncated?"
            )
        X = self._csr(self.feature_starts, self.features, self.values, self.n_features)
        wrong = np.flatnonzero(~np.isfinite(X.data))
        if len(wrong):
            number = np.searchsorted(X.indptr, wrong[0], side="right") - 1 + first_line
            raise self._error(number, f"expected values that are finite in {self.dtype}")
        X.sort_indices()
        repeated = np.flatnonzero(np.diff(X.indices) == 0) + 1
        repeated = repeated[~np.isin(repeated, X.indptr)]  # the next row's first feature may be so
        if len(repeated):
            number = np.searchsorted(X.indptr, repeated[0], side="right") - 1 + first_line
            raise self._error(number, f"feature {X.indices[repeated[0]]} is given twice")
        ones = np.ones(len(self.labels), dtype=np.int32)
        Y = self._csr(self.label_starts, self.labels, ones, self.n_labels)
        Y.sum_duplicates()
        Y.data[:] = 1
        return X, Y

    def _csr(self, starts, indices, data, n_columns):
        indices = np.asarray(indices)
        if n_columns is None:
            n_columns = int(indices.max(initial=-1)) + 1
        return as_public_csr(
            np.asarray(starts), indices, np.asarray(data), (len(starts) - 1, n_columns)
        )

    def _check_range(self, what, numbers, limit, line_number):
        if not numbers:
            return
        limit = np.iinfo(np.int64).max if limit is None else limit
        if min(numbers) < 0 or max(numbers) >= limit:
            wrong = min(numbers) if min(numbers) < 0 else max(numbers)
            message = f"{what} {wrong} is out of range: by the header there are {limit}, from 0"
            raise self._error(line_number, message)

    def _error(self, line_number, message):
        return ValueError(f"{self.name}, line {line_number}: {message}.")


def _index_array(limit):
    return array("i" if limit is not None and limit <= np.iinfo(np.int32).max else "q")


@contextmanager
def _open(path, mode):
    """Open a path, descriptor or file object: yields the file and a name for errors."""
    wanted = "readable" if mode == "rb" else "writable"
    if hasattr(path, "read" if mode == "rb" else "write"):
        if isinstance(path, io.TextIOBase):
            raise TypeError("path is a file opened in text mode; open it in binary mode.")
        yield path, str(getattr(path, "name", path))
    elif isinstance(path, int) and not isinstance(path, bool):
        with open(path, mode, closefd=False) as file:
            yield file, f"file descriptor {path}"
    elif isinstance(path, str | os.PathLike):
        path = os.fsdecode(path)
        with _open_in_place(path) if mode == "wb" else open(path, "rb") as raw:
            if path.endswith(".gz"):
                # Neither name nor time of writing: the same data make the same file.
                with gzip.GzipFile(filename="", mode=mode, fileobj=raw, mtime=0) as file:
                    yield file, path
            elif path.endswith(".bz2"):
                with bz2.BZ2File(raw, mode) as file:
                    yield file, path
            else:
                yield raw, path
    else:
        raise TypeError(
            f"path must be a str, a path, a {wanted} file object in binary mode or a file "
            f"descriptor; got {type(path).__name__}."
        )


@contextmanager
def _open_in_place(path):
    """Open a temporary file beside `path` that takes its place if all goes well."""
    path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path):  # a device or a pipe stays what it is
        with open(path, "wb") as file:
            yield file
        return
    beside = f"{path}.{secrets.token_hex(4)}.tmp"
    try:
        with open(beside, "xb") as file:
            yield file
        if os.path.exists(path):
            shutil.copymode(path, beside)
        os.replace(beside, path)
    except BaseException:
        if os.path.exists(beside):
            os.remove(beside)
        raise

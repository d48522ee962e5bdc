"""The text format of the Extreme Classification Repository.

The svmlight functions of scikit-learn support a similar format, but not this one:

- The loader reads no header, returns labels as floats, and reports errors without a line number. It
  skips rows without labels and features, which would shift all later rows.
- The dumper supports only 32-bit indices, and writes float32 values with twice the digits needed.
"""

from array import array
from bisect import bisect_right
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from skxmr._core.target_containers import read_sparse_frame, read_targets
from skxmr._core.targets import check_indicator
from skxmr.datasets._binary_files import NumberedLines, open_binary, write_binary
from skxmr.datasets._index_arrays import (
    MAX_DERIVED_SIZE,
    make_csr,
    make_index_array,
    make_indicator,
)

# All bytes except for separators. "_" is a digit separator in Python and must not be accepted.
_NON_SEPARATORS = bytes(set(range(256)) - set(b": _"))
_ROWS_PER_WRITE = 1000
_MAX_SHOWN_BYTES = 60  # part of an invalid line that an error message shows
_MAX_SIZE = np.iinfo(np.int64).max  # limit of scipy
_COMMENT = b"#"
_HEADER_ADVICE = (
    " A header line must be 'n_samples n_features n_labels', or 'n_samples n_columns' in a file "
    "without labels."
)
# Formats with enough digits for an exact round trip.
_ENTRY_FORMATS = {np.dtype(np.float32): "%d:%.9g", np.dtype(np.float64): "%d:%.17g"}


def load_xmc_file(path, *, dtype=np.float32, header=None, zero_based=True):
    """Load a data set in the text format of the Extreme Classification Repository.

    The first line is ``n_samples n_features n_labels``. Each further line is a row
    ``label,label,... feature:value feature:value ...``, with indices from 0. A row without labels
    starts with a space. A row without features ends after its labels. See [1]_ for the repository.

    Similar formats are also read:

    - No header line, as in the files of LIBSVM [2]_ and napkinXC [3]_.
    - A header ``n_samples n_columns``. Such a file of the repository has one matrix and no labels,
      for example ``trn_X_Xf.txt`` with features or ``trn_X_Y.txt`` with labels. Use ``X``.
    - Comments, as in svmlight files: the part of a line after "#" is ignored, and a line that
      contains only a comment is not a row.

    Parameters
    ----------
    path : str, path-like, file-like or int
        File to read: a path, a file object in binary mode, or a file descriptor. A path that ends
        in ".gz", ".bz2" or ".xz" is decompressed. File objects and descriptors are not closed.

    dtype : {np.float32, np.float64}, default=np.float32
        Type of the values. With float32, numbers with more digits are rounded.

    header : tuple of (n_samples, n_features, n_labels) or None, default=None
        Sizes of a file without a header line. If None, a first line of two or three integers is
        the header. Without a header line, all sizes are derived from the file.

        A size that is None is derived: the number of lines, without blank lines at the end, or the
        largest index plus 1. The shapes of a training file and a test file may then differ, so
        pass the sizes of the training file for the test file.

    zero_based : bool, default=True
        Whether the indices of features start at 0. With False they start at 1, as in files of
        LIBSVM. Indices of labels always start at 0.

    Returns
    -------
    X : sparse matrix of shape (n_samples, n_features)
        CSR matrix of the given dtype with sorted indices.

    Y : sparse matrix of shape (n_samples, n_labels)
        CSR indicator, int32, with sorted indices. Duplicate labels of a row count once.

    Raises
    ------
    TypeError
        If `path` has an unsupported type or is a file opened in text mode.

    ValueError
        If the file does not have this format or contradicts its header, a value is not finite, or a
        row contains a feature twice. The message has the file name and the line number.

    See Also
    --------
    dump_xmc_file : Write a file in this format.
    sklearn.datasets.load_svmlight_file : Load a file in a similar format.

    References
    ----------
    .. [1] K. Bhatia et al., "The extreme classification repository: Multi-label datasets and
       code", 2016. http://manikvarma.org/downloads/XC/XMLRepository.html
    .. [2] C.-C. Chang and C.-J. Lin, "LIBSVM data: Multi-label classification".
       https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multilabel.html
    .. [3] M. Wydmuch, "napkinXC: LIBSVM data format".
       https://github.com/mwydmuch/napkinXC/blob/master/docs/exe_usage.rst

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
    if dtype not in _ENTRY_FORMATS:
        raise ValueError(f"dtype must be np.float32 or np.float64; got {dtype}.")
    if not isinstance(zero_based, bool | np.bool_):
        raise TypeError(f"zero_based must be True or False; got {zero_based!r}.")
    sizes = None if header is None else _check_header(header)
    first_feature = 0 if zero_based else 1
    with open_binary(path) as (file, name):
        lines = NumberedLines(file, name)
        rows = iter(lines)
        if sizes is not None:
            reader = _RowReader(sizes, dtype, first_feature, name, first_line=1)
        else:
            first = _find_first_line(rows, name)
            sizes = _parse_header(first, name, lines.number)
            reader = _RowReader(
                sizes or _Sizes(None, None, None),
                dtype,
                first_feature,
                name,
                first_line=lines.number + (sizes is not None),
            )
            if sizes is None:
                reader.read(first, lines.number, advice=_HEADER_ADVICE)
        for line in rows:
            reader.read(line, lines.number)
    return reader.finish()


def dump_xmc_file(X, Y, path):
    """Write a data set in the text format of the Extreme Classification Repository.

    `load_xmc_file` describes the format and restores exactly the same data. Values are written with
    the number of digits that their type needs (9 for float32, 17 for all others).

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features with finite values. Stored zeros are written, duplicates are summed.

    Y : {array-like, sparse matrix} of shape (n_samples, n_labels)
        Indicator of 0 and 1.

    path : str, path-like, file-like or int
        File to write: a path, a file object in binary mode, or a file descriptor. A path that ends
        in ".gz", ".bz2" or ".xz" is compressed. File objects and descriptors are not closed. A path
        is written to a temporary file that is renamed at the end, so the path never contains an
        incomplete file.

    Raises
    ------
    TypeError
        If `path` has an unsupported type or is a file opened in text mode.

    ValueError
        If `Y` is not an indicator, `X` is not finite, or their numbers of rows differ.

    See Also
    --------
    load_xmc_file : Read a file in this format.

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
        read_sparse_frame(X),
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
    Y = read_targets(Y, "Y")
    if X.shape[0] != Y.shape[0]:
        raise ValueError(
            f"X and Y must have the same number of rows; got {X.shape[0]} and {Y.shape[0]}."
        )
    Y = check_indicator(Y, "Y")

    def write(file):
        file.write(b"%d %d %d\n" % (*X.shape, Y.shape[1]))
        for start in range(0, X.shape[0], _ROWS_PER_WRITE):
            stop = min(start + _ROWS_PER_WRITE, X.shape[0])
            file.write(_format_rows(X, Y, start, stop).encode("ascii"))

    write_binary(path, write)


def _format_rows(X, Y, start, stop):
    x_start, x_stop = X.indptr[[start, stop]]
    y_start, y_stop = Y.indptr[[start, stop]]
    pairs = zip(X.indices[x_start:x_stop].tolist(), X.data[x_start:x_stop].tolist(), strict=True)
    features = list(map(_ENTRY_FORMATS[X.dtype].__mod__, pairs))
    labels = list(map(str, Y.indices[y_start:y_stop].tolist()))
    x_bounds = (X.indptr[start : stop + 1] - x_start).tolist()
    y_bounds = (Y.indptr[start : stop + 1] - y_start).tolist()
    return "".join(
        f"{','.join(labels[y_bounds[i] : y_bounds[i + 1]])} "
        f"{' '.join(features[x_bounds[i] : x_bounds[i + 1]])}\n"
        for i in range(stop - start)
    )


class _Sizes(NamedTuple):
    """Contents of the header; None if a size is not known."""

    n_samples: int | None
    n_features: int | None
    n_labels: int | None


def _check_header(header):
    is_valid = isinstance(header, tuple | list) and len(header) == 3
    if is_valid:
        is_valid = all(
            size is None or (isinstance(size, int | np.integer) and 0 <= size <= _MAX_SIZE)
            for size in header
        )
    if not is_valid:
        raise ValueError(
            "header must be None or a tuple (n_samples, n_features, n_labels) of nonnegative int "
            f"or None; got {header!r}."
        )
    return _Sizes(*header)


def _find_first_line(rows, name):
    for line in rows:
        if not line.lstrip().startswith(_COMMENT):
            return line
    raise ValueError(
        f"{name} must have a header line 'n_samples n_features n_labels' or a row; got no line."
    )


def _parse_header(line, name, number):
    """Return the sizes in a header; None if the line is not a header."""
    fields = line.partition(_COMMENT)[0].split()
    if len(fields) not in (2, 3) or not all(field.isdigit() for field in fields):
        return None
    # No size has more digits. int() would refuse thousands of digits.
    sizes = [int(field) if len(field) < 20 else _MAX_SIZE + 1 for field in fields]
    if max(sizes) > _MAX_SIZE:
        raise ValueError(
            f"{name}, line {number}: sizes in the header must be at most {_MAX_SIZE}; got "
            f"{_show_line(line)!r}."
        )
    return _Sizes(*sizes) if len(sizes) == 3 else _Sizes(*sizes, 0)


def _show_line(line):
    text = line[:_MAX_SHOWN_BYTES].decode("utf-8", "backslashreplace").rstrip()
    return text + "..." * (len(line) > _MAX_SHOWN_BYTES)


class _RowReader:
    """Collects the rows of a file in compact arrays and checks them against the header."""

    def __init__(self, sizes, dtype, first_feature, name, first_line):
        self.sizes, self.dtype, self.name = sizes, dtype, name
        self.first_feature = first_feature  # index of the first column in the file
        self.first_line = first_line  # number of the line of the first row
        self.values = array("f" if dtype == np.float32 else "d")
        self.features, self.labels = (
            make_index_array(sizes.n_features),
            make_index_array(sizes.n_labels),
        )
        self.feature_indptr, self.label_indptr = array("q", [0]), array("q", [0])
        self.n_blank_lines = 0  # without a row after them, if the number of rows is unknown
        self.rows_of_comments = array("q")  # row after each line that is a comment

    def read(self, line, line_number, advice=""):
        """Read one line; `advice` is a sentence for the error of an invalid row."""
        if _COMMENT in line:
            line = line.partition(_COMMENT)[0]
            if not line.strip():
                self.rows_of_comments.append(len(self.feature_indptr) - 1 + self.n_blank_lines)
                return
        if self.sizes.n_samples is None:
            if not line.strip():
                self.n_blank_lines += 1
                return
            # Blank lines before a row are rows without labels and features.
            self.label_indptr.extend([len(self.labels)] * self.n_blank_lines)
            self.feature_indptr.extend([len(self.features)] * self.n_blank_lines)
            self.n_blank_lines = 0
        if len(self.feature_indptr) - 1 == self.sizes.n_samples:
            if line.strip():
                limit = self.sizes.n_samples
                message = f"number of rows must be {limit}, as in the header; got another row"
                raise self._error(line_number, message)
            return
        first, *pairs = line.split() or [b""]
        if line[:1].isspace() or b":" in first:
            first, pairs = b"", [first, *pairs] if first else pairs
        try:
            labels = list(map(int, first.split(b","))) if first else []
            joined = b" ".join(pairs)
            # In well-formed pairs, the separators ":" and " " alternate.
            separators = joined.translate(None, _NON_SEPARATORS)
            if separators != b": " * (len(pairs) - 1) + b":" * bool(pairs):
                raise ValueError
            numbers = joined.replace(b":", b" ").split()
            features = list(map(int, numbers[0::2]))
            values = list(map(float, numbers[1::2]))
            if len(features) != len(pairs) or len(values) != len(pairs):
                raise ValueError
            if b"_" in first:  # int() would accept "1_000".
                raise ValueError
        except ValueError:
            message = (
                "row must be 'label,label,... feature:value feature:value ...'; got "
                f"{_show_line(line)!r}"
            )
            raise self._error(line_number, message, advice) from None
        self._check_range("label", labels, self.sizes.n_labels, 0, line_number)
        self._check_range(
            "feature", features, self.sizes.n_features, self.first_feature, line_number
        )
        if self.first_feature:
            features = [feature - self.first_feature for feature in features]
        self.labels.extend(labels)
        self.features.extend(features)
        self.values.extend(values)
        self.label_indptr.append(len(self.labels))
        self.feature_indptr.append(len(self.features))

    def finish(self):
        """Return X and Y."""
        n_samples, n_read = self.sizes.n_samples, len(self.feature_indptr) - 1
        if n_samples is not None and n_read < n_samples:
            raise ValueError(
                f"{self.name}: number of rows must be {n_samples}, as in the header; got {n_read}, "
                f"up to line {self._find_line(n_read - 1)}. The file may be truncated."
            )
        X = make_csr(self.feature_indptr, self.features, self.values, self.sizes.n_features)
        not_finite = np.flatnonzero(~np.isfinite(X.data))
        if len(not_finite):
            message = f"values must be finite in {self.dtype}; got {X.data[not_finite[0]]}"
            raise self._error(self._find_line_of_entry(X, not_finite[0]), message)
        X.sort_indices()
        repeated = np.flatnonzero(np.diff(X.indices) == 0) + 1
        # The first feature of a row may be equal to the last feature of the previous row.
        repeated = repeated[~np.isin(repeated, X.indptr)]
        if len(repeated):
            feature = X.indices[repeated[0]] + self.first_feature
            message = f"features must be distinct; got feature {feature} twice"
            raise self._error(self._find_line_of_entry(X, repeated[0]), message)
        return X, make_indicator(self.label_indptr, self.labels, self.sizes.n_labels)

    def _check_range(self, kind, indices, size, start, line_number):
        if not indices:
            return
        limit = start + (MAX_DERIVED_SIZE if size is None else size)
        if min(indices) < start or max(indices) >= limit:
            invalid = min(indices) if min(indices) < start else max(indices)
            if size == 0:
                message = f"row must have no {kind}s, as in the header; got {kind} {invalid}"
            else:
                message = f"{kind} must be at least {start} and less than {limit}; got {invalid}"
            raise self._error(line_number, message)

    def _find_line(self, row):
        return row + self.first_line + bisect_right(self.rows_of_comments, row)

    def _find_line_of_entry(self, X, entry):
        return self._find_line(int(np.searchsorted(X.indptr, entry, side="right")) - 1)

    def _error(self, line_number, message, advice=""):
        return ValueError(f"{self.name}, line {line_number}: {message}.{advice}")

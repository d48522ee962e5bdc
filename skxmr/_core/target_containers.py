"""Read targets of every container as an ndarray or a CSR matrix.

All public functions that take `y` call `read_targets` first: it converts pandas, polars and Arrow
containers, lists, tensors and sparse matrices.
"""

import sys

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import check_sparse_arrays, csr_of, offsets_of

# How messages tell the user to convert labels.
BINARIZER = "MultiLabelBinarizer(sparse_output=True)"
# Types of single labels that numpy reads as a number.
_NUMBERS = (bool, int, float, np.bool_, np.integer, np.floating)


def read_targets(y, name="y"):
    """Return targets of any container as an array or a CSR matrix.

    Parameters
    ----------
    y : array-like, sparse matrix, DataFrame or Series
        Targets in any container; never modified. A frame with at least one sparse column is read as
        a sparse matrix.
    name : str
        Name of the argument in error messages.

    Returns
    -------
    ndarray of 1 or 2 dimensions, csr_array or csr_matrix
        Values without conversion if possible. Objects that are all numbers are converted to a
        numeric dtype. A sparse matrix keeps its stored zeros and duplicate entries. Lists, sets or
        arrays of labels per row become a 1-D array of tuples; see `holds_names`.

    Raises
    ------
    ValueError
        If `y` is not an array, for example a dict; if a value is missing; or if `y` has classes of
        several types, labels and lists of labels, or more than two dimensions.
    """
    if sp.issparse(y):
        Y = _read_sparse(y, name)
    elif _is_pandas(y, "DataFrame"):
        Y = _read_frame(y, name)
    else:
        Y = _read_array(y, name)
    values = Y.data if sp.issparse(Y) else Y
    missing = _find_missing(values)
    if missing is not None:
        if sp.issparse(Y):
            row = np.searchsorted(Y.indptr, missing, side="right") - 1
        else:
            row = np.unravel_index(missing, Y.shape)[0]
        value = values.flat[missing]
        value = "NaN" if isinstance(value, (float, np.floating)) else value
        advice = ""
        if values.dtype.kind == "O" and any(map(_is_collection, values.flat)):
            advice = " Use an empty list for a row without labels."
        raise ValueError(f"{name} must have no missing values; got {value} in row {row}.{advice}")
    if not sp.issparse(Y) and Y.dtype.kind == "O":
        return _convert_objects(Y, name)
    return Y


def find_column_names(y, name="y"):
    """Return the names of the labels of an indicator in a data frame.

    Parameters
    ----------
    y : object
        Targets in any container.
    name : str
        Name of the argument in error messages.

    Returns
    -------
    ndarray of str of shape (n_columns,), or None
        Names of the columns of a data frame of pandas or polars. None for any other container, and
        if a name is not a str.

    Raises
    ------
    ValueError
        If two columns have the same name.
    """
    columns = getattr(y, "columns", None)
    columns = [] if columns is None else list(columns)
    if not columns or not all(isinstance(column, str) for column in columns):
        return None
    if len(set(columns)) < len(columns):
        repeated = next(column for column in columns if columns.count(column) > 1)
        raise ValueError(
            f"{name} must have columns with different names, which are the names of the labels; "
            f"got {repeated!r} twice. Rename a column, or pass {name}.to_numpy()."
        )
    names = np.empty(len(columns), dtype=object)
    names[:] = columns
    return names


def holds_names(y):
    """Return whether a result of `read_targets` has a tuple of labels per row."""
    is_vector = isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind == "O"
    return is_vector and len(y) > 0 and type(y[0]) is tuple


def read_label_matrix(y, name="y"):
    """Return the result of `read_targets`; raise a ValueError if it has no column per label."""
    y = read_targets(y, name)
    if holds_names(y):
        raise ValueError(
            f"{name} must be an indicator of 0 and 1, because the order of the labels is not known "
            f"here; got a list of labels per row. Convert it with {BINARIZER}."
        )
    if y.ndim != 2:
        raise ValueError(
            f"{name} must be an indicator of shape (n_samples, n_labels); got shape {y.shape}."
        )
    return y


def read_sparse_frame(values, name="X"):
    """Return a frame with sparse columns as a CSR matrix, and any other value unchanged.

    numpy converts such a frame to a dense array, and so does scikit-learn if one column is dense.
    """
    if _is_pandas(values, "DataFrame") and any(map(_is_sparse_dtype, values.dtypes)):
        return _read_sparse_columns(values, name)
    return values


def _is_pandas(values, *classes):
    # pandas is optional: if it is not imported, the values are not of its types.
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(values, tuple(getattr(pandas, c) for c in classes))


def _is_sparse_dtype(dtype):
    return isinstance(dtype, sys.modules["pandas"].SparseDtype)


def _read_sparse(Y, name):
    if Y.ndim != 2:
        raise ValueError(
            f"{name} must have the shape (n_samples, n_labels) if it is sparse; got shape "
            f"{Y.shape}."
        )
    check_sparse_arrays(Y)
    if Y.format != "coo":
        return Y.tocsr()
    # Not `tocsr`, which would sum duplicate entries: those of an indicator count once.
    rows, columns = Y.coords
    order = np.argsort(rows, kind="stable")
    indptr = offsets_of(np.bincount(rows, minlength=Y.shape[0]))
    container = sp.csr_array if isinstance(Y, sp.sparray) else sp.csr_matrix
    C = csr_of(indptr, columns[order], Y.data[order], Y.shape, container)
    C.check_format(full_check=True)
    return C


def _read_frame(frame, name):
    dtypes = list(frame.dtypes)
    if any(map(_is_sparse_dtype, dtypes)):
        return _read_sparse_columns(frame, name)
    if all(isinstance(dtype, np.dtype) for dtype in dtypes) and len(set(dtypes)) < 2:
        return frame.to_numpy()
    return np.column_stack([_read_column(column) for _, column in frame.items()])


def _read_sparse_columns(frame, name):
    rows, values = [], []
    for label, column in frame.items():
        array = column.array
        if _is_sparse_dtype(column.dtype) and array.fill_value == 0:  # false for NaN
            rows.append(array.sp_index.to_int_index().indices)
            values.append(array.sp_values)
        else:
            dense = _read_column(column)
            if dense.dtype.kind not in "biuf":
                raise ValueError(
                    f"{name} must have numeric columns if a column is sparse; got dtype "
                    f"{column.dtype} in column {label!r}."
                )
            rows.append(np.flatnonzero(dense))
            values.append(dense[rows[-1]])
    indptr = offsets_of([len(column) for column in rows])
    arrays = (np.concatenate(values), np.concatenate(rows), indptr)
    return sp.csc_matrix(arrays, shape=frame.shape).tocsr()


def _read_column(column):
    # A nullable column has the dtype object or float64 in numpy, even without missing values.
    numpy_dtype = getattr(column.dtype, "numpy_dtype", None)
    if numpy_dtype is not None and numpy_dtype.kind in "biuf" and not column.hasnans:
        return column.to_numpy(dtype=numpy_dtype)
    return np.asarray(column)


def _read_array(y, name):
    if isinstance(y, (list, tuple)) and _has_label_lists(y):
        return _collect_labels(y, name)
    values = _read_column(y) if _is_pandas(y, "Series", "Index") else np.asarray(y)
    if isinstance(y, (list, tuple)) and values.ndim == 1 and values.dtype.kind in "SU":
        types = set(map(type, y))
        # numpy converts other values in a list of strings to strings, even NaN.
        is_mixed = not all(issubclass(cls, (str, bytes)) for cls in types)
        values = np.array(y, dtype=object) if is_mixed else values
    if np.ma.is_masked(y) or values.dtype.kind == "T":  # "T": strings of variable length
        values = values.astype(object)
        values[np.ma.getmaskarray(y)] = None
    if values.ndim == 0:
        raise ValueError(
            f"{name} must be an array, list, frame or sparse matrix with one entry per row; got "
            f"{type(y).__name__}."
        )
    if values.ndim > 2:
        raise ValueError(f"{name} must have 1 or 2 dimensions; got shape {values.shape}.")
    return values


def _is_collection(value):
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        return True
    return hasattr(value, "__array__") and getattr(value, "ndim", 1) > 0


def _has_label_lists(y):
    # Whether a list contains a list or set of labels per row. Lists of numbers that are equally
    # long are rows of an indicator.
    rows = [row for row in y if _is_collection(row)]
    return (
        len({len(row) for row in rows}) > 1
        or any(isinstance(row, (set, frozenset, dict)) for row in rows)
        or bool(rows and len(rows) < len(y))
        or any(map(_has_strings, rows))
    )


def _collect_labels(rows, name):
    # An array with a tuple of labels per row.
    collected = np.empty(len(rows), dtype=object)
    for number, row in enumerate(rows):
        if not _is_collection(row) or isinstance(row, dict) or getattr(row, "ndim", 1) != 1:
            raise ValueError(
                f"{name} must have a list, tuple, set or array of labels in each row; got {row!r} "
                f"in row {number}."
            )
        collected[number] = tuple(row.tolist() if hasattr(row, "tolist") else row)
    return collected


def _has_strings(row):
    if isinstance(row, np.ndarray) and row.dtype.kind != "O":
        return row.dtype.kind in "SU"
    return any(isinstance(value, str) for value in row)


def _is_missing(value):
    # NA and NaT are of pandas, which is optional.
    is_nan = isinstance(value, (float, np.floating)) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _find_missing(values):
    """Return the index of the first missing value in C order, or None."""
    if values.dtype.kind == "f":
        is_missing = np.isnan(values)
        return int(is_missing.argmax()) if is_missing.any() else None
    if values.dtype.kind == "O" and set(map(type, values.flat)) != {str}:
        return next((i for i, value in enumerate(values.flat) if _is_missing(value)), None)
    return None


def _convert_objects(values, name):
    """Return an array of objects with a numeric dtype if all are numbers."""
    objects = values.ravel().tolist()
    types = set(map(type, objects))
    if all(issubclass(cls, _NUMBERS) for cls in types):
        return np.array(objects).reshape(values.shape)
    if values.ndim == 1 and any(map(_is_collection, objects)):
        return _collect_labels(objects, name)
    is_string = [issubclass(cls, str) for cls in types]
    if values.ndim == 1 and any(is_string) and not all(is_string):
        names = " and ".join(sorted(cls.__name__ for cls in types))
        raise ValueError(
            f"{name} must have classes of one type; got {names}. Convert all classes to str."
        )
    return values

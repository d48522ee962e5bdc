"""Dense rows in other containers than matrices: tensors, and columns with a row per entry."""

import sys

import numpy as np

CPU = 1  # device type of the main memory in DLPack


def read_dense_container(X, name):
    """Return tensors, and columns with one row of numbers per entry, as an ndarray.

    Nothing is copied if possible.

    Parameters
    ----------
    X : object
        Rows in any container.
    name : str
        Name of the rows in error messages.

    Returns
    -------
    object
        An ndarray for a tensor, for another array with DLPack, and for a column of lists or arrays
        of Arrow, polars, pandas or numpy; otherwise `X`.

    Raises
    ------
    ValueError
        If a tensor is not in the main memory, or numpy cannot read it; or if rows are missing or
        have different lengths.
    """
    package = type(X).__module__.partition(".")[0]
    if package == "pyarrow" and hasattr(X, "type"):
        return _read_arrow(X, name)
    if package == "polars" and hasattr(X, "to_frame"):
        return _read_polars(X, name)
    if hasattr(X, "__dlpack__") and not isinstance(X, np.ndarray):
        return _read_dlpack(X, name)
    if isinstance(X, list):
        if X and _is_row(X[0]):
            _check_rows(X, name)
        return X
    if package == "pandas" and getattr(X, "ndim", 0) == 2 and X.shape[1] == 1:
        return _stack_rows(X.iloc[:, 0], name, X)
    is_column = getattr(X, "ndim", 0) == 1 or (isinstance(X, np.ndarray) and X.shape[1:] == (1,))
    return _stack_rows(X, name, X) if is_column else X


def _read_dlpack(X, name):
    if X.__dlpack_device__()[0] != CPU:
        raise ValueError(
            f"{name} must be in the main memory; got a {type(X).__name__} on another device. Copy "
            f"it, for example with {name}.cpu()."
        )
    if getattr(X, "requires_grad", False):
        raise ValueError(f"{name} must not require gradients; pass {name}.detach().")
    try:
        return np.from_dlpack(X)
    except (BufferError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"{name} must be a tensor that numpy can read; got dtype {X.dtype}. Convert it, for "
            f"example with {name}.float()."
        ) from error


def _read_arrow(X, name):
    pa = sys.modules["pyarrow"]  # imported, because X is one of its objects
    if hasattr(X, "combine_chunks"):  # ChunkedArray
        X = X.combine_chunks()
    if isinstance(X, pa.ChunkedArray):  # older versions keep no chunk and several chunks
        X = pa.concat_arrays(X.chunks) if X.num_chunks else pa.array([], X.type.value_type)
    kinds = (pa.FixedSizeListArray, pa.ListArray, pa.LargeListArray)
    if not isinstance(X, kinds):
        raise ValueError(f"{name} must be a column of lists of numbers; got {X.type}.")
    values = X.flatten()
    has_lengths = not isinstance(X, pa.FixedSizeListArray)
    n_lengths = len(np.unique(X.value_lengths())) if has_lengths else 1
    _check_lists(X.null_count + values.null_count, n_lengths, name)
    width = len(values) // len(X) if len(X) else 0
    return values.to_numpy(zero_copy_only=False).reshape(len(X), width)


def _read_polars(X, name):
    # A series. Types are compared by name, because polars is optional.
    kind = type(X.dtype).__name__
    if kind not in ("Array", "List"):
        return X
    values = X.explode() if len(X) else X
    n_lengths = X.list.len().n_unique() if kind == "List" else 1
    _check_lists(X.null_count() + values.null_count(), n_lengths, name)
    return values.to_numpy().reshape(len(X), -1) if len(X) else np.empty((0, 0))


def _check_lists(n_nulls, n_lengths, name):
    if n_nulls:
        raise ValueError(f"{name} must not contain missing values; got nulls.")
    if n_lengths > 1:
        raise ValueError(f"{name} must have rows of equal length; got lists of different lengths.")


def _is_row(value):
    return isinstance(value, (list, tuple, np.ndarray))


def _check_rows(rows, name):
    for position, row in enumerate(rows):
        if not _is_row(row):
            raise ValueError(
                f"{name} must have a row of numbers in each entry; got {row!r} at position "
                f"{position}."
            )
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise ValueError(
            f"{name} must have rows of equal length; got lengths from {min(lengths)} to "
            f"{max(lengths)}."
        )


def _stack_rows(column, name, X):
    # Return the rows of a column of objects as a matrix, or X if these are not rows.
    if getattr(getattr(column, "dtype", None), "kind", None) != "O":
        return X
    rows = np.asarray(column).ravel().tolist()
    if not any(map(_is_row, rows[:1000])):
        return X
    _check_rows(rows, name)
    return np.stack(rows)

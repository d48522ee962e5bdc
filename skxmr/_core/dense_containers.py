"""Dense rows in containers other than numpy's: tensors, array-API arrays and columns of Arrow."""

import sys

import numpy as np

CPU = 1  # device type of the main memory in DLPack


def read_dense_container(X, name):
    """Return tensors and columns of Arrow as an ndarray, without a copy if possible.

    Parameters
    ----------
    X : object
        Rows in any container.
    name : str
        Name of the rows in error messages.

    Returns
    -------
    object
        An ndarray for a tensor, for another array with DLPack, and for a column of lists of Arrow;
        otherwise `X`.

    Raises
    ------
    ValueError
        If a tensor is not in the main memory, or numpy cannot read it; or if lists are missing or
        have different lengths.
    """
    if type(X).__module__.partition(".")[0] == "pyarrow" and hasattr(X, "type"):
        return _read_arrow(X, name)
    if hasattr(X, "__dlpack__") and not isinstance(X, np.ndarray):
        return _read_dlpack(X, name)
    _check_is_no_column_of_rows(X, name)
    return X


def _read_dlpack(X, name):
    if X.__dlpack_device__()[0] != CPU:
        raise ValueError(
            f"{name} must be in the main memory; got a {type(X).__name__} on another device. Copy "
            f"it, for example with {name}.cpu()."
        )
    try:
        return np.from_dlpack(X)
    except (BufferError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"{name} must be a tensor that numpy can read; got dtype {X.dtype}. Convert it, for "
            f"example with {name}.detach().float()."
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
    if X.null_count or values.null_count:
        raise ValueError(f"{name} must not contain missing values; got nulls.")
    if not isinstance(X, pa.FixedSizeListArray) and len(np.unique(X.value_lengths())) > 1:
        raise ValueError(f"{name} must have rows of equal length; got lists of different lengths.")
    width = len(values) // len(X) if len(X) else 0
    return values.to_numpy(zero_copy_only=False).reshape(len(X), width)


def _check_is_no_column_of_rows(X, name):
    # A column of a data frame, or a list, with one array per row.
    dtype = getattr(X, "dtype", None)
    is_column = getattr(dtype, "kind", None) == "O" and getattr(X, "ndim", 0) == 1
    rows = X if isinstance(X, list) else list(X[:1]) if is_column else []
    if rows and isinstance(rows[0], (list, tuple, np.ndarray)):
        lengths = {len(row) for row in rows if hasattr(row, "__len__")}
        if len(lengths) > 1:
            raise ValueError(
                f"{name} must have rows of equal length; got lengths from {min(lengths)} to "
                f"{max(lengths)}."
            )
        if is_column:
            raise ValueError(f"{name} must be 2-D; got a column of arrays. Use np.stack({name}).")

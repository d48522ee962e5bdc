"""What is checked once, at the edge of the estimators, so that kernels can trust their arrays."""

import copy
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from skxmr._core.arrays import as_public_csr  # noqa: F401
from skxmr._core.csr import row_is_canonical
from skxmr._core.rows import as_rows as as_row_arrays  # noqa: F401

# Children are numbered, and counted, inside their parent in 16 bits.
MAX_CHILDREN = 2**16 - 1
MAX_SEED = 2**31 - 1
# Of costs and weights of errors: their products stay inside float32.
MAX_COST = 1e9
# What X may keep; kernels see float32, but a sum of duplicates is still made in float64.
FLOATS = [np.float64, np.float32]


def as_candidates(candidates, shape):
    """Return a pattern of (row, label) as the arrays of a canonical CSR matrix.

    Parameters
    ----------
    candidates : sparse matrix or array-like
        Stored entries, or what is not 0 in an array; never modified.
    shape : tuple
        What its shape must be.

    Returns
    -------
    indptr : ndarray of shape (n_rows + 1,), int64
        Entries of each row.
    labels : ndarray of int32
        Their columns, rising in each row.

    Raises
    ------
    ValueError
        If the shape is another, or an index is out of range.
    """
    if not sp.issparse(candidates):
        candidates = np.asarray(candidates)
    if candidates.shape != shape:
        raise ValueError(
            f"candidates must have the shape {shape}, a row for each row of X and a column for "
            f"each label; got {candidates.shape}."
        )
    if not sp.issparse(candidates):
        candidates = sp.csr_array(candidates != 0)
    if candidates.format in ("csr", "csc"):
        candidates.check_format(full_check=True)
    coo = candidates.tocoo()
    C = sp.csr_array((np.ones(coo.nnz, dtype=np.int8), coo.coords), shape=shape)
    C.sum_duplicates()
    return C.indptr.astype(np.int64), C.indices.astype(np.int32, copy=False)


def validate_fit_data(estimator, *args, **kwargs):
    """Validate the data of a fit without leaving a trace in the estimator if it is refused.

    Parameters
    ----------
    estimator : estimator
        Left as it is.
    *args, **kwargs
        What `sklearn.utils.validation.validate_data` takes after the estimator.

    Returns
    -------
    data : ndarray, sparse matrix or tuple of them
        What `validate_data` returns.
    seen : dict
        The attributes that say what the data looked like, `n_features_in_` and, if it had names,
        `feature_names_in_`: for `set_seen`, once the fit is done.

    Raises
    ------
    ValueError
        If a target is a collection of labels for each row, or `validate_data` refuses the data.
    """
    if len(args) > 1:
        refuse_label_collections(args[1])
    probe = copy.copy(estimator)
    data = validate_data(probe, *args, **kwargs)
    return data, {name: vars(probe)[name] for name in _SEEN if name in vars(probe)}


def refuse_label_collections(y):
    """Refuse a list or set of labels for each row, which numpy and scikit-learn do not explain.

    Parameters
    ----------
    y : object
        Targets as the user gave them.

    Raises
    ------
    ValueError
        If a row is a set, or rows are lists that differ in length or hold several strings.
    """
    is_array = getattr(y, "ndim", 0) == 1 and getattr(y.dtype, "kind", None) == "O"
    if not is_array and not isinstance(y, (list, tuple)):
        return
    rows = [row for row in y if isinstance(row, (list, tuple, set, frozenset))]
    lengths = {len(row) for row in rows}
    if (
        len(lengths) > 1
        or any(isinstance(row, (set, frozenset)) for row in rows)
        or (lengths and lengths != {1} and any(isinstance(x, str) for row in rows for x in row))
    ):
        raise ValueError(
            "y must be an indicator of 0 and 1, or one class a row; got a list or set of labels "
            "for each row. MultiLabelBinarizer(sparse_output=True).fit_transform(y) makes an "
            "indicator of it."
        )


def set_seen(estimator, seen):
    """Set what `validate_fit_data` saw, and forget what an earlier fit had seen."""
    for name in _SEEN:
        vars(estimator).pop(name, None)
    vars(estimator).update(seen)


_SEEN = ("n_features_in_", "feature_names_in_")


def is_plain_row(X, n_columns):
    """Whether X is one float32 CSR row that kernels can read as it is.

    The full validation of an array takes 200 microseconds, longer than a search; this takes one.
    """
    return (
        isinstance(X, (sp.csr_matrix, sp.csr_array))
        and X.shape == (1, n_columns)
        and X.data.dtype == np.float32
        and X.indices.dtype == np.int32
        and X.indptr[-1] == len(X.data)
        and X.data.flags.c_contiguous
        and X.indices.flags.c_contiguous
        and row_is_canonical(X.indices, X.data, n_columns)
    )


def check_indicator(y, name="y"):
    """Return a 0/1 indicator as CSR, canonical and without stored zeros.

    Parameters
    ----------
    y : sparse matrix or ndarray of shape (n_samples, n_labels)
        Bool, integer or floating; never modified. Duplicates count once if they say the same.
    name : str
        What to call it in errors.

    Returns
    -------
    Y : csr_array of shape (n_samples, n_labels)
        int8 ones, int32 indices.

    Raises
    ------
    ValueError
        If a value is neither 0 nor 1, or there are no labels.
    """
    if y.ndim != 2:
        raise ValueError(f"{name} must be 2-D if it is sparse; got {y.ndim}-D.")
    if y.shape[1] == 0:
        raise ValueError(f"{name} has 0 labels (shape={y.shape}) while a minimum of 1 is required.")
    if y.shape[1] > np.iinfo(np.int32).max:
        raise ValueError(f"{name} has {y.shape[1]} labels; at most 2147483647 are supported.")
    values = y.data if sp.issparse(y) else y
    if values.dtype.kind not in "buif":
        raise ValueError(
            f"{name} must be an indicator of 0 and 1, bool, integer or floating; "
            f"got dtype {values.dtype}."
        )
    wrong = values[(values != 0) & (values != 1)]
    if wrong.size:
        raise ValueError(
            f"{name} must be an indicator of 0 and 1; got the value {wrong.flat[0]!r}."
        )
    if sp.issparse(y):
        y.check_format(full_check=True) if y.format in ("csr", "csc") else None
        Y = y.tocoo()
        keep = Y.data != 0
        row, col = Y.coords[0][keep], Y.coords[1][keep]
        Y = sp.csr_array((np.ones(len(row), dtype=np.int8), (row, col)), shape=y.shape)
        Y.sum_duplicates()
        Y.data[:] = 1
    else:
        Y = sp.csr_array(y != 0).astype(np.int8)
    Y.indices = Y.indices.astype(np.int32, copy=False)
    return Y


def check_targets(y):
    """Tell classes from indicators and return both as an indicator.

    Parameters
    ----------
    y : ndarray or sparse matrix
        One class a row (1-D or one dense column), or a 0/1 indicator of shape (n_samples,
        n_labels), already free of values that are not finite.

    Returns
    -------
    Y : csr_array of shape (n_samples, n_classes)
        As `check_indicator` gives it.
    classes : ndarray of shape (n_classes,)
        Sorted classes, or the column numbers of an indicator.
    kind : {"classes", "sparse", "dense"}
        What `y` was.
    dtype : dtype
        Type of `y`, and so of predictions.

    Raises
    ------
    ValueError
        If `y` is neither.
    """
    if sp.issparse(y):
        return check_indicator(y), np.arange(y.shape[1]), "sparse", y.dtype
    if y.ndim == 2 and y.shape[1] > 1:
        return check_indicator(y), np.arange(y.shape[1]), "dense", y.dtype
    if y.ndim == 2:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected: it is read as one class "
            "a row. Pass a sparse matrix for an indicator of a single label.",
            DataConversionWarning,
            stacklevel=3,
        )
        y = y.ravel()
    if y.dtype.kind not in "biuSU":
        # Integers and strings are classes; of many of them it would say they look like regression.
        check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    Y = sp.csr_array(
        (np.ones(len(y), dtype=np.int8), codes.astype(np.int32), np.arange(len(y) + 1)),
        shape=(len(y), len(classes)),
    )
    return Y, classes, "classes", y.dtype


def keep_weighted_rows(sample_weight, X, Y, relevance, negatives):
    """Check the weights of rows, and leave out rows of weight 0 as if they were not there.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), float or None
        At least 0, not all 0.
    X, Y : sparse matrix or ndarray
        Rows and their targets.
    relevance : sparse matrix, array or None
        A value for each row and label.
    negatives : object
        The parameter of the classifier; matrices in it have a row for each row of X.

    Returns
    -------
    X, Y, relevance, negatives
        Less those rows.
    weights : ndarray of float32 or None
        Of the rows left.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, all are 0, or their number is not that of the rows.
    """
    if sample_weight is None:
        return X, Y, relevance, negatives, None
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if np.any(weights < 0) or np.any(weights > MAX_COST):
        raise ValueError(
            f"sample_weight must lie between 0 and {MAX_COST:g}; got {weights.min()} to "
            f"{weights.max()}."
        )
    weights = weights.astype(np.float32)
    if relevance is not None and np.shape(relevance) != Y.shape:
        raise ValueError(
            f"relevance must have the shape of y, {Y.shape}; got {np.shape(relevance)}."
        )
    kept = np.flatnonzero(weights)
    if len(kept) == 0:
        raise ValueError("sample_weight must not be 0 for every row.")
    if len(kept) < len(weights):
        X, Y = X[kept], Y[kept]
        relevance = relevance if relevance is None else _rows_of(relevance, kept)
        if isinstance(negatives, (list, tuple)):
            negatives = [_rows_of(entry, kept) for entry in negatives]
        else:
            negatives = _rows_of(negatives, kept)
    return X, Y, relevance, negatives, weights[kept]


def _rows_of(values, kept):
    if isinstance(values, str):
        return values
    return (sp.csr_array(values) if sp.issparse(values) else np.asarray(values))[kept]

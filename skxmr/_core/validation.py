"""Validation of the arguments of public estimators. Kernels do not check their arrays again."""

import copy
import warnings
from numbers import Integral
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

# Kernels store the index of a child within its parent, and the number of children, in 16 bits.
MAX_CHILDREN = 2**16 - 1
MAX_SEED = 2**31 - 1
# Maximum of costs and of sample weights; products of several of them must be finite in float32.
MAX_COST = 1e9
# Allowed dtypes of X after validation. Kernels read float32, but duplicate entries of a float64
# matrix are summed in float64 first.
FLOAT_DTYPES = [np.float64, np.float32]
# Kernels round the number of features up to a multiple of 64, in 32 bits.
MAX_FEATURES = 2**31 - 64
# Constraints of the parameter `n_jobs`.
N_JOBS = [
    None,
    Interval(Integral, None, -1, closed="right"),
    Interval(Integral, 1, None, closed="left"),
]
# Attributes of scikit-learn's estimators that describe the columns of X.
INPUT_ATTRIBUTES = ("n_features_in_", "feature_names_in_")


def check_candidates(candidates, shape):
    """Return candidate labels per row as the arrays of a canonical CSR matrix.

    Parameters
    ----------
    candidates : sparse matrix or array-like
        Candidates of each row: all stored entries of a sparse matrix, including zeros, or the
        nonzero values of an array. Never modified.
    shape : tuple
        Required shape.

    Returns
    -------
    indptr : ndarray of shape (n_rows + 1,), int64
        Start of each row in `labels`.
    labels : ndarray of int32
        Candidates, sorted in each row.

    Raises
    ------
    ValueError
        If the shape differs, or an index is out of range.
    """
    if not sp.issparse(candidates):
        candidates = np.asarray(candidates)
    if candidates.shape != shape:
        raise ValueError(
            f"candidates must have the shape {shape}, one row per row of X and one column per "
            f"label; got {candidates.shape}."
        )
    if not sp.issparse(candidates):
        candidates = sp.csr_array(candidates != 0)
    if candidates.format in ("csr", "csc"):
        type(candidates)(candidates).check_format(full_check=True)
    coo = candidates.tocoo()
    C = sp.csr_array((np.ones(coo.nnz, dtype=np.int8), coo.coords), shape=shape)
    C.sum_duplicates()
    return C.indptr.astype(np.int64), C.indices.astype(np.int32, copy=False)


def validate_fit_data(estimator, *args, name="X", **kwargs):
    """Validate the data of a fit without changing the estimator, so that a failed fit keeps it.

    Parameters
    ----------
    estimator : estimator
        Estimator to be fitted; not modified.
    *args, **kwargs
        Arguments of `sklearn.utils.validation.validate_data` after the estimator.
    name : str
        Name of the rows in error messages.

    Returns
    -------
    data : ndarray, sparse matrix or tuple of them
        Result of `validate_data`.
    input_attributes : dict
        `n_features_in_` and, if the columns have names, `feature_names_in_`. Pass them to
        `set_input_attributes` at the end of the fit.

    Raises
    ------
    ValueError
        If `y` holds a list or set of labels per row, the rows have more than `MAX_FEATURES`
        columns, or `validate_data` fails.
    """
    check_n_features(args[0], name)
    if len(args) > 1:
        refuse_label_collections(args[1])
    copied = copy.copy(estimator)
    data = _validate_numbers(copied, *args, name=name, **kwargs)
    attributes = vars(copied)
    return data, {key: attributes[key] for key in INPUT_ATTRIBUTES if key in attributes}


def validate_rows(estimator, X, name="X"):
    """Validate the rows of a prediction, and return them as a CSR matrix or an ndarray.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator; not modified.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows of the user.
    name : str
        Name of the rows in error messages.

    Returns
    -------
    {ndarray, sparse matrix} of shape (n_samples, n_features)
        Rows with a dtype of `FLOAT_DTYPES`.

    Raises
    ------
    ValueError
        If the rows do not match the training data, or contain text or values that are not finite.
    """
    return _validate_numbers(
        estimator, X, name=name, accept_sparse="csr", dtype=FLOAT_DTYPES, reset=False
    )


def check_n_features(X, name="X"):
    """Raise a ValueError if a matrix has more than `MAX_FEATURES` columns."""
    shape = getattr(X, "shape", ())
    if len(shape) == 2 and shape[1] > MAX_FEATURES:
        raise ValueError(f"{name} must have at most {MAX_FEATURES} columns; got {shape[1]}.")


def _validate_numbers(estimator, *args, name, **kwargs):
    try:
        return validate_data(estimator, *args, **kwargs)
    except ValueError as error:
        if "could not convert string to float" not in str(error):
            raise
        raise ValueError(
            f"{name} must contain numbers; got text. Put a vectorizer such as TfidfVectorizer "
            f"before the {type(estimator).__name__} in a Pipeline."
        ) from error


def refuse_label_collections(y):
    """Raise a ValueError if `y` is a list or set of labels per row.

    numpy and scikit-learn also fail for such targets, but do not explain how to convert them.

    Parameters
    ----------
    y : object
        Targets of the user.

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
            "y must be an indicator matrix of 0 and 1, or contain one class per row; got a list or "
            "set of labels per row. Convert it with "
            "MultiLabelBinarizer(sparse_output=True).fit_transform(y)."
        )


def set_input_attributes(estimator, input_attributes):
    """Replace the input attributes of an earlier fit by those of `validate_fit_data`."""
    for name in INPUT_ATTRIBUTES:
        vars(estimator).pop(name, None)
    vars(estimator).update(input_attributes)


def check_indicator(y, name="y"):
    """Return an indicator as a canonical CSR matrix without stored zeros.

    Parameters
    ----------
    y : sparse matrix or ndarray of shape (n_samples, n_labels)
        Values 0 and 1 of dtype bool, integer or float; never modified. Duplicate entries of a
        sparse matrix count once.
    name : str
        Name of the argument in error messages.

    Returns
    -------
    Y : csr_array of shape (n_samples, n_labels)
        Ones of dtype int8, with int32 indices.

    Raises
    ------
    ValueError
        If a value is neither 0 nor 1, or there are no labels.
    """
    if y.ndim != 2:
        raise ValueError(
            f"{name} must be 2-D, of shape (n_samples, n_labels); got {y.ndim} dimension(s)."
        )
    if y.shape[1] == 0:
        raise ValueError(f"{name} has 0 labels (shape={y.shape}) while a minimum of 1 is required.")
    if y.shape[1] > np.iinfo(np.int32).max:
        raise ValueError(f"{name} must have at most 2147483647 labels; got {y.shape[1]}.")
    if sp.issparse(y) and y.format not in ("csr", "csc", "coo"):
        y = y.tocsr()  # other formats have no array of values
    values = y.data if sp.issparse(y) else y
    if values.dtype.kind not in "buif":
        raise ValueError(
            f"{name} must be an indicator of 0 and 1 of a bool, integer or float dtype; "
            f"got dtype {values.dtype}."
        )
    wrong = values[(values != 0) & (values != 1)]
    if wrong.size:
        raise ValueError(
            f"{name} must be an indicator of 0 and 1; got the value {wrong.flat[0]!r}."
        )
    if sp.issparse(y):
        if y.format in ("csr", "csc"):
            # A new object, because check_format may change the arrays of its object.
            type(y)(y).check_format(full_check=True)
        Y = y.tocoo()
        is_one = Y.data != 0
        row, col = Y.coords[0][is_one], Y.coords[1][is_one]
        Y = sp.csr_array((np.ones(len(row), dtype=np.int8), (row, col)), shape=y.shape)
        Y.sum_duplicates()
        Y.data[:] = 1
    else:
        Y = sp.csr_array(y != 0).astype(np.int8)
    Y.indices = Y.indices.astype(np.int32, copy=False)
    return Y


class Targets(NamedTuple):
    """Validated targets of a classifier.

    Attributes
    ----------
    indicator : csr_array of shape (n_samples, n_classes)
        Result of `check_indicator`.
    classes : ndarray of shape (n_classes,)
        Sorted classes, or the column numbers of an indicator.
    kind : {"classes", "sparse", "dense"}
        Format of `y`: one class per row, or a sparse or dense indicator.
    dtype : dtype
        dtype of `y` and of predictions.
    """

    indicator: sp.csr_array
    classes: np.ndarray
    kind: str
    dtype: np.dtype


def check_targets(y):
    """Find out whether `y` holds classes or is an indicator, and convert it to an indicator.

    Parameters
    ----------
    y : ndarray or sparse matrix
        One class per row (1-D or one dense column), or an indicator of 0 and 1 of shape
        (n_samples, n_labels). All values must be finite.

    Returns
    -------
    Targets

    Raises
    ------
    ValueError
        If `y` has neither format.
    """
    if sp.issparse(y):
        return Targets(check_indicator(y), np.arange(y.shape[1]), "sparse", y.dtype)
    if y.ndim == 2 and y.shape[1] > 1:
        return Targets(check_indicator(y), np.arange(y.shape[1]), "dense", y.dtype)
    if y.ndim == 2:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Its values are used as one "
            "class per row. For an indicator of a single label, pass a sparse matrix.",
            DataConversionWarning,
            stacklevel=3,
        )
        y = y.ravel()
    if y.dtype.kind not in "biuSU":
        # Integers and strings are always classes. scikit-learn would warn that many different
        # values look like a regression target.
        check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    Y = sp.csr_array(
        (np.ones(len(y), dtype=np.int8), codes.astype(np.int32), np.arange(len(y) + 1)),
        shape=(len(y), len(classes)),
    )
    return Targets(Y, classes, "classes", y.dtype)


class WeightedData(NamedTuple):
    """Training data without the rows of weight 0.

    Attributes
    ----------
    X, Y : sparse matrix or ndarray
        Rows and targets.
    relevance : sparse matrix, ndarray or None
        Relevance of each label for each row.
    negatives : object
        Parameter `negatives` of the classifier.
    sample_weight : ndarray of float32 or None
        Weights of the remaining rows.
    """

    X: object
    Y: object
    relevance: object
    negatives: object
    sample_weight: np.ndarray | None


def drop_zero_weight_rows(sample_weight, X, Y, relevance, negatives):
    """Validate sample weights and drop rows of weight 0.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), float or None
        Weights from 0 to `MAX_COST`, not all 0.
    X, Y : sparse matrix or ndarray
        Rows and targets.
    relevance : sparse matrix, array or None
        Relevance of each label for each row.
    negatives : object
        Parameter `negatives` of the classifier; matrices in it have one row per row of `X`.

    Returns
    -------
    WeightedData

    Raises
    ------
    ValueError
        If a weight is out of range or not finite, all weights are 0, or a shape does not match.
    """
    if sample_weight is None:
        return WeightedData(X, Y, relevance, negatives, None)
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if np.any(weights < 0) or np.any(weights > MAX_COST):
        raise ValueError(
            f"sample_weight must be between 0 and {MAX_COST:g}; got values from {weights.min()} to "
            f"{weights.max()}."
        )
    weights = weights.astype(np.float32)
    if relevance is not None and np.shape(relevance) != Y.shape:
        raise ValueError(
            f"relevance must have the shape of y, {Y.shape}; got {np.shape(relevance)}."
        )
    positive = np.flatnonzero(weights)
    if len(positive) == 0:
        raise ValueError("sample_weight must be positive for at least one row; got only zeros.")
    if len(positive) < len(weights):
        X, Y = X[positive], Y[positive]
        relevance = relevance if relevance is None else _take_rows(relevance, positive)
        if isinstance(negatives, (list, tuple)):
            negatives = [_take_rows(entry, positive) for entry in negatives]
        else:
            negatives = _take_rows(negatives, positive)
    return WeightedData(X, Y, relevance, negatives, weights[positive])


def _take_rows(values, rows):
    if isinstance(values, str):
        return values
    return (sp.csr_array(values) if sp.issparse(values) else np.asarray(values))[rows]

"""Validation of the arguments of public estimators. Kernels do not check their arrays again."""

import copy
from numbers import Integral
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_sample_weight, validate_data

from skxmr._core.arrays import check_sparse_arrays
from skxmr._core.dense_containers import read_dense_container
from skxmr._core.mixed_matrix import MixedMatrix
from skxmr._core.target_containers import find_column_names, read_sparse_frame, read_targets
from skxmr._core.targets import Targets, check_has_labels, check_training_targets

# Kernels store the index of a child within its parent, and the number of children, in 16 bits.
MAX_CHILDREN = 2**16 - 1
MAX_SEED = 2**31 - 1
# Maximum of costs and of sample weights; products of several of them must be finite in float32.
MAX_COST = 1e9
# Options of check_array for rows. Kernels read float32, but duplicate entries of a float64 matrix
# are summed in float64 first.
ROW_OPTIONS = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}
SPARSE_PART_OPTIONS = {**ROW_OPTIONS, "ensure_min_features": 0}  # of a `MixedMatrix`
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


def check_candidates(candidates, shape, name="candidates"):
    """Return candidate labels per row as the arrays of a canonical CSR matrix.

    Parameters
    ----------
    candidates : sparse matrix, array-like or DataFrame
        Candidates of each row: all stored entries of a sparse matrix, including zeros, or the
        nonzero values of an array. Never modified.
    shape : tuple
        Required shape.
    name : str
        Name of the argument in error messages.

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
        candidates = read_targets(candidates, name)
    if candidates.shape != shape:
        raise ValueError(
            f"{name} must have the shape {shape}, one row per row of X and one column per "
            f"label; got {candidates.shape}."
        )
    if not sp.issparse(candidates):
        candidates = sp.csr_array(candidates != 0)
    check_sparse_arrays(candidates)
    coo = candidates.tocoo()
    C = sp.csr_array((np.ones(coo.nnz, dtype=np.int8), coo.coords), shape=shape)
    C.sum_duplicates()
    return C.indptr.astype(np.int64), C.indices.astype(np.int32, copy=False)


class FitData(NamedTuple):
    """Validated data of a fit.

    Attributes
    ----------
    X : csr_matrix, csr_array or ndarray of shape (n_samples, n_features)
        Rows, float32 or float64.
    targets : Targets
        Result of `check_training_targets`.
    input_attributes : dict
        Attributes for `set_input_attributes`.
    """

    X: object
    targets: Targets
    input_attributes: dict


def validate_rows(estimator, X, name="X", *, reset=False, accept_mixed=False):
    """Validate rows with `sklearn.utils.validation.validate_data`; sparse frames remain sparse.

    Parameters
    ----------
    estimator : estimator
        Estimator, whose number and names of features are checked, or set if `reset` is True.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Rows; never modified.
    name : str
        Name of the rows in error messages.
    reset : bool
        Whether to set the attributes of the columns instead of checking them.
    accept_mixed : bool
        Whether to return a `MixedMatrix` as it is, and not as a sparse matrix.

    Returns
    -------
    csr_matrix, csr_array, ndarray or MixedMatrix of shape (n_samples, n_features)
        Rows, all values finite. A sparse matrix is in float32 or float64. An array of numbers is
        returned as it is.

    Raises
    ------
    ValueError
        If the rows have more than `MAX_FEATURES` columns, do not match the training data, or
        contain text or values that are not finite.
    """
    X = read_dense_container(X, name)
    converted = _read_rows(X, name)
    try:
        if isinstance(converted, MixedMatrix):
            # A matrix without columns is refused by the check of the sparse matrix.
            if not accept_mixed or not X.shape[1]:
                return validate_rows(estimator, converted.tocsr(), name, reset=reset)
            validate_data(estimator, X, reset=reset, skip_check_array=True)
            _check_finite(X.dense, estimator, name)
            check_array(X.sparse, estimator=estimator, input_name=name, **SPARSE_PART_OPTIONS)
            return X
        if _is_number_matrix(X):
            validate_data(estimator, X, reset=reset, skip_check_array=True)
            _check_finite(X, estimator, name)
            return X
        if converted is X:
            return validate_data(estimator, X, reset=reset, **ROW_OPTIONS)
        # The names of the columns are checked on the frame, and the values on the matrix.
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        return check_array(converted, estimator=estimator, input_name=name, **ROW_OPTIONS)
    except ValueError as error:
        if "could not convert string to float" not in str(error):
            raise
        raise ValueError(
            f"{name} must contain numbers; got text. Use skxmr.make_text_classifier, or put a "
            f"vectorizer such as TfidfVectorizer before the {type(estimator).__name__} in a "
            "Pipeline."
        ) from error


def _is_number_matrix(X):
    # Arrays that need no conversion as a whole. Errors are left to scikit-learn.
    return (
        type(X) in (np.ndarray, np.memmap)
        and X.ndim == 2
        and X.dtype.kind in "buif"
        and X.dtype.itemsize <= 8
        and X.size > 0
    )


def _check_finite(X, estimator, name):
    # The minimum and the maximum need no memory, and are NaN if a value is NaN.
    if X.dtype.kind == "f" and X.size and not (np.isfinite(X.min()) and np.isfinite(X.max())):
        check_array(X, estimator=estimator, input_name=name, **ROW_OPTIONS)  # raises the error


def check_matrix(X, name="X"):
    """Return a matrix of numbers as `validate_rows` does, for functions without an estimator."""
    X = _read_rows(read_dense_container(X, name), name)
    if isinstance(X, MixedMatrix):
        X = X.tocsr()
    return check_array(X, input_name=name, **ROW_OPTIONS)


def _read_rows(X, name):
    # Check what check_array does not check, and convert a frame of sparse columns to a matrix.
    check_n_features(X, name)
    if sp.issparse(X) and X.format != "csr":  # CSR is checked by `canonical_rows`
        check_sparse_arrays(X)
    return read_sparse_frame(X, name)


def check_n_features(X, name="X"):
    """Raise a ValueError if a matrix has more than `MAX_FEATURES` columns."""
    shape = getattr(X, "shape", ())
    if len(shape) == 2 and shape[1] > MAX_FEATURES:
        raise ValueError(f"{name} must have at most {MAX_FEATURES} columns; got {shape[1]}.")


def validate_fit_rows(estimator, X, name="X", *, accept_mixed=False):
    """Validate the rows of a fit without changing the estimator, so that a failed fit keeps it.

    Parameters
    ----------
    estimator : estimator
        Estimator to be fitted; not modified.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Rows.
    name : str
        Name of the rows in error messages.
    accept_mixed : bool
        Parameter of `validate_rows`.

    Returns
    -------
    X : csr_matrix, csr_array, ndarray or MixedMatrix of shape (n_samples, n_features)
        Result of `validate_rows`.
    input_attributes : dict
        `n_features_in_` and, if the columns have names, `feature_names_in_`. Pass them to
        `set_input_attributes` at the end of the fit.
    """
    copied = copy.copy(estimator)
    X = validate_rows(copied, X, name, reset=True, accept_mixed=accept_mixed)
    # A fit may select rows before `canonical_rows` checks the arrays.
    check_sparse_arrays(X)
    attributes = vars(copied)
    return X, {key: attributes[key] for key in INPUT_ATTRIBUTES if key in attributes}


def validate_fit_data(estimator, X, y):
    """Validate the rows and targets of a fit without changing the estimator.

    Parameters
    ----------
    estimator : estimator
        Estimator to be fitted; not modified.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, n_features)
        Rows.
    y : array-like, sparse matrix, DataFrame or Series
        Targets, as in `check_training_targets`.

    Returns
    -------
    FitData

    Raises
    ------
    ValueError
        If `X` or `y` is invalid, their numbers of rows differ, or no row has a label.
    """
    if y is None:
        # scikit-learn's estimator checks require this text.
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y "
            "is None."
        )
    X, input_attributes = validate_fit_rows(estimator, X, accept_mixed=True)
    return FitData(X, _validate_targets(X, y), input_attributes)


def validate_update_data(estimator, X, y):
    """Validate the rows and targets of an update; see `validate_fit_data`.

    The columns of `X` must be those of the fit, and the `FitData` contains their attributes.
    """
    X = validate_rows(estimator, X, accept_mixed=True)
    check_sparse_arrays(X)
    attributes = vars(estimator)
    attributes = {name: attributes[name] for name in INPUT_ATTRIBUTES if name in attributes}
    return FitData(X, _validate_targets(X, y), attributes)


def _validate_targets(X, y):
    if find_column_names(y) is None:  # `check_training_targets` needs the names of a data frame
        y = read_targets(y)
    check_consistent_length(X, y)
    return check_training_targets(y)


def set_input_attributes(estimator, input_attributes):
    """Replace the input attributes of an earlier fit by those of `validate_fit_data`."""
    for name in INPUT_ATTRIBUTES:
        vars(estimator).pop(name, None)
    vars(estimator).update(input_attributes)


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
        If a weight is out of range or not finite, all weights are 0, a shape does not match, or no
        remaining row has a label.
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
    if relevance is not None:
        relevance = read_targets(relevance, "relevance")
        if relevance.shape != Y.shape:
            raise ValueError(
                f"relevance must have the shape of y, {Y.shape}; got {relevance.shape}."
            )
    positive = np.flatnonzero(weights)
    if len(positive) == 0:
        raise ValueError("sample_weight must be positive for at least one row; got only zeros.")
    if len(positive) < len(weights):
        X, Y = X[positive], Y[positive]
        check_has_labels(Y, "y without the rows whose sample_weight is 0")
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

"""The parameter `label_features` of the classifier: check its value, compute the matrix."""

import scipy.sparse as sp
from sklearn.utils import check_array

from skxmr._core.validation import MAX_FEATURES, ROW_OPTIONS
from skxmr.indexing._label_feature_union import LabelFeatureUnion, check_equal_widths
from skxmr.indexing._label_spectrum import label_spectrum
from skxmr.indexing._normalization import as_float32_rows, normalize_rows
from skxmr.indexing._positive_instances import (
    positive_instance_indices,
    sum_positive_rows,
)

# `max_entries` of "pifa"; the evidence is in the docstring of `positive_instance_features`.
MAX_PIFA_ENTRIES = 256


def _compute_pifa(X, Y, row_weights, seed, n_jobs):
    return sum_positive_rows(
        X, Y, row_weights=row_weights, max_entries=MAX_PIFA_ENTRIES, n_jobs=n_jobs
    )


def _compute_pii(X, Y, row_weights, seed, n_jobs):
    return positive_instance_indices(Y)


def _compute_spectral(X, Y, row_weights, seed, n_jobs):
    return label_spectrum(Y, random_state=seed)


# Built-in label features by name. Each function takes the arguments of `compute_label_features`,
# and returns unit rows in float32, dense or CSR.
LABEL_FEATURES = {"pifa": _compute_pifa, "pii": _compute_pii, "spectral": _compute_spectral}


def check_label_features(label_features, n_labels, n_features, name="label_features"):
    """Check label features before anything is computed.

    Parameters
    ----------
    label_features : str, array-like, sparse matrix, callable or LabelFeatureUnion
        Parameter of the classifier.
    n_labels, n_features : int
        Number of columns of y and of X.
    name : str
        Name of the parameter in error messages.

    Returns
    -------
    label_features : str, ndarray, csr_array, callable or LabelFeatureUnion
        Value for `compute_label_features`; matrices are converted to float32.

    Raises
    ------
    ValueError
        If a name is unknown; if a matrix is not 2-D and finite with one row per label; or if a
        union has invalid parameters, or parts to be averaged that differ in width.
    """
    if isinstance(label_features, LabelFeatureUnion):
        label_features._check_parameters(name)
        parts = [
            check_label_features(part, n_labels, n_features, f"{name}.parts[{i}]")
            for i, part in enumerate(label_features.parts)
        ]
        checked = LabelFeatureUnion(parts, how=label_features.how, weights=label_features.weights)
        if checked.how == "mean":
            check_equal_widths([_known_width(part, n_features) for part in parts], name)
        width = _known_width(checked, n_features)
        if width is not None and width > MAX_FEATURES:
            raise ValueError(
                f"{name} must have at most {MAX_FEATURES} features in total; got {width}."
            )
        return checked
    if isinstance(label_features, str):
        if label_features not in LABEL_FEATURES:
            raise ValueError(
                f"{name} must be one of {', '.join(map(repr, LABEL_FEATURES))}, a matrix, a "
                f"callable or a LabelFeatureUnion; got {label_features!r}."
            )
        return label_features
    if callable(label_features):
        return label_features
    return _check_matrix(label_features, n_labels, name)


def compute_label_features(label_features, X, Y, *, row_weights=None, seed, n_jobs):
    """Compute the matrix that is clustered, with one row per label.

    Parameters
    ----------
    label_features : str, ndarray, csr_array, callable or LabelFeatureUnion
        Result of `check_label_features`.
    X : TrainingRows
        Training rows.
    Y : csr_array of shape (n_samples, n_labels)
        Indicator without stored zeros.
    row_weights : ndarray of shape (n_samples,), float32, or None
        Multiplier of each row in the label features "pifa"; ignored by other label features.
    seed : int
        Seed of random choices.
    n_jobs : int or None
        Number of threads, as in joblib. The result does not depend on it.

    Returns
    -------
    Z : {ndarray, csr_array} of shape (n_labels, n_features), float32
        Rows of unit l2 norm. A row is zero if nothing is known about its label.

    Raises
    ------
    ValueError
        If a callable does not return a finite matrix with one row per label, or if parts to be
        averaged differ in width.
    """
    if isinstance(label_features, LabelFeatureUnion):
        return label_features._combine(
            [
                compute_label_features(
                    part, X, Y, row_weights=row_weights, seed=seed, n_jobs=n_jobs
                )
                for part in label_features.parts
            ]
        )
    if isinstance(label_features, str):
        return LABEL_FEATURES[label_features](X, Y, row_weights, seed, n_jobs)
    if callable(label_features):
        Z = label_features(sp.csr_array(X.to_csr()), Y)
        return normalize_rows(_check_matrix(Z, Y.shape[1], "the result of label_features(X, Y)"))
    return normalize_rows(label_features)


def _known_width(label_features, n_features):
    """Return the number of columns of label features, or None if it depends on the data."""
    if isinstance(label_features, LabelFeatureUnion):
        widths = [_known_width(part, n_features) for part in label_features.parts]
        if label_features.how == "mean":
            return next((width for width in widths if width is not None), None)
        return None if None in widths else sum(widths)
    if isinstance(label_features, str):
        return n_features if label_features == "pifa" else None
    return None if callable(label_features) else label_features.shape[1]


def _check_matrix(Z, n_labels, name):
    expected = f"a 2-D matrix of {n_labels} rows, one per label"
    try:
        Z = check_array(Z, ensure_all_finite=False, **ROW_OPTIONS)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be {expected}; reading it failed: {error}") from error
    if Z.shape[0] != n_labels:
        raise ValueError(f"{name} must be {expected}; got shape {Z.shape}.")
    return as_float32_rows(Z, name)

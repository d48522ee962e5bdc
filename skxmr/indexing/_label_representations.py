"""Every way to represent labels, by name, by matrix, by callable or united."""

from sklearn.utils import check_array

from skxmr._core.validation import FLOATS
from skxmr.indexing._label_feature_union import (
    LabelFeatureUnion,
    check_union,
    check_widths,
    unite,
)
from skxmr.indexing._label_features import (
    as_float32_rows,
    positive_instance_features,
    positive_instance_indices,
    unit_rows,
)
from skxmr.indexing._label_spectrum import label_spectrum

# Features of a label that the clustering sees; see `positive_instance_features`.
CLUSTERED_ENTRIES = 256


def _pifa(X, Y, seed, n_jobs):
    return positive_instance_features(X, Y, max_entries=CLUSTERED_ENTRIES, n_jobs=n_jobs)


def _pii(X, Y, seed, n_jobs):
    return positive_instance_indices(Y)


def _spectral(X, Y, seed, n_jobs):
    return label_spectrum(Y, random_state=seed)


# Each takes X, Y, seed and n_jobs, and returns unit rows in float32, dense or CSR.
REPRESENTATIONS = {"pifa": _pifa, "pii": _pii, "spectral": _spectral}


def check_label_features(label_features, n_labels, n_features, name="label_features"):
    """Refuse label features that cannot be used, before any work.

    Parameters
    ----------
    label_features : str, array-like, sparse matrix, callable or LabelFeatureUnion
        The parameter of the classifier.
    n_labels, n_features : int
        Number of labels of y and of features of X.
    name : str
        What to call it in errors.

    Returns
    -------
    label_features : str, ndarray, csr_array, callable or LabelFeatureUnion
        The same, ready for `represent_labels`: matrices in float32.

    Raises
    ------
    ValueError
        If a name is unknown, a matrix is not 2-D, finite and of one row for each label, or a union
        has bad parameters or parts that cannot be averaged.
    """
    if isinstance(label_features, LabelFeatureUnion):
        check_union(label_features, name)
        parts = [
            check_label_features(part, n_labels, n_features, f"{name}.parts[{i}]")
            for i, part in enumerate(label_features.parts)
        ]
        checked = LabelFeatureUnion(parts, how=label_features.how, weights=label_features.weights)
        if checked.how == "mean":
            check_widths([_known_width(part, n_features) for part in parts], name)
        return checked
    if isinstance(label_features, str):
        if label_features not in REPRESENTATIONS:
            raise ValueError(
                f"{name}={label_features!r} is no representation; the names are "
                f"{', '.join(map(repr, REPRESENTATIONS))}."
            )
        return label_features
    if callable(label_features):
        return label_features
    return _check_matrix(label_features, n_labels, name)


def represent_labels(label_features, X, Y, *, seed, n_jobs):
    """Represent labels as rows that are ready for clustering.

    Parameters
    ----------
    label_features : str, ndarray, csr_array, callable or LabelFeatureUnion
        As `check_label_features` returns it.
    X : csr_array of shape (n_samples, n_features), float32
        Training rows.
    Y : csr_array of shape (n_samples, n_labels)
        Indicator without stored zeros.
    seed : int
        Seeds what is random.
    n_jobs : int or None
        Threads, as in joblib; the result does not depend on it.

    Returns
    -------
    Z : {ndarray, csr_array} of shape (n_labels, n_features)
        Unit rows, float32; zeros for a label of which nothing is known.

    Raises
    ------
    ValueError
        If a callable returns something else than a finite matrix of one row for each label, or
        parts to be averaged differ in width.
    """
    if isinstance(label_features, LabelFeatureUnion):
        features = [
            represent_labels(part, X, Y, seed=seed, n_jobs=n_jobs) for part in label_features.parts
        ]
        return unite(label_features, features)
    if isinstance(label_features, str):
        return REPRESENTATIONS[label_features](X, Y, seed, n_jobs)
    if callable(label_features):
        Z = label_features(X, Y)
        label_features = _check_matrix(Z, Y.shape[1], "what label_features(X, Y) returned")
    return unit_rows(label_features)


def _known_width(label_features, n_features):
    # Features of a part before anything is computed; None where that takes the data.
    if isinstance(label_features, LabelFeatureUnion):
        widths = [_known_width(part, n_features) for part in label_features.parts]
        if label_features.how == "mean":
            return next((width for width in widths if width is not None), None)
        return None if None in widths else sum(widths)
    if isinstance(label_features, str):
        return n_features if label_features == "pifa" else None
    return None if callable(label_features) else label_features.shape[1]


def _check_matrix(Z, n_labels, name):
    wanted = f"a 2-D matrix of {n_labels} rows, one for each label"
    try:
        Z = check_array(Z, accept_sparse="csr", dtype=FLOATS, ensure_all_finite=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be {wanted}; it could not be read: {error}") from error
    if Z.shape[0] != n_labels:
        raise ValueError(f"{name} must be {wanted}; got shape {Z.shape}.")
    return as_float32_rows(Z, name)

"""Classifiers by cosine similarity, to match rows with clusters without a linear model."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import FunctionTransformer, normalize
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skxmr._core.arrays import as_public_csr, csr_of
from skxmr._core.rows import as_rows
from skxmr._core.score_forms import clip_to_open_interval
from skxmr._core.validation import (
    FLOAT_DTYPES,
    MAX_SEED,
    check_targets,
    set_input_attributes,
    validate_fit_data,
)
from skxmr.matching._similarity_index import ExactIndex, GraphIndex, import_hnswlib

# Directions that rows are reduced to for the graph, unless the user says how many.
GRAPH_COMPONENTS = 128


class _NearestClassifier(ClassifierMixin, BaseEstimator):
    # What both have in common: parameters, checks, and the forms of y and of answers. A subclass
    # says which points queries are compared with, and whose labels these stand for, if not their
    # own.

    _parameter_constraints = {
        "n_neighbors": [Interval(Integral, 1, 2**31 - 1, closed="both")],
        "index": [StrOptions({"exact", "hnswlib"})],
        "n_components": [None, Interval(Integral, 1, None, closed="left")],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
    }

    def __init__(
        self, n_neighbors, *, index="exact", n_components=None, n_jobs=None, random_state=None
    ):
        self.n_neighbors = n_neighbors
        self.index = index
        self.n_components = n_components
        self.n_jobs = n_jobs
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Keep what queries are compared with.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; compared in float32.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Indicator of 0 and 1, or one class a row.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range, or `X` or `y` holds values that it must not.
        ImportError
            If hnswlib is asked for and not installed.
        """
        if self.index == "hnswlib":
            import_hnswlib()
        (X, y), seen = validate_fit_data(
            self, X, y, accept_sparse="csr", dtype=FLOAT_DTYPES, multi_output=True
        )
        Y, classes, kind, dtype = check_targets(y)
        rows = _rows(X)
        points, targets = self._points(rows, Y)
        seed = check_random_state(self.random_state).randint(MAX_SEED)
        reduction = self._reduction(rows, seed)
        points = _reduced(reduction, points)
        index = ExactIndex(points) if self.index == "exact" else GraphIndex(points, seed)
        set_input_attributes(self, seen)
        self.classes_ = classes
        self._target_kind = kind
        self._target_dtype = dtype
        self._shares = np.bincount(Y.indices, minlength=Y.shape[1]) / Y.shape[0]
        self._targets = targets
        self._fitted_reduction = reduction
        self._index = index
        return self

    def predict_proba(self, X):
        """Return a score between 0 and 1 for labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : sparse CSR or ndarray of shape (n_samples, n_labels), float32
            Sparse: labels that something near has only, positive. Dense, indicator: all labels,
            just above 0 for the others. For classes each row sums to 1, and is the shares of the
            training rows where nothing is near.
        """
        scores = self._scores(X)
        if self._target_kind == "sparse":
            return as_public_csr(scores.indptr, scores.indices, scores.data, scores.shape)
        scores = scores.toarray()
        if self._target_kind == "dense":
            return clip_to_open_interval(scores)
        scores[~scores.any(axis=1)] = self._shares
        return scores / scores.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Return the labels whose score is at least one half, or the best class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : sparse CSR or ndarray of shape (n_samples, n_labels) or (n_samples,)
            In the form and dtype of the `y` that was fitted.
        """
        if self._fitted_kind() == "classes":
            return self.classes_[np.argmax(self.predict_proba(X), axis=1)]
        scores = self._scores(X)
        scores.data = (scores.data >= 0.5).astype(self._target_dtype)
        scores.eliminate_zeros()
        if self._target_kind == "dense":
            return scores.toarray()
        return as_public_csr(scores.indptr, scores.indices, scores.data, scores.shape)

    def _reduction(self, rows, seed):
        # What maps rows to fewer, dense directions: None for nothing.
        n_components = self.n_components
        if self.index == "hnswlib" and n_components is None:
            n_components = GRAPH_COMPONENTS
        if n_components is None:
            return None
        if n_components >= rows.shape[1]:
            return FunctionTransformer(sp.csr_array.toarray)
        return TruncatedSVD(n_components, random_state=seed).fit(normalize(rows))

    def _fitted_kind(self):
        check_is_fitted(self, "classes_")
        return self._target_kind

    def _scores(self, X):
        # CSR of scores in (0, 1].
        check_is_fitted(self, "classes_")
        self._validate_params()
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOAT_DTYPES, reset=False)
        rows = _reduced(self._fitted_reduction, _rows(X))
        near = self._index.query(rows, self.n_neighbors, self.n_jobs)
        if self._targets is None:
            return near
        votes = normalize(near, norm="l1") @ self._targets
        votes.sort_indices()
        np.minimum(votes.data, 1, out=votes.data)
        return votes


class NearestNeighborsMatcher(_NearestClassifier):
    """Classifier that lets the nearest training rows vote, by cosine similarity.

    The score of a label is the part of the neighbours' similarity that stands for it: 1 if all
    neighbours have it. Nothing is learnt; prediction compares a row with all training rows that
    share a feature with it, so its cost grows with their number. The method is that of Cover and
    Hart (1967), "Nearest neighbor pattern classification", IEEE Transactions on Information Theory
    13(1), with weighted votes.

    As `matcher` of `XRLinearClassifier` it is best near the root. On 37,000 labels and 46,000 rows
    precision@1 was 66.2 with ``matcher_level=1`` and 60.9 at the leaf clusters, where linear
    models reached 66.7 in a fiftieth of the prediction time.

    Parameters
    ----------
    n_neighbors : int, default=10
        Training rows that vote; all, if there are fewer. Larger names more labels, with scores
        that are finer and smoother. May be changed after the fit.
    index : {"exact", "hnswlib"}, default="exact"
        How neighbours are found: by comparing with all, or approximately, by a graph, which is
        faster from some ten thousand rows on and needs the package hnswlib.
    n_components : int or None, default=None
        Directions to which rows are reduced before they are compared, by truncated singular value
        decomposition: latent semantic analysis, which sees likeness in rows that share no feature.
        Larger is slower and closer to the features themselves. None compares the features for
        "exact", and takes 128 directions for "hnswlib", which wants few.
    n_jobs : int or None, default=None
        Threads for prediction, as in joblib. Results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seeds the decomposition and the graph.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes, or the column numbers of an indicator.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, where `X` had them.

    See Also
    --------
    NearestCentroidMatcher : Compares with one representation a label.
    sklearn.neighbors.KNeighborsClassifier : Other distances; no sparse targets.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from skxmr.matching import NearestNeighborsMatcher
    >>> X = sp.csr_array([[1.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> Y = sp.csr_array([[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    >>> model = NearestNeighborsMatcher(n_neighbors=2).fit(X, Y)
    >>> model.predict_proba(X[:1]).toarray()
    array([[1.   , 0.375, 0.   ]], dtype=float32)
    """

    def __init__(
        self, n_neighbors=10, *, index="exact", n_components=None, n_jobs=None, random_state=None
    ):
        super().__init__(
            n_neighbors,
            index=index,
            n_components=n_components,
            n_jobs=n_jobs,
            random_state=random_state,
        )

    def _points(self, rows, Y):
        return rows, Y.astype(np.float32)


class NearestCentroidMatcher(_NearestClassifier):
    """Classifier that finds the labels whose centroid is nearest, by cosine similarity.

    The centroid of a label is the sum of its positive rows, each divided by the square root of its
    number of labels: positive instance feature aggregation, as label trees are made from. The
    score of a label is its cosine. The method is that of Rocchio (1971), "Relevance feedback in
    information retrieval".

    As `matcher` of `XRLinearClassifier` with ``max_leaf_size=1`` the clusters are the labels, and
    the neighbours of a row in the space of label features take the place of the search down the
    tree. A label alone in its cluster has no negatives by teacher forcing, so its own model knows
    little, and the cosine ranks: precision@1 was 28.7 on 37,000 labels where the tree reached
    66.7, and 54.4 at leaf clusters of a hundred labels.

    Parameters
    ----------
    n_neighbors : int, default=100
        Labels found for a row; all, if there are fewer. As a matcher it gives that many clusters
        to choose the `beam_width` best from. May be changed after the fit.
    index : {"exact", "hnswlib"}, default="exact"
        How centroids are found: by comparing with all, or approximately, by a graph, which is
        faster from some ten thousand labels on and needs the package hnswlib.
    n_components : int or None, default=None
        Directions to which rows are reduced before they are compared, by truncated singular value
        decomposition: latent semantic analysis, which sees likeness in rows that share no feature.
        Larger is slower and closer to the features themselves. None compares the features for
        "exact", and takes 128 directions for "hnswlib", which wants few.
    n_jobs : int or None, default=None
        Threads for prediction, as in joblib. Results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seeds the decomposition and the graph.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes, or the column numbers of an indicator.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, where `X` had them.

    See Also
    --------
    NearestNeighborsMatcher : Compares with the training rows.
    sklearn.neighbors.NearestCentroid : Classes only, other distances.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from skxmr.matching import NearestCentroidMatcher
    >>> X = sp.csr_array([[1.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> Y = sp.csr_array([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> model = NearestCentroidMatcher(n_neighbors=2).fit(X, Y)
    >>> model.predict_proba(X[:1]).toarray()
    array([[1. , 0.6, 0. ]], dtype=float32)
    """

    def __init__(
        self, n_neighbors=100, *, index="exact", n_components=None, n_jobs=None, random_state=None
    ):
        super().__init__(
            n_neighbors,
            index=index,
            n_components=n_components,
            n_jobs=n_jobs,
            random_state=random_state,
        )

    def _points(self, rows, Y):
        return (normalize(Y.astype(np.float32)).T @ rows).tocsr(), None


def _reduced(reduction, rows):
    # The graph wants float32; the decomposition of few rows may come in float64.
    return rows if reduction is None else reduction.transform(rows).astype(np.float32, copy=False)


def _rows(X):
    indptr, indices, data, n_features = as_rows(X, drop_zeros=True)
    return csr_of(indptr, indices, data, (X.shape[0], n_features))

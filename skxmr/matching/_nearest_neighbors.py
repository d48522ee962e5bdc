"""Classifiers by cosine similarity, which can replace linear models as matchers."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, _fit_context
from sklearn.preprocessing import FunctionTransformer, normalize
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skxmr._core.arrays import as_public_csr, csr_of
from skxmr._core.estimators import SubsetAccuracyMixin
from skxmr._core.label_names import to_names
from skxmr._core.rows import as_rows
from skxmr._core.score_forms import clip_to_open_interval
from skxmr._core.validation import (
    MAX_SEED,
    N_JOBS,
    set_input_attributes,
    validate_fit_data,
    validate_rows,
)
from skxmr.matching._similarity_index import ExactIndex, GraphIndex, import_hnswlib

# Dimensions to which rows are reduced for the graph by default.
DEFAULT_GRAPH_COMPONENTS = 128


class _SimilarityClassifier(SubsetAccuracyMixin, BaseEstimator):
    """Base class of the classifiers by cosine similarity.

    A subclass implements `_make_points`, which returns the vectors that queries are compared with.
    """

    _parameter_constraints = {
        "n_neighbors": [Interval(Integral, 1, 2**31 - 1, closed="both")],
        "index": [StrOptions({"exact", "hnswlib"})],
        "n_components": [None, Interval(Integral, 1, None, closed="left")],
        "n_jobs": N_JOBS,
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
        """Store the vectors that queries are compared with, and build the index.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; converted to float32.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Indicator of 0 and 1, or one class per row.

        Returns
        -------
        self : object
            Fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range, `X` or `y` contains invalid values, or no row has a
            label.
        ImportError
            If ``index="hnswlib"`` and the package hnswlib is not installed.
        """
        if self.index == "hnswlib":
            import_hnswlib()
        X, (Y, classes, kind, dtype), input_attributes = validate_fit_data(self, X, y)
        rows = _as_csr(X)
        points, labels_of_points = self._make_points(rows, Y)
        seed = check_random_state(self.random_state).randint(MAX_SEED)
        projection = self._fit_projection(rows, seed)
        points = _project(projection, points)
        index = ExactIndex(points) if self.index == "exact" else GraphIndex(points, seed)
        set_input_attributes(self, input_attributes)
        self.classes_ = classes
        self._target_kind = kind
        self._target_dtype = dtype
        self._label_frequencies = np.bincount(Y.indices, minlength=Y.shape[1]) / Y.shape[0]
        self._labels_of_points = labels_of_points
        self._projection = projection
        self._index = index
        return self

    def predict_proba(self, X):
        """Return a score between 0 and 1 for each row and label.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        scores : sparse CSR or ndarray of shape (n_samples, n_labels), float32
            Depends on the `y` that was fitted:

            - Sparse indicator: CSR with the positive scores.
            - Dense indicator: array with all scores, strictly between 0 and 1. Labels without a
              positive score get the smallest normal float32.
            - Classes: array whose rows sum to 1. If no training row or centroid has a positive
              similarity, the scores are the frequencies of the classes in the training rows.
        """
        scores = self._scores(X)
        if self._target_kind in ("sparse", "names"):
            return as_public_csr(scores.indptr, scores.indices, scores.data, scores.shape)
        scores = scores.toarray()
        if self._target_kind == "dense":
            return clip_to_open_interval(scores)
        scores[~scores.any(axis=1)] = self._label_frequencies
        return scores / scores.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Return the labels with a score of at least 0.5, or the class with the highest score.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        y : sparse CSR or ndarray of shape (n_samples, n_labels) or (n_samples,)
            Predictions with the format and dtype of the `y` that was fitted.
        """
        check_is_fitted(self, "classes_")
        if self._target_kind == "classes":
            return self.classes_[np.argmax(self.predict_proba(X), axis=1)]
        scores = self._scores(X)
        scores.data = (scores.data >= 0.5).astype(np.int8)
        scores.eliminate_zeros()
        if self._target_kind == "names":
            return to_names(scores, self.classes_)
        if self._target_kind == "dense":
            return scores.toarray().astype(self._target_dtype)
        ones = scores.data.astype(self._target_dtype)
        return as_public_csr(scores.indptr, scores.indices, ones, scores.shape)

    def _make_points(self, rows, Y):
        """Return the vectors to compare queries with, and the indicator of the labels of each.

        The indicator is None if point i represents label i. The score of a label is then its
        similarity; otherwise it is the mean of the indicator, weighted by similarity.
        """
        raise NotImplementedError

    def _fit_projection(self, rows, seed):
        # Return a transformer to fewer, dense dimensions, or None to compare the features.
        n_components = self.n_components
        if self.index == "hnswlib" and n_components is None:
            n_components = DEFAULT_GRAPH_COMPONENTS
        if n_components is None:
            return None
        if n_components >= rows.shape[1]:
            return FunctionTransformer(sp.csr_array.toarray)
        from sklearn.decomposition import TruncatedSVD  # see tests/test_import.py

        return TruncatedSVD(n_components, random_state=seed).fit(normalize(rows))

    def _scores(self, X):
        # Return the scores greater than 0, as CSR.
        check_is_fitted(self, "classes_")
        self._validate_params()
        X = validate_rows(self, X)
        queries = _project(self._projection, _as_csr(X))
        similarities = self._index.query(queries, self.n_neighbors, self.n_jobs)
        if self._labels_of_points is None:
            return similarities
        votes = normalize(similarities, norm="l1") @ self._labels_of_points
        votes.sort_indices()
        np.minimum(votes.data, 1, out=votes.data)
        return votes


class NearestNeighborsMatcher(_SimilarityClassifier):
    """Classify rows by a vote of the nearest training rows, by cosine similarity.

    The score of a label is the sum of the similarities of the neighbors that have the label,
    divided by the sum over all neighbors: 1 if all neighbors have it. With ``index="exact"`` and
    without `n_components`, prediction compares a row with all training rows that share a feature
    with it, so its cost grows with their number. The method is that of Cover and Hart (1967),
    "Nearest neighbor pattern classification", IEEE Transactions on Information Theory 13(1), with
    weighted votes.

    As the `matcher` of `XRLinearClassifier`, it works best near the root. On Debian package
    dependencies (37,144 labels, 45,705 training rows; November 2026), precision@1 in percent was
    66.2 with 30 neighbors and ``matcher_level=1``, and 60.9 at the leaf clusters. Linear models
    reached 66.7 and predicted 50 times as fast.

    Parameters
    ----------
    n_neighbors : int, default=10
        Maximum number of training rows that vote. A larger value gives scores to more labels, and
        finer, smoother scores. You can change it after `fit`.
    index : {"exact", "hnswlib"}, default="exact"
        Search method. "exact" compares a query with all training rows. "hnswlib" searches a graph,
        which is approximate, faster with more than about ten thousand rows, and needs the package
        hnswlib.
    n_components : int or None, default=None
        Number of dimensions to which the features are reduced before rows are compared, by
        truncated singular value decomposition (latent semantic analysis). Rows that share no
        feature can then be similar. A larger value is slower and closer to the original features.
        None compares the features themselves for "exact", and means 128 for "hnswlib", which is
        slow in many dimensions.
    n_jobs : int or None, default=None
        Number of threads for prediction, as in joblib. Results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the decomposition and of the graph.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes, or column numbers of the indicator.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if `X` has feature names.

    See Also
    --------
    NearestCentroidMatcher : Compare rows with one vector per label.
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
    >>> model.predict(X[:1]).toarray()
    array([[1, 0, 0]])
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

    def _make_points(self, rows, Y):
        return rows, Y.astype(np.float32)


class NearestCentroidMatcher(_SimilarityClassifier):
    """Classify rows by the nearest label centroids, by cosine similarity.

    The centroid of a label is the sum of its positive rows, each divided by the square root of its
    number of labels (positive instance feature aggregation, as for label trees). The score of a
    label is the cosine of the row and the centroid. The method is that of Rocchio (1971),
    "Relevance feedback in information retrieval".

    As the `matcher` of `XRLinearClassifier` with ``max_leaf_size=1``, every cluster is one label,
    and this search replaces the search in the tree. A label that is alone in its cluster is trained
    without negatives, so the ranking depends on the cosine only. On Debian package dependencies
    (37,144 labels, 45,705 training rows; November 2026), precision@1 in percent was 28.7 with one
    label per cluster, 54.4 with up to 100 labels per leaf cluster, and 66.7 with the linear models
    of the tree.

    Parameters
    ----------
    n_neighbors : int, default=100
        Maximum number of labels found per row. If the classifier is a matcher, the best
        `beam_width` of these clusters are kept. You can change it after `fit`.
    index : {"exact", "hnswlib"}, default="exact"
        Search method. "exact" compares a query with all centroids. "hnswlib" searches a graph,
        which is approximate, faster with more than about ten thousand labels, and needs the package
        hnswlib.
    n_components : int or None, default=None
        Number of dimensions to which the features are reduced before rows are compared, by
        truncated singular value decomposition (latent semantic analysis). Rows that share no
        feature can then be similar. A larger value is slower and closer to the original features.
        None compares the features themselves for "exact", and means 128 for "hnswlib", which is
        slow in many dimensions.
    n_jobs : int or None, default=None
        Number of threads for prediction, as in joblib. Results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the decomposition and of the graph.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes, or column numbers of the indicator.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if `X` has feature names.

    See Also
    --------
    NearestNeighborsMatcher : Compare rows with the training rows.
    sklearn.neighbors.NearestCentroid : Other distances; one class per row only.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from skxmr.matching import NearestCentroidMatcher
    >>> X = sp.csr_array([[1.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> Y = sp.csr_array([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> model = NearestCentroidMatcher(n_neighbors=2).fit(X, Y)
    >>> model.predict_proba(X[:1]).toarray()
    array([[1. , 0.6, 0. ]], dtype=float32)
    >>> model.predict(X[:1]).toarray()
    array([[1, 1, 0]])
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

    def _make_points(self, rows, Y):
        centroids = normalize(Y.astype(np.float32)).T @ rows
        return centroids.tocsr(), None


def _project(projection, rows):
    # hnswlib needs float32; the decomposition of few rows may return float64.
    return rows if projection is None else projection.transform(rows).astype(np.float32, copy=False)


def _as_csr(X):
    indptr, indices, data, n_features = as_rows(X)[:4]
    return csr_of(indptr, indices, data, (X.shape[0], n_features))

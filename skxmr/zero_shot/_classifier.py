"""The meta-estimator that adds labels without training rows to the ranking of an estimator."""

from itertools import pairwise
from numbers import Integral
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone
from sklearn.utils import _safe_indexing, check_random_state, gen_batches, get_tags, indexable
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import _check_method_params, _num_samples, check_is_fitted

from skxmr._core.arrays import as_public_csr, csr_of, offsets_of
from skxmr._core.estimators import (
    SubsetAccuracyMixin,
    find_topk_estimator,
    freeze_params,
    is_frozen,
)
from skxmr._core.label_names import binarize_names, to_names
from skxmr._core.suggestions import SuggestionMixin
from skxmr._core.targets import check_indicator
from skxmr.metrics import Indicator, mark_true_labels
from skxmr.zero_shot._labeled_texts import read_labeled_texts
from skxmr.zero_shot._merging import merge_rankings, raise_to_places
from skxmr.zero_shot._precision_map import PrecisionMap, fit_precision_map
from skxmr.zero_shot._text_search import N_EXPANSION_LABELS, LabelTextSearch, read_vectors

# Fraction of the rows, at most this number of rows, and fraction of the labels that are held out.
HELD_OUT_ROWS = 0.2
MAX_HELD_OUT_ROWS = 20_000
HELD_OUT_LABELS = 0.1
# Labels per held-out row to which the maps are fitted; also the maximum number of labels without
# rows per row that `predict` returns.
N_FITTED_LABELS = 20
# Smallest precision of a label without rows that `predict` returns.
DECISION_THRESHOLD = 0.5
# Number of rows that are ranked at once.
ROWS_PER_BLOCK = 2**13


class LabelTextClassifier(SuggestionMixin, MetaEstimatorMixin, SubsetAccuracyMixin, BaseEstimator):
    """Rank labels that have a text but no training rows, together with the labels of an estimator.

    The estimator ranks the labels with training rows. Labels without rows are found by the
    similarity of their texts and the row, in the features of the estimator. The texts of the labels
    that the estimator predicts are added to the row for this search. Both rankings are merged by
    the precision of their scores, which is measured on held-out rows and labels. A label without
    rows rarely reaches the precision of the best labels with rows, so it also has guaranteed
    `places`.

    Parameters
    ----------
    estimator : estimator
        Classifier with `predict_topk`, or pipeline of transformers and such a classifier, for
        example the result of `skxmr.make_text_classifier`. Not a `FrozenEstimator`.
    label_texts : dict or {ndarray, sparse matrix} of shape (n_labels, n_features)
        Texts of labels, with and without training rows. A dict maps labels to texts, if the
        estimator accepts texts: keys are labels of `y`, new labels, or columns of an indicator. A
        matrix has the features of the text of each column of an indicator `y`, and zeros for labels
        without a text. Labels without rows and without a text are never predicted.
    places : sequence of int, default=(9, 10)
        Places of the ranking, counted from 1, that the best labels without rows have at the latest,
        increasing, from 2 on. They move the labels with rows from the ninth on two places down. The
        first labels stay unless the text of a label fits as well as they do. More places find more
        labels without rows. An empty sequence ranks by precision only.
    random_state : int, RandomState instance or None, default=None
        Seed of the selection of held-out rows and labels.

    Attributes
    ----------
    estimator_ : estimator
        Estimator fitted on all rows.
    classes_ : ndarray of shape (n_labels,)
        Sorted labels of `y` and `label_texts`, or the columns of an indicator: numbers, or names of
        a data frame.
    labels_without_rows_ : ndarray of shape (n_without_rows,)
        Entries of `classes_` that have a text and no training row.
    n_features_in_ : int
        Number of features. Only available if the estimator has this attribute.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features. Only available if the estimator has this attribute.

    See Also
    --------
    skxmr.make_text_classifier : Pipeline from texts to labels.

    Notes
    -----
    `fit` fits a clone of the estimator first, on 80 % of the rows (at least on all rows except for
    20,000), from which 10 % of the labels with texts are removed. The held-out rows and labels show
    which precision a score of the estimator and a similarity have. So a fit takes two to three
    times as long as that of the estimator. A prediction compares each row with all texts of labels
    without rows that share a feature with it.

    On Debian package dependencies, 5 % of the labels with a text lost all rows: recall@10 of these
    labels was 19.0 percent with TF-IDF and 21.2 with embeddings, and precision@1 of the other
    labels did not change (November 2026).

    Labels with at least one training row are ranked by the estimator alone: the similarity of their
    texts did not improve their ranking (November 2026).

    Examples
    --------
    >>> from skxmr import make_text_classifier
    >>> from skxmr.zero_shot import LabelTextClassifier
    >>> texts = ["red apples", "ripe pears", "a fast car", "an old bus", "ripe apples", "a car"]
    >>> topics = [["apple"], ["pear"], ["car"], ["bus"], ["apple"], ["car"]]
    >>> label_texts = {"apple": "apples", "car": "a car", "sports car": "fast red car"}
    >>> classifier = make_text_classifier(random_state=0)
    >>> model = LabelTextClassifier(classifier, label_texts, places=(2,), random_state=0)
    >>> suggestions = model.fit(texts, topics).suggest(["a fast red car"], k=2)
    >>> [name for name, score in suggestions[0]]
    ['car', 'sports car']
    >>> model.labels_without_rows_
    array(['sports car'], dtype=object)
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit"])],
        "label_texts": "no_validation",
        "places": ["array-like"],
        "random_state": ["random_state"],
    }

    def __init__(self, estimator, label_texts, *, places=(9, 10), random_state=None):
        self.estimator = estimator
        self.label_texts = label_texts
        self.places = places
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator).input_tags
        for name in ("sparse", "string", "pairwise", "allow_nan"):
            setattr(tags.input_tags, name, getattr(inner, name))
        tags.classifier_tags.multi_label = True
        tags.classifier_tags.multi_class = False
        return tags

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **fit_params):
        """Fit the maps on held-out rows and labels, and the estimator on all rows.

        Parameters
        ----------
        X : iterable of length n_samples
            Training rows, in any format that the estimator accepts.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels), or list of lists
            Indicator, in which labels without rows have an empty column, or labels of each row.
        **fit_params : dict
            Parameters of the estimator's ``fit``. Parameters with one value per row are indexed
            with the rows.

        Returns
        -------
        self : LabelTextClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range, `y` or `label_texts` is invalid, fewer than two labels
            with training rows have a text, or the estimator is frozen or has no matrix of features.
        TypeError
            If the estimator has no `predict_topk`.
        """
        check_places(self.places)
        if is_frozen(self.estimator):
            raise ValueError(
                "estimator must not be a FrozenEstimator, because fit removes labels from the "
                "training rows; got a FrozenEstimator. Pass the estimator that it contains."
            )
        _check_ranks(self.estimator)
        data = read_labeled_texts(y, self.label_texts)
        X, y = indexable(X, y)
        rng = check_random_state(self.random_state)
        held_out = _hold_out(data, rng)
        params = _check_method_params(X, params=fit_params, indices=held_out.training_rows)
        estimator = clone(self.estimator).fit(
            _safe_indexing(X, held_out.training_rows),
            held_out.Y[held_out.training_rows],
            **params,
        )
        search = _make_search(estimator, data, held_out.is_new)
        maps = _fit_maps(estimator, search, X, data.Y, held_out)
        del estimator
        params = _check_method_params(X, params=fit_params)
        estimator = clone(self.estimator).fit(X, y, **params)
        frequencies = np.bincount(data.Y.indices, minlength=len(data.classes))
        is_new = frequencies[data.columns] == 0
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)
            if hasattr(estimator, name):
                setattr(self, name, getattr(estimator, name))
        self.estimator_ = estimator
        self.classes_ = data.classes
        self.labels_without_rows_ = data.classes[data.columns[is_new]]
        self._target_kind = data.kind
        self._target_dtype = data.dtype
        # Columns of the labels of estimator_: names without a row are unknown to it.
        all_columns = np.arange(len(data.classes), dtype=np.int32)
        self._known_columns = all_columns[frequencies > 0] if data.kind == "names" else all_columns
        self._search = _make_search(estimator, data, is_new)
        self._score_map, self._similarity_map = maps
        return self

    def predict_topk(self, X, k=10):
        """Return the best labels of each row, best first.

        Parameters
        ----------
        X : iterable of length n_samples
            Rows, in any format that the estimator accepts.
        k : int, default=10
            Number of labels per row, limited to the number of labels.

        Returns
        -------
        indices : ndarray of shape (n_samples, min(k, n_labels)), int32
            Positions in `classes_`, best first; -1 if there are fewer labels.
        scores : ndarray of shape (n_samples, min(k, n_labels)), float32
            Scores; -inf if the index is -1. Labels with rows have the score of the estimator.
            Labels without rows have the score with the same precision, or a score just below that
            of the label before their place if this is higher.

        Raises
        ------
        ValueError
            If k is not a positive integer, or the estimator refuses the rows.
        """
        check_is_fitted(self)
        if not isinstance(k, Integral) or isinstance(k, bool) or k < 1:
            raise ValueError(f"k must be an integer >= 1; got {k!r}.")
        k, places = min(int(k), len(self.classes_)), check_places(self.places)

        def rank(estimator, rows):
            labels, scores, found, similarities = self._find(estimator, rows, k)
            new_scores = np.full_like(similarities, -np.inf)
            is_found = found >= 0
            precision = self._similarity_map(similarities[is_found])
            new_scores[is_found] = self._score_map.find_scores(precision)
            new_scores = raise_to_places(scores, new_scores, places)
            return merge_rankings((labels, scores), (found, new_scores), k)

        return tuple(map(np.concatenate, zip(*self._map_blocks(rank, X), strict=True)))

    def predict(self, X):
        """Return the labels that the estimator predicts, and probable labels without rows.

        Parameters
        ----------
        X : iterable of length n_samples
            Rows, in any format that the estimator accepts.

        Returns
        -------
        y : sparse CSR or ndarray of shape (n_samples, n_labels) or (n_samples,)
            Labels in the format and dtype of the `y` passed to ``fit``. The 20 labels without rows
            with the most similar texts are predicted if their precision is at least 0.5.
        """
        check_is_fitted(self)
        n_labels = len(self.classes_)

        def predict(estimator, rows):
            predicted = estimator.predict(rows)
            if self._target_kind == "names":
                Y = binarize_names(predicted, self.classes_)
            else:
                Y = check_indicator(predicted)
            *_, found, similarities = self._find(estimator, rows, N_FITTED_LABELS)
            is_predicted = np.zeros(found.shape, dtype=bool)
            is_found = found >= 0
            precision = self._similarity_map(similarities[is_found])
            is_predicted[is_found] = precision >= DECISION_THRESHOLD
            indptr = offsets_of(np.count_nonzero(is_predicted, axis=1))
            ones = np.ones(indptr[-1], dtype=np.int8)
            return Y + csr_of(indptr, found[is_predicted], ones, (len(found), n_labels))

        Y = sp.csr_array(sp.vstack(self._map_blocks(predict, X)))
        Y.sort_indices()
        if self._target_kind == "names":
            return to_names(Y, self.classes_)
        if self._target_kind == "dense":
            return Y.toarray().astype(self._target_dtype)
        return as_public_csr(Y.indptr, Y.indices, Y.data.astype(self._target_dtype), Y.shape)

    def _map_blocks(self, function, X):
        # Results of `function(estimator, rows)` for consecutive blocks of rows.
        (X,) = indexable(X)
        if _num_samples(X) <= ROWS_PER_BLOCK:
            return [function(self.estimator_, X)]
        estimator = freeze_params(self.estimator_)
        blocks = gen_batches(_num_samples(X), ROWS_PER_BLOCK)
        return [function(estimator, _safe_indexing(X, rows)) for rows in blocks]

    def _find(self, estimator, X, k):
        # Return the known labels and their scores, and the new labels and their similarities.
        vectors, labels, scores = _rank_known(estimator, X, max(k, N_EXPANSION_LABELS))
        labels[labels >= 0] = self._known_columns[labels[labels >= 0]]
        # The columns without rows of an indicator may be at the end of the estimator's ranking.
        is_unknown = (labels >= 0) & self._search.is_new_label[labels]
        if is_unknown.any():
            scores[is_unknown], labels[is_unknown] = -np.inf, -1
            order = np.argsort(-scores, axis=1, kind="stable")
            labels, scores = (np.take_along_axis(a, order, axis=1) for a in (labels, scores))
        precision = self._score_map(scores)
        k = min(k, len(self.labels_without_rows_))
        return labels, scores, *self._search.search(vectors, labels, precision, k)


class HeldOut(NamedTuple):
    """Rows and labels to which the maps are fitted.

    Attributes
    ----------
    rows, training_rows : ndarray of int
        Held-out rows, and the other rows that have a label.
    Y : csr_array of shape (n_samples, n_labels)
        Indicator without the held-out labels.
    is_new : ndarray of shape (n_texts,), bool
        Texts of the held-out labels.
    """

    rows: np.ndarray
    training_rows: np.ndarray
    Y: sp.csr_array
    is_new: np.ndarray


def check_places(places):
    """Return the parameter `places` as a list; raise a ValueError if it is invalid."""
    values = np.asarray(places).tolist()
    is_valid = isinstance(values, list) and all(
        isinstance(place, int) and not isinstance(place, bool) and place >= 2 for place in values
    )
    if not is_valid or any(a >= b for a, b in pairwise(values)):
        raise ValueError(f"places must be increasing integers >= 2; got {places!r}.")
    return values


def _hold_out(data, rng):
    """Choose the `HeldOut` rows and labels of `LabeledTexts`."""
    n_samples, n_labels = data.Y.shape
    has_rows = np.bincount(data.Y.indices, minlength=n_labels) > 0
    candidates = np.flatnonzero(has_rows[data.columns])
    if len(candidates) < 2:
        raise ValueError(
            "label_texts must have texts of at least two labels with training rows, to which their "
            f"similarity is fitted; got {len(candidates)}. A name is a text: pass "
            "{name: name for name in labels}."
        )
    n_held_out = max(1, round(HELD_OUT_LABELS * len(candidates)))
    is_new = np.zeros(len(data.columns), dtype=bool)
    is_new[rng.permutation(candidates)[:n_held_out]] = True
    is_kept = np.ones(n_labels, dtype=bool)
    is_kept[data.columns[is_new]] = False
    entries = is_kept[data.Y.indices]
    indptr = offsets_of(entries)[data.Y.indptr]
    Y = csr_of(indptr, data.Y.indices[entries], data.Y.data[entries], data.Y.shape)
    n_rows = min(max(1, round(HELD_OUT_ROWS * n_samples)), MAX_HELD_OUT_ROWS)
    order = rng.permutation(n_samples)
    training_rows = np.sort(order[n_rows:])
    training_rows = training_rows[np.diff(Y.indptr)[training_rows] > 0]
    if not len(training_rows):
        raise ValueError(
            "y must have labels in more rows: no label is left after 20 % of the rows and 10 % of "
            f"the labels with a text are held out; got {n_samples} rows."
        )
    return HeldOut(np.sort(order[:n_rows]), training_rows, Y, is_new)


def _check_ranks(estimator):
    # A search that is not fitted shows only the methods of its `estimator`.
    parts = estimator, getattr(estimator, "estimator", None)
    if all(find_topk_estimator(part)[0] is None for part in parts):
        raise TypeError(
            "estimator must have predict_topk, or be a pipeline or search that ends with such an "
            f"estimator; got {type(estimator).__name__}."
        )


def _transform(estimator, X):
    """Return the classifier with `predict_topk` of a fitted estimator, and its input for X."""
    ranker, transformers = find_topk_estimator(estimator)
    for transformer in transformers:
        X = transformer.transform(X)
    if not hasattr(X, "shape") or X.ndim != 2 or getattr(X, "dtype", np.dtype("O")).kind in "OSU":
        raise ValueError(
            "estimator must be a pipeline whose first steps convert rows to a matrix of numbers, "
            f"or X must be such a matrix; got rows of type {type(X).__name__}."
        )
    return ranker, X


def _make_search(estimator, data, is_new):
    """Return the `LabelTextSearch` of the features of a fitted estimator."""
    _, features = _transform(estimator, data.texts)
    return LabelTextSearch(read_vectors(features), data.columns, is_new, len(data.classes))


def _rank_known(estimator, X, k):
    """Return the features of rows, and the labels and scores of the estimator."""
    ranker, features = _transform(estimator, X)
    labels, scores = ranker.predict_topk(features, k)
    return read_vectors(features), labels, scores


def _fit_maps(estimator, search, X, Y, held_out):
    """Return the `PrecisionMap` of the estimator's scores, and that of similarities."""
    rows = held_out.rows
    blocks = [
        _rank_known(estimator, _safe_indexing(X, rows[block]), N_FITTED_LABELS)
        for block in gen_batches(len(rows), ROWS_PER_BLOCK)
    ]
    score_map = _fit_map([(labels, scores) for _, labels, scores in blocks], Y[rows])
    k = min(N_FITTED_LABELS, len(search.new_columns))
    found = [
        search.search(vectors, labels, score_map(scores), k) for vectors, labels, scores in blocks
    ]
    return score_map, _fit_map(found, Y[rows])


def _fit_map(rankings, true):
    """Fit a `PrecisionMap` to rankings (labels, scores) of consecutive blocks of rows."""
    labels, scores = map(np.concatenate, zip(*rankings, strict=True))
    true = Indicator(true.indptr, true.indices, true.shape[1])
    rows = np.arange(len(labels))[:, None]
    is_true = mark_true_labels(true, slice(0, len(labels)), rows, labels)
    is_label = labels >= 0
    if not is_label.any():
        return PrecisionMap(np.zeros(1), np.zeros(1))
    return fit_precision_map(scores[is_label], is_true[is_label])

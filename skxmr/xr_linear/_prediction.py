"""Prediction methods of a classifier: rankings, scores and labels, in the format of `y`."""

from functools import lru_cache
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted

from skxmr._core import score_forms
from skxmr._core.arrays import as_public_csr
from skxmr._core.label_names import to_names
from skxmr._core.node_scores import NodeScores, join_rows
from skxmr._core.row_length import warn_about_other_lengths
from skxmr._core.row_search import SparseRow
from skxmr._core.rows import Rows, canonical_rows, in_float32
from skxmr._core.score_rule import ScoreParams, check_score_params
from skxmr._core.single_row import read_single_row
from skxmr._core.suggestions import SuggestionMixin
from skxmr._core.threads import run_tasks, split_rows
from skxmr._core.topk import best_of_rows
from skxmr._core.validation import check_candidates, validate_rows
from skxmr.xr_linear._exact_search import replace_rows
from skxmr.xr_linear._exploration import check_exploration, draw_last_place
from skxmr.xr_linear._label_filter import make_filter, make_selection
from skxmr.xr_linear._path_margins import store_scores

# Smallest probability of a label that `predict` returns.
DECISION_THRESHOLD = 0.5
# Number of scores of a dense result that are converted at once.
DENSE_BLOCK_SCORES = 2**18


class PredictionParams(NamedTuple):
    """Validated parameters of the classifier that act at prediction.

    A prediction reads them once, so that `set_params` in another thread does not mix two values.
    """

    beam_width: int | None
    score_params: ScoreParams
    returns_sparse: bool
    n_jobs: int | None


class RankingPredictionMixin(SuggestionMixin):
    """Prediction methods of a classifier whose `_model` is a `TreeModel` or `TreeEnsemble`."""

    # Mean length of the training rows. Models that earlier versions saved lack it.
    _row_length = 1.0

    def _used_path_weight(self, path_weight, score_transform):
        # The number that `path_weight` means together with a `score_transform`.
        if not (isinstance(path_weight, str) and path_weight == "auto"):
            return path_weight
        # Products of probabilities are probabilities, and sums of margins have no powers.
        names = (score_transform,) if isinstance(score_transform, str) else score_transform
        has_hinges_only = isinstance(names, (list, tuple)) and all("hinge" in str(n) for n in names)
        # Models that earlier versions saved lack path_weight_; their weight was 1.
        return getattr(self, "path_weight_", 1.0) if has_hinges_only else 1.0

    def _prediction_params(self):
        # scikit-learn's check of the fitted state takes longer than the search of a row.
        if not hasattr(self, "hierarchy_"):
            check_is_fitted(self, "hierarchy_")
        score_transform = self.score_transform
        if isinstance(score_transform, list):
            score_transform = tuple(score_transform)
        values = (
            self.beam_width,
            score_transform,
            self.propensity_weight,
            self._used_path_weight(self.path_weight, score_transform),
            self.sparse_output,
            self.n_jobs,
        )
        try:
            hash(values)
        except TypeError:  # not hashable, so invalid
            return _check_prediction_params.__wrapped__(type(self), self._target_kind, *values)
        return _check_prediction_params(type(self), self._target_kind, *values)

    def _read_single_row(self, X):
        names = getattr(self, "feature_names_in_", None)
        return read_single_row(X, self.n_features_in_, names, self._row_length)

    def _check_rows(self, X):
        x = self._read_single_row(X)
        if x is None:
            rows = canonical_rows(validate_rows(self, X, accept_mixed=True))
            if "_row_length" in vars(self):
                warn_about_other_lengths(rows, self._row_length)
            return in_float32(rows, self._row_length)
        return Rows(np.array([0, len(x[0])], dtype=np.int64), *x, self.n_features_in_)

    def _score_params(self):
        score_transform = self.score_transform
        path_weight = self._used_path_weight(self.path_weight, score_transform)
        return check_score_params(score_transform, self.propensity_weight, path_weight)

    def _rank(self, rows, params, finish, k=0, best_first=False, selection=None):
        """Search all rows in blocks; `selection` is a `Selection` of labels, or None.

        Return the results of `finish(ranking, form, start)` of each block, in order; `ranking` is a
        `NodeScores`, `form` the `ScoreForm` of its scores, and `start` the first row of the block.
        """
        beam_width, score_params, model = params.beam_width, params.score_params, self._model
        form = model.score_form(score_params)

        def rank(block, selection):
            filters = None if selection is None else selection.filters
            ranking = model.rank(block, beam_width, score_params, k, best_first, filters)
            if selection is None or not k or beam_width is None:
                return ranking
            # The beam may hold fewer than k of the labels, although there are others.
            short = selection.find_short_rows(ranking.indptr, k)
            if not len(short):
                return ranking
            filters = selection.take(short).filters
            found = model.rank(block.take(short), None, score_params, k, best_first, filters)
            return replace_rows(ranking, short, found)

        def rank_block(start, stop):
            block = rows.block(start, stop)
            if selection is not None and selection.differs_by_row:
                ranking = rank(block, selection.take(np.arange(start, stop)))
            else:
                ranking = _rank_empty_rows_once(lambda part: rank(part, selection), block)
            return finish(ranking, form, start)

        per_row = max(
            model.max_scores(beam_width, k), model.max_clusters(beam_width), rows.numbers_per_row
        )
        blocks = split_rows(rows.n_rows, per_row, params.n_jobs)
        return run_tasks(rank_block, blocks, params.n_jobs, threads_only=True)

    def label_filter(self, classes):
        """Prepare a filter of labels for predictions.

        A prediction with ``labels=classes`` prepares the filter each time, which takes milliseconds
        for 500,000 labels.

        Parameters
        ----------
        classes : array-like of shape (n_allowed,)
            Labels, which are entries of `classes_`: the only ones that a prediction may return.

        Returns
        -------
        LabelFilter
            Value for the parameters `labels` and `exclude` of predictions, until the labels
            change by the next fit or update.

        Raises
        ------
        ValueError
            If there is no label, a label is unknown or repeated, or the classifier has a custom
            matcher or ranker.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> model = XRLinearClassifier(max_leaf_size=10, random_state=0).fit(X, Y)
        >>> in_stock = model.label_filter([3, 15, 66, 87])
        >>> model.predict_topk(X[:2], k=2, labels=in_stock)[0]
        array([[87, 66],
               [15, 66]], dtype=int32)
        """
        self._prediction_params()  # raises an error if it is not fitted
        return make_filter(classes, self.classes_, self._model)

    def _select(self, labels, exclude, n_rows):
        return make_selection(labels, exclude, self.classes_, n_rows, self._model)

    def predict_topk(self, X, k=10, *, labels=None, exclude=None, format="arrays"):
        """Return the best labels of each row, best first.

        This is the fastest way to a ranking, in particular for a single row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. A single sorted CSR row of dtype float32 is ranked without further conversion.
            All rows without nonzero values get the same ranking.
        k : int, default=10
            Number of labels per row, limited to the number of labels of the classifier.
        labels : array-like, sparse matrix, LabelFilter or None, default=None
            The only labels that may be returned: entries of `classes_` for all rows, a list of them
            per row, a mask of shape (n_samples, n_labels), or the result of `label_filter`. The
            search opens only clusters with such labels. If the beam holds fewer than k of them, all
            their clusters are searched. None allows all labels.
        exclude : array-like, sparse matrix, LabelFilter or None, default=None
            Labels that are not returned, in the same formats. A row gets the next best labels
            instead.
        format : {"arrays", "csr"}, default="arrays"
            Format of the result. "arrays": two arrays, padded if a row has fewer than k labels.
            "csr": one sparse matrix without padding.

        Returns
        -------
        indices : ndarray of shape (n_samples, min(k, n_labels)), int32
            Columns of `y`, which are positions in `classes_`, best first; -1 if the clusters of the
            beam contain fewer labels.
        scores : ndarray of shape (n_samples, min(k, n_labels)), float32
            Scores as determined by `score_transform`: numbers in (0, 1], their logarithms for a
            log- transform, or sums of margins for "identity". With several trees, the mean of the
            probabilities of the trees, or its logarithm. -inf if the index is -1. Labels with equal
            scores are sorted by the sum of the margins on their paths, then by index.
        matrix : sparse CSR of shape (n_samples, n_labels), float32
            Only for "csr", instead of the arrays: the scores of the best labels, with sorted
            indices.

        Raises
        ------
        ValueError
            If k is not a positive integer, `format` is unknown, X does not match the training data,
            or `labels` or `exclude` contains unknown or repeated labels, has another number of
            rows, or leaves no label.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> model = XRLinearClassifier(max_leaf_size=10, random_state=0).fit(X, Y)
        >>> labels, scores = model.predict_topk(X[:2], k=3)
        >>> labels
        array([[87, 65, 18],
               [15, 66, 18]], dtype=int32)
        >>> scores.round(2)
        array([[0.9 , 0.87, 0.82],
               [0.78, 0.77, 0.01]], dtype=float32)
        """
        if not isinstance(k, Integral) or isinstance(k, bool) or k < 1:
            raise ValueError(f"k must be an integer >= 1; got {k!r}.")
        if format != "arrays":
            return self._rank_as_csr(X, k, labels, exclude, format)
        params = self._prediction_params()
        k = min(int(k), len(self.classes_))
        x = self._read_single_row(X)
        if x is not None:
            score_params = params.score_params
            selection = self._select(labels, exclude, 1)
            ranking = self._rank_row(SparseRow(*x), params, k, selection)
            shown = self._model.score_form(score_params).shown(ranking.scores)
            return score_forms.pad_ranking(ranking.ids[None], shown[None], k)

        def finish(ranking, form, start):
            shown = form.shown(ranking.scores)
            return score_forms.pad_ranked_rows(ranking.indptr, ranking.ids, shown, k)

        rows = self._check_rows(X)
        selection = self._select(labels, exclude, rows.n_rows)
        blocks = self._rank(rows, params, finish, k, True, selection)
        columns, scores = zip(*blocks, strict=True)
        return np.concatenate(columns), np.concatenate(scores)

    def _rank_row(self, x, params, k, selection):
        # The `RowScores` of one `SparseRow`, best first.
        model, beam_width, score_params = self._model, params.beam_width, params.score_params
        if selection is None:
            return model.rank_row(x, beam_width, score_params, k)
        ranking = model.rank_row(x, beam_width, score_params, k, selection.filters)
        n_available = selection.n_available
        n_wanted = min(k, n_available[0] if selection.differs_by_row else n_available)
        if beam_width is None or ranking.size >= n_wanted:
            return ranking
        return model.rank_row(x, None, score_params, k, selection.filters)

    def _rank_as_csr(self, X, k, labels, exclude, format):
        if format != "csr":
            raise ValueError(f"format must be 'arrays' or 'csr'; got {format!r}.")
        form = self._model.score_form(self._prediction_params().score_params)
        ranking = self._rank_best(X, k, labels, exclude)
        ranking = NodeScores(*best_of_rows(*ranking, 0, False))
        shape = (ranking.n_rows, len(self.classes_))
        return as_public_csr(ranking.indptr, ranking.ids, form.shown(ranking.scores), shape)

    def sample_topk(
        self,
        X,
        k=5,
        *,
        n_candidates=10,
        gamma=100.0,
        random_state=None,
        labels=None,
        exclude=None,
    ):
        """Return labels to show, the last one drawn at random, with their propensities.

        Feedback such as clicks exists only for labels that were shown. If the k best labels are
        always shown, a model never learns that another label is better. Here, the k - 1 best labels
        are shown, and one of the next best is drawn by inverse-gap weighting [1]_ [2]_: of n
        remaining candidates, a label with the score s is drawn with the probability
        ``1 / (n + gamma * (t - s))``, where t is the best of their scores. The label with the score
        t has the rest of the probability.

        Store the propensities with the feedback. To train with it, divide each positive by its
        propensity, for example ``fit(X, clicked, relevance=clicked / propensities)`` with
        ``relevance_norm=None``. To estimate how another model would have performed, divide the
        feedback for the labels that it ranks first.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        k : int, default=5
            Number of labels per row, limited to the number of labels of the classifier. With 1, the
            only label is drawn.
        n_candidates : int, default=10
            Number of best labels of a row that may be shown, at least `k`. Other labels have the
            propensity 0. A larger value explores more labels, each more rarely.
        gamma : float, default=100.0
            Weight of the gaps between scores, at least 0. A larger value explores less. With 0, all
            candidates of the last place are equally likely. In theory, it grows with the square
            root of the number of rows that are ranked [1]_.
        random_state : int, RandomState instance or None, default=None
            Seed. The draw for a row depends on the seed, the number of the row in `X` and its
            scores, but not on the other rows or `n_jobs`. An integer gives the same draws in each
            call: for rows in separate calls, pass None, or the same RandomState instance.
        labels, exclude : array-like, sparse matrix, LabelFilter or None, default=None
            Labels that may be shown, or not; see `predict_topk`.

        Returns
        -------
        indices : ndarray of shape (n_samples, min(k, n_labels)), int32
            Columns of `y`, which are positions in `classes_`: the best labels, best first, and last
            the drawn label. -1 if the clusters of the beam contain fewer labels.
        propensities : ndarray of shape (n_samples, min(k, n_labels)), float64
            Probability that the label is shown for this row: 1 except for the drawn label. 0 if the
            index is -1.

        Raises
        ------
        ValueError
            If a parameter is out of range, or `predict_topk` would raise it.

        References
        ----------
        .. [1] D. J. Foster, A. Rakhlin (2020). "Beyond UCB: Optimal and Efficient Contextual
           Bandits with Regression Oracles". ICML.
        .. [2] R. Sen, A. Rakhlin, L. Ying, R. Kidambi, D. Foster, D. Hill, I. S. Dhillon (2021).
           "Top-k eXtreme Contextual Bandits with Arm Hierarchy". ICML.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> model = XRLinearClassifier(max_leaf_size=10, random_state=0).fit(X, Y)
        >>> shown, propensities = model.sample_topk(X[:2], k=3, random_state=0)
        >>> shown
        array([[87, 65, 18],
               [15, 66, 38]], dtype=int32)
        >>> propensities.round(3)
        array([[1.   , 1.   , 0.843],
               [1.   , 1.   , 0.118]])
        """
        check_exploration(k, n_candidates, gamma)
        params, rows = self._prediction_params(), self._check_rows(X)
        k, n_candidates = (min(int(n), len(self.classes_)) for n in (k, n_candidates))
        selection = self._select(labels, exclude, rows.n_rows)
        uniform = check_random_state(random_state).random_sample(rows.n_rows)

        def finish(ranking, form, start):
            probabilities = form.probabilities(ranking.scores)
            ids, scores = score_forms.pad_ranked_rows(
                ranking.indptr, ranking.ids, probabilities, n_candidates
            )
            numbers = uniform[start : start + ranking.n_rows]
            return draw_last_place(ids, scores, k, gamma, numbers)

        blocks = self._rank(rows, params, finish, n_candidates, True, selection)
        columns, propensities = zip(*blocks, strict=True)
        return np.concatenate(columns), np.concatenate(propensities)

    def predict_proba(self, X, *, labels=None, exclude=None):
        """Return a score between 0 and 1 for the labels of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        labels, exclude : array-like, sparse matrix, LabelFilter or None, default=None
            Labels that may get a score, or not; see `predict_topk`.

        Returns
        -------
        scores : CSR matrix or ndarray of shape (n_samples, n_classes), float32
            Transformed margin of each label, times the product of the transformed margins of its
            clusters to the power `path_weight`; for
            ``score_transform="identity"``, the logistic function of the sum of the margins. If `y`
            was sparse: only the labels of the beam, positive, with sorted indices. If `y` was a
            dense indicator: all labels, just above 0 outside the beam. For classes, each row sums
            to 1. Labels that are not selected count as outside the beam.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> model = XRLinearClassifier(max_leaf_size=10, random_state=0).fit(X, Y)
        >>> P = model.predict_proba(X[:1])
        >>> P.nnz, round(float(P.max()), 2)
        (100, 0.9)
        """
        params, rows = self._prediction_params(), self._check_rows(X)
        selection = self._select(labels, exclude, rows.n_rows)
        if params.returns_sparse:
            return self._sparse_probabilities(rows, params, selection)
        if self._target_kind == "classes":
            convert = score_forms.to_class_probabilities
            return self._dense_scores(rows, params, convert, selection)
        return self._dense_scores(rows, params, score_forms.to_probabilities, selection)

    def decision_function(self, X):
        """Return a score for the labels of each row; a higher score is more likely.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : CSR matrix or ndarray of shape (n_samples, n_classes) or (n_samples,), float32
            If `y` was sparse: equal to `predict_proba`, because an absent entry of a sparse matrix
            would be higher than a negative score. If `y` was a dense indicator: log-odds, with a
            finite minimum outside the beam. For classes: logarithm of `predict_proba`; for two
            classes, the 1-D log-odds of the second.
        """
        params, rows = self._prediction_params(), self._check_rows(X)
        if params.returns_sparse:
            return self._sparse_probabilities(rows, params)
        if self._target_kind == "classes":
            return self._dense_scores(rows, params, score_forms.to_class_decisions)
        return self._dense_scores(rows, params, score_forms.to_log_odds)

    def predict(self, X, *, labels=None, exclude=None):
        """Return the labels with a score of at least 0.5, or the best class.

        By default a score is a product over the levels. Few labels reach 0.5, and most of these
        are correct. Use `predict_topk` for a ranking, or
        `TunedThresholdMultilabelClassifierCV` for another threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        labels, exclude : array-like, sparse matrix, LabelFilter or None, default=None
            Labels that may be predicted, or not; see `predict_topk`.

        Returns
        -------
        y : CSR matrix or ndarray of shape (n_samples, n_labels) or (n_samples,)
            Predictions with the format and dtype of the `y` given to `fit`. For lists of labels,
            an array with a tuple of labels per row, in the order of `classes_`.
        """
        params, rows = self._prediction_params(), self._check_rows(X)
        selection = self._select(labels, exclude, rows.n_rows)
        if self._target_kind == "classes":
            if selection is not None and not np.all(selection.n_available):
                row = int(np.argmin(selection.n_available))
                raise ValueError(
                    f"labels and exclude must leave a class for each row; row {row} has none."
                )
            best = self._rank(rows, params, lambda ranking, *_: ranking.ids, 1, True, selection)
            return self.classes_[np.concatenate(best)]

        def finish(ranking, form, start):
            is_predicted = form.probabilities(ranking.scores) >= DECISION_THRESHOLD
            indptr = np.concatenate(([0], np.cumsum(is_predicted)))[ranking.indptr]
            return indptr, ranking.ids[is_predicted], np.ones(indptr[-1], dtype=np.int8)

        Y = self._join_blocks(self._rank(rows, params, finish, selection=selection))
        if self._target_kind == "names":
            return to_names(Y, self.classes_)
        Y = Y if params.returns_sparse else Y.toarray()
        return Y.astype(self._target_dtype, copy=False)

    def score_candidates(self, X, candidates):
        """Score given labels of each row, and no others.

        No beam is used. A label gets the score that `predict_proba` returns with
        ``beam_width=None``; with several trees, the mean of its scores of all trees. Only the
        clusters above the candidates are scored, so the cost depends on the number of candidates
        and not on the number of labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        candidates : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Labels to score: the stored entries of a sparse matrix, whatever their values, or the
            nonzero entries of an array.

        Returns
        -------
        scores : CSR matrix of shape (n_samples, n_labels), float32
            Scores in (0, 1] of the entries of `candidates`, with sorted indices. For classes, the
            scores before each row is scaled to sum to 1.

        Raises
        ------
        ValueError
            If `candidates` has another shape, X does not match the training data, or the classifier
            has a custom matcher or ranker.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> model = XRLinearClassifier(max_leaf_size=10, random_state=0).fit(X, Y)
        >>> scores = model.score_candidates(X, Y)
        >>> scores.shape, scores.nnz == Y.nnz
        ((500, 100), True)
        >>> round(float(scores.data.mean()), 2)
        0.66
        """
        params, rows = self._prediction_params(), self._check_rows(X)
        score_params = params.score_params
        shape = (rows.n_rows, len(self.classes_))
        indptr, labels = check_candidates(candidates, shape)
        score = self._model.candidate_scorer(score_params)
        form = self._model.score_form(score_params)

        def score_block(start, stop):
            first, last = indptr[start], indptr[stop]
            block_indptr = indptr[start : stop + 1] - first
            scores = score(rows.block(start, stop), block_indptr, labels[first:last])
            return form.probabilities(scores)

        per_row = max(1, int(np.diff(indptr).max(initial=0)), rows.numbers_per_row)
        blocks = split_rows(rows.n_rows, per_row, params.n_jobs)
        scores = np.concatenate(run_tasks(score_block, blocks, params.n_jobs, threads_only=True))
        return as_public_csr(indptr, labels, scores, shape)

    def _store_scores(self, X, searches, k):
        # The `StoredScores` of the k best labels that each of the `ScoreParams` finds.
        params, rows = self._prediction_params(), self._check_rows(X)
        return store_scores(self._model, rows, params.beam_width, searches, k, params.n_jobs)

    def _rank_best(self, X, k, labels=None, exclude=None):
        # The `NodeScores` of the k best labels of each row, best first.
        params, rows = self._prediction_params(), self._check_rows(X)
        k = min(k, len(self.classes_))
        selection = self._select(labels, exclude, rows.n_rows)
        blocks = self._rank(rows, params, lambda ranking, *_: ranking, k, True, selection)
        return NodeScores(*join_rows(blocks))

    def _sparse_probabilities(self, rows, params, selection=None):
        def finish(ranking, form, start):
            return ranking.indptr, ranking.ids, form.probabilities(ranking.scores)

        return self._join_blocks(self._rank(rows, params, finish, selection=selection))

    def _join_blocks(self, blocks):
        indptr, labels, values = join_rows(blocks)
        return as_public_csr(indptr, labels, values, (len(indptr) - 1, len(self.classes_)))

    def _dense_scores(self, rows, params, convert, selection=None):
        # Return `convert(log_scores)` of all labels. It is called for a few rows at a time, because
        # it needs several times the memory of its result.
        n_labels = len(self.classes_)
        no_rows = convert(np.empty((0, n_labels), dtype=np.float32))
        scores = np.empty((rows.n_rows, *no_rows.shape[1:]), dtype=np.float32)
        step = max(1, DENSE_BLOCK_SCORES // n_labels)

        def finish(ranking, form, start):
            for first in range(0, ranking.n_rows, step):
                block = ranking.block(first, min(first + step, ranking.n_rows))
                logs = form.log_probabilities(block.scores)
                logs = score_forms.to_dense_log_scores(block.indptr, block.ids, logs, n_labels)
                block_scores = convert(logs)
                if self._target_kind == "classes":
                    score_forms.put_first(block_scores, best_of_rows(*block, 1, True)[1])
                scores[start + first : start + first + len(logs)] = block_scores

        self._rank(rows, params, finish, selection=selection)
        return scores


# scikit-learn's validation of a parameter takes as long as the search of a row. The results depend
# only on the values, so a prediction validates only values that it has not seen before.
@lru_cache(maxsize=128, typed=True)
def _check_prediction_params(
    classifier_class,
    target_kind,
    beam_width,
    score_transform,
    propensity_weight,
    path_weight,
    sparse_output,
    n_jobs,
):
    values = {
        "beam_width": beam_width,
        "score_transform": score_transform,
        "propensity_weight": propensity_weight,
        "path_weight": path_weight,
        "sparse_output": sparse_output,
        "n_jobs": n_jobs,
    }
    constraints = classifier_class._parameter_constraints
    validate_parameter_constraints(
        {name: constraints[name] for name in values}, values, classifier_class.__name__
    )
    returns_sparse = target_kind in ("sparse", "names")
    if sparse_output != "auto" and target_kind != "classes":
        returns_sparse = sparse_output
    score_params = check_score_params(score_transform, propensity_weight, path_weight)
    return PredictionParams(beam_width, score_params, returns_sparse, n_jobs)


def _rank_empty_rows_once(rank, rows):
    # Rows without features all have the same ranking. It takes the longest of all rows in an exact
    # search: the scores depend only on the intercepts, so many clusters have similar scores.
    is_empty = np.diff(rows.indptr) == 0
    if np.count_nonzero(is_empty) < 2:
        return rank(rows)
    ranked = np.append(np.flatnonzero(~is_empty), np.argmax(is_empty))
    positions = np.full(rows.n_rows, len(ranked) - 1)
    positions[ranked] = np.arange(len(ranked))
    return rank(rows.take(ranked)).take(positions)

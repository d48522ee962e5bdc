"""Prediction methods of a classifier: rankings, scores and labels, in the format of `y`."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skxmr._core import score_forms
from skxmr._core.arrays import as_public_csr
from skxmr._core.node_scores import join_rows
from skxmr._core.rows import as_rows
from skxmr._core.score_rule import check_score_params
from skxmr._core.threads import run_tasks, split_rows
from skxmr._core.validation import check_candidates, needs_no_conversion, validate_rows

# Smallest probability of a label that `predict` returns.
DECISION_THRESHOLD = 0.5


class RankingPredictionMixin:
    """Prediction methods of a classifier whose `_model` is a `TreeModel` or `TreeEnsemble`."""

    def _check_rows(self, X):
        check_is_fitted(self, "hierarchy_")
        self._validate_params()
        return as_rows(validate_rows(self, X))

    def _score_params(self):
        return check_score_params(self.score_transform, self.propensity_weight)

    def _rank(self, rows, finish, k=0, best_first=False):
        """Search all rows in blocks.

        Return the results of `finish(ranking, form)` of each block, in order; `ranking` is a
        `NodeScores` and `form` the `ScoreForm` of its scores.
        """
        score_params, model, beam_width = self._score_params(), self._model, self.beam_width
        form = model.score_form(score_params)

        def rank_block(start, stop):
            ranking = model.rank(rows.block(start, stop), beam_width, score_params, k, best_first)
            return finish(ranking, form)

        per_row = max(model.max_scores(beam_width, k), model.max_clusters(beam_width))
        blocks = split_rows(rows.n_rows, per_row, self.n_jobs)
        return run_tasks(rank_block, blocks, self.n_jobs, threads_only=True)

    def predict_topk(self, X, k=10):
        """Return the best labels of each row, best first.

        This is the fastest way to a ranking, in particular for a single row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows. A single CSR row of dtype float32 is ranked without further conversion.
        k : int, default=10
            Number of labels per row.

        Returns
        -------
        indices : ndarray of shape (n_samples, k), int32
            Columns of `y`, which are positions in `classes_`, best first; -1 if the clusters of the
            beam contain fewer than k labels.
        scores : ndarray of shape (n_samples, k), float32
            Scores as determined by `score_transform`: numbers in (0, 1], their logarithms for a
            log- transform, or sums of margins for "identity". With several trees, the mean of the
            probabilities of the trees, or its logarithm. -inf if the index is -1. Labels with equal
            scores are sorted by index.

        Raises
        ------
        ValueError
            If k is not a positive integer, or X does not match the training data.

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
        if not isinstance(k, Integral) or isinstance(k, bool) or not 1 <= k < 2**31:
            raise ValueError(f"k must be an integer >= 1; got {k!r}.")
        k = int(k)
        if self._takes_plain_row(X):
            score_params = self._score_params()
            x = (X.indices, X.data)
            labels, scores = self._model.rank_row(x, self.beam_width, score_params, k)
            shown = self._model.score_form(score_params).shown(scores)
            return score_forms.pad_ranking(labels[None], shown[None], k)

        def finish(ranking, form):
            shown = form.shown(ranking.scores)
            return score_forms.pad_ranked_rows(ranking.indptr, ranking.ids, shown, k)

        labels, scores = zip(*self._rank(self._check_rows(X), finish, k, True), strict=True)
        return np.concatenate(labels), np.concatenate(scores)

    def _takes_plain_row(self, X):
        # Whether X and all parameters of the score need no validation. All other cases, including
        # all errors, take the slower path.
        return (
            hasattr(self, "hierarchy_")
            and not hasattr(self, "feature_names_in_")
            and (type(self.beam_width) is int or self.beam_width is None)
            and (self.beam_width is None or 0 < self.beam_width < 2**31)
            and type(self.score_transform) in (str, tuple)
            and type(self.propensity_weight) in (int, float)
            and 0 <= self.propensity_weight < np.inf
            and needs_no_conversion(X, self.n_features_in_)
        )

    def predict_proba(self, X):
        """Return a score between 0 and 1 for the labels of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : CSR matrix or ndarray of shape (n_samples, n_classes), float32
            Product of the transformed margins on the path of each label; for
            ``score_transform="identity"``, the logistic function of the sum of the margins. If `y`
            was sparse: only the labels of the beam, positive, with sorted indices. If `y` was a
            dense indicator: all labels, just above 0 outside the beam. For classes, each row sums
            to 1.

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
        if self._returns_sparse():
            return self._sparse_probabilities(X)
        logs = self._dense_logs(X)
        if self._target_kind == "classes":
            return score_forms.to_class_probabilities(logs)
        return score_forms.to_probabilities(logs)

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
        if self._returns_sparse():
            return self._sparse_probabilities(X)
        logs = self._dense_logs(X)
        if self._target_kind == "classes":
            return score_forms.to_class_decisions(logs)
        return score_forms.to_log_odds(logs)

    def predict(self, X):
        """Return the labels with a score of at least 0.5, or the best class.

        By default a score is a product over the levels. In a deep tree few labels reach 0.5, and
        most of these are correct. Use `predict_topk` for a ranking, or
        `TunedThresholdMultilabelClassifierCV` for another threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : CSR matrix or ndarray of shape (n_samples, n_labels) or (n_samples,)
            Predictions with the format and dtype of the `y` given to `fit`.
        """
        rows = self._check_rows(X)
        if self._target_kind == "classes":
            best = self._rank(rows, lambda ranking, form: ranking.ids, 1, True)
            return self.classes_[np.concatenate(best)]

        def finish(ranking, form):
            is_predicted = form.probabilities(ranking.scores) >= DECISION_THRESHOLD
            indptr = np.concatenate(([0], np.cumsum(is_predicted)))[ranking.indptr]
            return indptr, ranking.ids[is_predicted], np.ones(indptr[-1], dtype=np.int8)

        Y = self._join_blocks(self._rank(rows, finish))
        return (Y if self._returns_sparse() else Y.toarray()).astype(self._target_dtype)

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
        rows, score_params = self._check_rows(X), self._score_params()
        shape = (rows.n_rows, len(self.classes_))
        indptr, labels = check_candidates(candidates, shape)
        score = self._model.candidate_scorer(score_params)
        form = self._model.score_form(score_params)

        def score_block(start, stop):
            first, last = indptr[start], indptr[stop]
            block_indptr = indptr[start : stop + 1] - first
            scores = score(rows.block(start, stop), block_indptr, labels[first:last])
            return form.probabilities(scores)

        per_row = max(1, int(np.diff(indptr).max(initial=0)))
        blocks = split_rows(rows.n_rows, per_row, self.n_jobs)
        scores = np.concatenate(run_tasks(score_block, blocks, self.n_jobs, threads_only=True))
        return as_public_csr(indptr, labels, scores, shape)

    def _returns_sparse(self):
        check_is_fitted(self, "hierarchy_")
        if self.sparse_output == "auto" or self._target_kind == "classes":
            return self._target_kind == "sparse"
        return self.sparse_output

    def _sparse_probabilities(self, X):
        def finish(ranking, form):
            return ranking._replace(scores=form.probabilities(ranking.scores))

        return self._join_blocks(self._rank(self._check_rows(X), finish))

    def _join_blocks(self, blocks):
        indptr, labels, values = join_rows(blocks)
        return as_public_csr(indptr, labels, values, (len(indptr) - 1, len(self.classes_)))

    def _dense_logs(self, X):
        def finish(ranking, form):
            return ranking._replace(scores=form.log_probabilities(ranking.scores))

        indptr, labels, logs = join_rows(self._rank(self._check_rows(X), finish))
        return score_forms.to_dense_log_scores(indptr, labels, logs, len(self.classes_))

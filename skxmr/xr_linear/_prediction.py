"""How a fitted classifier answers: rankings, scores and labels, in the form of the targets."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from skxmr._core import score_forms
from skxmr._core.score_rule import COMBINATIONS, check_scoring
from skxmr._core.threads import row_blocks, run_tasks
from skxmr._core.validation import (
    FLOATS,
    as_candidates,
    as_public_csr,
    as_row_arrays,
    is_plain_row,
    row_block,
)


class RankingPredictionMixin:
    """The prediction methods of a classifier whose `_model` ranks rows; see `TreeModel`."""

    def _rows(self, X):
        check_is_fitted(self, "hierarchy_")
        self._validate_params()
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        return as_row_arrays(X)

    def _scoring(self):
        return check_scoring(self.score_transform, self.score_combination, self.propensity_weight)

    def _rank(self, rows, finish, k=0, best_first=False):
        """Search every row; return what `finish` makes of the (indptr, labels, scores) of each
        block of rows, and of the form of these scores, in order.
        """
        scoring = self._scoring()
        form = self._model.score_form(scoring)

        def rank_block(start, stop):
            block = row_block(rows, start, stop)
            ranking = self._model.rank(block, self.beam_width, scoring, k, best_first)
            return finish(*ranking, form)

        model, width = self._model, self.beam_width
        per_row = max(model.most_scores(width, k), model.most_clusters(width))
        blocks = row_blocks(len(rows[0]) - 1, per_row, self.n_jobs)
        return run_tasks(rank_block, blocks, self.n_jobs, shared=True)

    def predict_topk(self, X, k=10):
        """Return the best labels of each row in order: the fast way to a ranking.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        k : int, default=10
            Number of labels wanted.

        Returns
        -------
        indices : ndarray of shape (n_samples, k), int32
            Columns of `y` (places in `classes_`), best first; -1 where the beam held fewer than k.
        scores : ndarray of shape (n_samples, k), float32
            As `score_transform` and `score_combination` say: numbers in (0, 1], their logarithms
            for a log- transform, or margins for "identity"; of several trees the mean of what
            `predict_proba` gives, or its logarithm. -inf where the index is -1. Equal scores are in
            the order of their labels.

        Raises
        ------
        ValueError
            If k is not a positive integer, or X does not fit the training data.
        """
        if not isinstance(k, Integral) or isinstance(k, bool) or not 1 <= k < 2**31:
            raise ValueError(f"k must be an integer from 1 up; got {k!r}.")
        k = int(k)
        if self._takes_plain_row(X):
            scoring = self._scoring()
            x = (X.indices, X.data)
            labels, scores = self._model.rank_row(x, self.beam_width, scoring, k)
            shown = self._model.score_form(scoring).shown(scores)
            return score_forms.pad_ranking(labels[None], shown[None], k)

        def finish(indptr, labels, scores, form):
            return score_forms.rank_rows(indptr, labels, form.shown(scores), k)

        labels, scores = zip(*self._rank(self._rows(X), finish, k, True), strict=True)
        return np.concatenate(labels), np.concatenate(scores)

    def _takes_plain_row(self, X):
        # The short way is for the plainest case; everything else, errors too, goes the long way.
        return (
            hasattr(self, "hierarchy_")
            and not hasattr(self, "feature_names_in_")
            and (type(self.beam_width) is int or self.beam_width is None)
            and (self.beam_width is None or 0 < self.beam_width < 2**31)
            and type(self.score_transform) in (str, tuple)
            and type(self.score_combination) is str
            and self.score_combination in COMBINATIONS
            and type(self.propensity_weight) in (int, float)
            and 0 <= self.propensity_weight < np.inf
            and is_plain_row(X, self.n_features_in_)
        )

    def predict_proba(self, X):
        """Return a score between 0 and 1 for labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : sparse CSR or ndarray of shape (n_samples, n_classes), float32
            The transformed margins on the label's path, joined; sums of margins go through the
            logistic function. Sparse: labels of the beam only, positive, indices sorted. Dense,
            indicator: all labels, just above 0 outside the beam. For classes each row sums to 1.
        """
        if self._returns_sparse():
            return self._sparse(X)
        logs = self._dense_logs(X)
        if self._target_kind == "classes":
            return score_forms.class_probabilities(logs)
        return score_forms.open_interval(logs)

    def decision_function(self, X):
        """Return a score for labels: higher is more likely.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : sparse CSR or ndarray of shape (n_samples, n_classes) or (n_samples,), float32
            Sparse: as `predict_proba`, since a missing entry would outrank negative scores.
            Dense, indicator: log-odds, finite, lowest outside the beam. Classes: logarithm of
            `predict_proba`; for two classes the log-odds of the second, 1-D.
        """
        if self._returns_sparse():
            return self._sparse(X)
        logs = self._dense_logs(X)
        if self._target_kind == "classes":
            return score_forms.class_log_scores(logs)
        return score_forms.log_odds(logs)

    def predict(self, X):
        """Return the labels whose score is at least one half, or the best class.

        By default a score is a product over levels: few labels of a deep tree reach one half, and
        most of those are right; `predict_topk` and thresholds of one's own see the rest.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : sparse CSR or ndarray of shape (n_samples, n_labels) or (n_samples,)
            In the form and dtype of the `y` that was fitted.
        """
        rows = self._rows(X)
        if self._target_kind == "classes":
            best = self._rank(rows, lambda indptr, labels, *scores: labels, 1, True)
            return self.classes_[np.concatenate(best)]

        def finish(indptr, labels, scores, form):
            likely = form.probabilities(scores) >= 0.5
            edges = np.concatenate(([0], np.cumsum(likely)))[indptr]
            return edges, labels[likely], np.ones(edges[-1], dtype=np.int8)

        Y = self._joined(self._rank(rows, finish))
        return (Y if self._returns_sparse() else Y.toarray()).astype(self._target_dtype)

    def score_candidates(self, X, candidates):
        """Score given labels of each row, and no others.

        No beam: a label has the score that `predict_proba` gives it with ``beam_width=None``, and
        of several trees the mean of all its scores. Only the clusters above the candidates are
        scored, so the cost grows with the candidates and not with the number of labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        candidates : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Labels to score: the stored entries of a sparse matrix, whatever their values, or what
            is not 0 in an array.

        Returns
        -------
        scores : sparse CSR of shape (n_samples, n_labels), float32
            The entries of `candidates` with scores in (0, 1]; indices sorted. For classes as they
            are before each row is scaled to sum to 1.

        Raises
        ------
        ValueError
            If `candidates` has another shape, X does not fit the training data, several trees vote
            by rank, which candidates alone do not have, or there is a matcher or ranker of the
            user's own.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> model = XRLinearClassifier(max_leaf_size=10, random_state=0).fit(X, Y)
        >>> scores = model.score_candidates(X, Y)
        >>> scores.shape, scores.nnz == Y.nnz
        ((500, 100), True)
        """
        rows, scoring = self._rows(X), self._scoring()
        shape = (len(rows[0]) - 1, len(self.classes_))
        indptr, labels = as_candidates(candidates, shape)
        scorer = self._model.candidate_scorer(scoring)
        form = self._model.score_form(scoring)

        def score_block(start, stop):
            first, last = indptr[start], indptr[stop]
            within = indptr[start : stop + 1] - first
            return form.probabilities(
                scorer(row_block(rows, start, stop), within, labels[first:last])
            )

        per_row = max(1, int(np.diff(indptr).max(initial=0)))
        blocks = row_blocks(shape[0], per_row, self.n_jobs)
        scores = np.concatenate(run_tasks(score_block, blocks, self.n_jobs, shared=True))
        return as_public_csr(indptr, labels, scores, shape)

    def _returns_sparse(self):
        check_is_fitted(self, "hierarchy_")
        if self.sparse_output == "auto" or self._target_kind == "classes":
            return self._target_kind == "sparse"
        return self.sparse_output

    def _sparse(self, X):
        def finish(indptr, labels, scores, form):
            return indptr, labels, form.probabilities(scores)

        return self._joined(self._rank(self._rows(X), finish))

    def _joined(self, blocks):
        indptr, labels, values = score_forms.join_rows(blocks)
        return as_public_csr(indptr, labels, values, (len(indptr) - 1, len(self.classes_)))

    def _dense_logs(self, X):
        def finish(indptr, labels, scores, form):
            return indptr, labels, form.log_probabilities(scores)

        rows = score_forms.join_rows(self._rank(self._rows(X), finish))
        return score_forms.dense_rows(*rows, len(self.classes_))

"""How a fitted classifier answers: rankings, scores and labels, in the form of the targets."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from skxmr._core import score_forms
from skxmr._core.threads import row_blocks, run_tasks
from skxmr._core.validation import FLOATS, as_public_csr, as_row_arrays, is_plain_row


class RankingPredictionMixin:
    """The prediction methods of a classifier whose `_model` ranks rows; see `TreeModel`."""

    def _rows(self, X):
        check_is_fitted(self, "hierarchy_")
        self._validate_params()
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        return as_row_arrays(X)

    def _rank(self, rows, k=0, best_first=False, finish=None):
        """Search every row; return what `finish` makes of the (indptr, labels, log scores) of
        each block of rows, in order.
        """

        def rank_block(start, stop):
            indptr, indices, data, n_features = rows
            first, last = indptr[start], indptr[stop]
            block = (
                indptr[start : stop + 1] - first,
                indices[first:last],
                data[first:last],
                n_features,
            )
            return finish(*self._model.rank(block, self.beam_width, k, best_first))

        per_row = k or self._model.most_scores(self.beam_width)
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
            Product of the transformed margins on the label's path, in (0, 1]; -inf where the index
            is -1. Equal scores are in the order of their labels.

        Raises
        ------
        ValueError
            If k is not a positive integer, or X does not fit the training data.
        """
        if not isinstance(k, Integral) or isinstance(k, bool) or not 1 <= k < 2**31:
            raise ValueError(f"k must be an integer from 1 up; got {k!r}.")
        k = int(k)
        if self._takes_plain_row(X):
            x = (X.indices, X.data)
            labels, scores = self._model.rank_row(x, self.beam_width, k)
            return score_forms.pad_ranking(
                labels[None], np.maximum(np.exp(scores), score_forms.LEAST_SCORE)[None], k
            )
        blocks = self._rank(self._rows(X), k, True, lambda *b: score_forms.rank_rows(*b, k))
        labels, scores = zip(*blocks, strict=True)
        return np.concatenate(labels), np.concatenate(scores)

    def _takes_plain_row(self, X):
        # The short way is for the plainest case; everything else, errors too, goes the long way.
        return (
            hasattr(self, "hierarchy_")
            and not hasattr(self, "feature_names_in_")
            and type(self.beam_width) is int
            and 0 < self.beam_width < 2**31
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
            Product of the transformed margins on the label's path. Sparse: labels of the beam
            only, positive, indices sorted. Dense, indicator: all labels, just above 0 outside the
            beam. For classes each row sums to 1.
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

        A score is a product over levels: few labels of a deep tree reach one half, and most of
        those are right; `predict_topk` and thresholds of one's own see the rest.

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
            best = self._rank(rows, 1, True, lambda indptr, labels, scores: labels)
            return self.classes_[np.concatenate(best)]

        def finish(indptr, labels, scores):
            likely = np.exp(scores) >= 0.5
            edges = np.concatenate(([0], np.cumsum(likely)))[indptr]
            return edges, labels[likely], np.ones(edges[-1], dtype=np.int8)

        Y = self._joined(self._rank(rows, finish=finish))
        return (Y if self._returns_sparse() else Y.toarray()).astype(self._target_dtype)

    def _returns_sparse(self):
        check_is_fitted(self, "hierarchy_")
        if self.sparse_output == "auto" or self._target_kind == "classes":
            return self._target_kind == "sparse"
        return self.sparse_output

    def _sparse(self, X):
        return self._joined(self._rank(self._rows(X), finish=score_forms.positive_scores))

    def _joined(self, blocks):
        indptr, labels, values = score_forms.join_rows(blocks)
        return as_public_csr(indptr, labels, values, (len(indptr) - 1, len(self.classes_)))

    def _dense_logs(self, X):
        rows = score_forms.join_rows(self._rank(self._rows(X), finish=lambda *block: block))
        return score_forms.dense_rows(*rows, len(self.classes_))

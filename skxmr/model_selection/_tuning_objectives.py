"""Objectives of `tune_prediction`: a ranking metric, or F1 with the best threshold."""

from typing import NamedTuple

import numpy as np

from skxmr._core.score_forms import pad_ranked_rows
from skxmr.calibration import PairPool, compute_f1, merge_pools, tune_shared_threshold
from skxmr.metrics import Indicator, TopkScorer, mark_true_labels, topk_scorer

F1_NAMES = ("f1_micro", "f1_macro", "f1_samples")
# Number of groups of rows, whose values show how uncertain a difference is.
N_GROUPS = 20
# Standard errors by which a value must be better. Of about 30 values, the best one by chance is
# better by two.
N_STANDARD_ERRORS = 2.0
# At least this number of labels per row and search is stored. With 100 instead of 50, no chosen
# parameter changed on YSO titles, Debian and API docs.
MIN_STORED = 50


class Evaluation(NamedTuple):
    """Value of the objective under one set of parameters.

    Attributes
    ----------
    score : float
        Mean over the splits.
    group_scores : ndarray
        Values of small groups of rows, whose mean is about `score`.
    threshold : float or None
        Best threshold of the scores, for F1.
    """

    score: float
    group_scores: np.ndarray
    threshold: float | None = None

    def clearly_exceeds(self, other):
        """Return whether the difference is larger than `N_STANDARD_ERRORS`."""
        differences = self.group_scores - other.group_scores
        standard_error = differences.std(ddof=1) / np.sqrt(len(differences))
        return self.score - other.score > max(N_STANDARD_ERRORS * float(standard_error), 1e-12)


class RankingObjective:
    """A metric of the k best labels of each row.

    Parameters
    ----------
    scorer : TopkScorer
        The metric.
    """

    accepts_classes = True

    def __init__(self, scorer):
        self.scorer = scorer

    def count_labels(self, Y, quantile=1.0):
        """Return the number of labels per row that the objective depends on."""
        return self.scorer.k

    def evaluate(self, rankings, splits, forms):
        """Return the `Evaluation` of one ranking per split."""
        scores, group_scores = [], []
        for ranking, split in zip(rankings, splits, strict=True):
            ranked = pad_ranked_rows(ranking.indptr, ranking.ids, ranking.scores, self.scorer.k)
            scores.append(self.scorer.score_ranking(split.Y, ranked))
            if self.scorer.averages_labels and len(split.groups) > 1:
                group_scores.extend(self._pseudo_values(split, ranked, scores[-1]))
                continue
            for rows in split.groups:
                group = tuple(array[rows] for array in ranked)
                group_scores.append(self.scorer.score_ranking(split.Y[rows], group))
        return Evaluation(float(np.mean(scores)), np.array(group_scores))

    def _pseudo_values(self, split, ranked, score):
        # Pseudo-values of the jackknife: the mean over labels is not a mean over rows.
        n_groups = len(split.groups)
        for rows in split.groups:
            weights = np.ones(split.Y.shape[0])
            weights[rows] = 0
            without = self.scorer.score_ranking(split.Y, ranked, sample_weight=weights)
            yield n_groups * score - (n_groups - 1) * without


class F1Objective:
    """F1 of the labels whose score reaches one threshold, which is also tuned.

    Parameters
    ----------
    average : {"micro", "macro", "samples"}
        Kind of F1.
    """

    accepts_classes = False

    def __init__(self, average):
        self.average = average

    def count_labels(self, Y, quantile=1.0):
        """Return the number of labels per row that the objective depends on.

        Twice the number of true labels; with a `quantile` below 1, only of so many of the rows.
        """
        return max(MIN_STORED, 2 * int(np.quantile(np.diff(Y.indptr), quantile)))

    def evaluate(self, rankings, splits, forms):
        """Return the `Evaluation` of one ranking per split; `forms` are those of their scores.

        The values of the groups are pseudo-values of the jackknife: F1 is not a mean over rows.
        """
        pools = [
            self._pool(ranking, split.Y, form)
            for ranking, split, form in zip(rankings, splits, forms, strict=True)
        ]
        grouping = {"micro": "none", "macro": "label", "samples": "row"}[self.average]
        threshold = tune_shared_threshold(merge_pools(pools, grouping))
        scores, pseudo_values = [], []
        for ranking, split, pool in zip(rankings, splits, pools, strict=True):
            is_predicted = pool.scores >= threshold
            scores.append(compute_f1(pool, is_predicted, self.average))
            without = self._f1_without_groups(ranking, split, pool, is_predicted)
            n_groups = len(split.groups)
            pseudo_values.append(n_groups * scores[-1] - (n_groups - 1) * without)
        group_scores = np.concatenate(pseudo_values)
        return Evaluation(float(np.mean(scores)), group_scores, float(threshold))

    def _f1_without_groups(self, ranking, split, pool, is_predicted):
        # F1 of all rows but those of one group, for each group.
        n_groups, n_rows = len(split.groups), ranking.n_rows
        group_of_row = np.repeat(np.arange(n_groups), [g.stop - g.start for g in split.groups])
        group_of_pair = np.repeat(group_of_row, np.diff(ranking.indptr))
        true_rows = np.repeat(np.arange(n_rows), np.diff(split.Y.indptr))
        if self.average == "samples":
            n_hits = np.bincount(pool.groups[is_predicted & pool.is_true], minlength=n_rows)
            size = np.bincount(pool.groups[is_predicted], minlength=n_rows) + pool.n_true
            sums = np.bincount(group_of_row, weights=2.0 * n_hits / np.maximum(size, 1))
            return (sums.sum() - sums) / (n_rows - np.bincount(group_of_row))
        # Counts by group and label; only labels that are true or predicted have an F1.
        n_labels, true_labels, labels = 1, np.zeros_like(true_rows), pool.groups
        if self.average == "macro":
            used = np.union1d(split.Y.indices, labels)
            n_labels = split.Y.shape[1]
            true_labels, labels = (np.searchsorted(used, x) for x in (split.Y.indices, labels))
        shape = n_groups, max(1, int(max(true_labels.max(initial=0), labels.max(initial=0))) + 1)
        keys = group_of_pair * shape[1] + labels

        def count_others(keys):
            counts = np.bincount(keys, minlength=shape[0] * shape[1]).reshape(shape)
            return counts.sum(axis=0) - counts

        n_hits = count_others(keys[is_predicted & pool.is_true])
        size = count_others(keys[is_predicted])
        size += count_others(group_of_row[true_rows] * shape[1] + true_labels)
        return np.sum(2.0 * n_hits / np.maximum(size, 1), axis=1) / n_labels

    def _pool(self, ranking, Y, form):
        rows = np.repeat(np.arange(ranking.n_rows), np.diff(ranking.indptr))
        if self.average == "samples":
            groups, n_true = rows, np.diff(Y.indptr)
        elif self.average == "macro":
            groups, n_true = ranking.ids, np.bincount(Y.indices, minlength=Y.shape[1])
        else:
            groups, n_true = np.zeros(len(rows), dtype=np.int32), np.array([Y.nnz])
        true = Indicator(Y.indptr, Y.indices, Y.shape[1])
        is_true = mark_true_labels(true, slice(0, ranking.n_rows), rows, ranking.ids)
        return PairPool(groups, form.probabilities(ranking.scores), is_true, n_true)


def read_objective(scoring):
    """Return the objective that the parameter `scoring` names.

    Raises
    ------
    ValueError
        If `scoring` is not a scorer of `topk_scorer`, one of `F1_NAMES`, or None.
    """
    if scoring is None:
        scoring = topk_scorer("ndcg", k=5)
    if isinstance(scoring, TopkScorer):
        return RankingObjective(scoring)
    if isinstance(scoring, str) and scoring in F1_NAMES:
        return F1Objective(scoring.removeprefix("f1_"))
    raise ValueError(
        f"scoring must be a scorer made by skxmr.metrics.topk_scorer, one of {F1_NAMES}, or None; "
        f"got {scoring!r}. Other scorers call the estimator, which would be slow: use GridSearchCV."
    )

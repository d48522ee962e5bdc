"""Thresholds with the best F1, computed exactly from the sorted scores of stored pairs.

F1 is 2 TP / (predicted + true). A true label without a stored score counts as true but can never
be predicted. The best threshold is the score of a true pair, because lowering the threshold to a
false pair only adds to the predicted pairs. Of equally good thresholds, the highest is chosen.
"""

from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import offsets_of

# Sums of many small changes accumulate rounding errors: F1 values this close count as equal.
_F1_TOLERANCE = 1e-9


class PairPool(NamedTuple):
    """Scored pairs of all held-out rows. One F1 is computed per group.

    A group is the row or the label of a pair, or there is one group for all pairs.
    """

    groups: np.ndarray
    scores: np.ndarray
    is_true: np.ndarray
    n_true: np.ndarray  # number of true labels per group, with or without a score

    def select(self, pairs):
        """Return the pool of a subset of the pairs."""
        return PairPool(self.groups[pairs], self.scores[pairs], self.is_true[pairs], self.n_true)

    def sort(self):
        """Return the pairs sorted by group, then by falling score; ties end with the true pairs."""
        return self.select(np.lexsort((self.is_true, -self.scores, self.groups)))


def merge_pools(pools, grouping):
    """Merge the pools of all folds, grouped by "label", by "row", or not ("none").

    A row that is held out twice counts as two rows.
    """
    groups, scores, is_true, n_true = zip(*pools, strict=True)
    if grouping == "row":
        starts = np.cumsum([0, *map(len, n_true[:-1])])
        groups = [g + np.int32(start) for g, start in zip(groups, starts, strict=True)]
        n_true = np.concatenate(n_true)
    else:
        n_true = sum(n_true)
    return PairPool(*map(np.concatenate, (groups, scores, is_true)), n_true)


class _CandidateThresholds:
    """The thresholds that can be the best of their group: the scores of its true pairs.

    The counts of a candidate are those of its group if the threshold is the score of the candidate.
    """

    def __init__(self, pool):
        pool = pool.sort()
        is_last_of_ties = np.diff(pool.scores, append=-np.inf) != 0
        is_last_of_ties[:-1] |= np.diff(pool.groups) > 0
        position = np.flatnonzero(pool.is_true & is_last_of_ties)
        self.groups, self.scores = pool.groups[position], pool.scores[position]
        self.starts = np.flatnonzero(np.diff(self.groups, prepend=-1))
        self.lengths = np.diff(self.starts, append=len(position))
        group_start = np.searchsorted(pool.groups, self.groups)
        hits_before = offsets_of(pool.is_true)
        self.n_hits = hits_before[position + 1] - hits_before[group_start]
        self.n_predicted = position + 1 - group_start

    def find_best(self, values):
        """Return the maximum of `values` per group, and the first candidate that reaches it.

        Groups without candidates are skipped.
        """
        best = np.maximum.reduceat(values, self.starts) if len(values) else values
        is_best = np.flatnonzero(values == np.repeat(best, self.lengths))
        return best, is_best[np.searchsorted(is_best, self.starts)]

    def f1(self, n_true):
        """Return the F1 of each candidate's group, which has `n_true` true labels."""
        return 2.0 * self.n_hits / (self.n_predicted + n_true)


def tune_shared_threshold(pool):
    """Return the threshold with the best mean F1 over groups; inf if no true pair has a score.

    As the threshold falls past a pair, the F1 of the pair's group changes. These changes are
    computed per group, sorted by score and summed up.
    """
    if not pool.is_true.any():
        return np.inf
    if len(pool.n_true) == 1:
        candidates = _CandidateThresholds(pool)
        return candidates.scores[candidates.find_best(candidates.f1(pool.n_true))[1][0]]
    groups, scores, f1 = _compute_running_f1(pool)
    f1[1:] -= np.where(groups[1:] == groups[:-1], f1[:-1], 0.0)
    del groups
    order = np.argsort(-scores, kind="stable")
    scores, total = scores[order], f1[order]
    np.cumsum(total, out=total)
    total[:-1][scores[1:] == scores[:-1]] = 0.0
    return scores[np.argmax(total >= total.max() * (1 - _F1_TOLERANCE))]


def _compute_running_f1(pool):
    """Return group and score of each pair, and the F1 of the group down to this score.

    Pairs before the first true pair of their group, where F1 is 0, are left out.
    """
    pool = pool.sort()
    index = np.int32 if len(pool.is_true) < 2**31 else np.int64  # int32 takes half the memory
    lengths = np.bincount(pool.groups, minlength=len(pool.n_true))
    group_start = offsets_of(lengths)[:-1]
    n_hits = np.cumsum(pool.is_true, dtype=index)
    hits_before_group = np.append(index(0), n_hits)[group_start]
    n_hits -= np.repeat(hits_before_group, lengths)
    position = np.flatnonzero(n_hits).astype(index)
    groups, scores, n_hits = pool.groups[position], pool.scores[position], n_hits[position]
    n_predicted = position + 1 - group_start.astype(index)[groups]
    return groups, scores, 2.0 * n_hits / (n_predicted + pool.n_true.astype(index)[groups])


def tune_label_thresholds(pool, average, min_positives):
    """Return a threshold per label, shape (n_labels,); the groups of the pool are labels.

    Labels with fewer than `min_positives` true pairs share one threshold, tuned on all their pairs.

    For the macro average, the F1 of each label is maximized separately.

    For the micro average, this is Dinkelbach's method for a ratio of sums. Given the current F1,
    each label maximizes 2 TP - F1 * predicted. This step is repeated with the new F1 until F1 does
    not increase. The result is exact.
    """
    n_labels = len(pool.n_true)
    n_scored_true = np.bincount(pool.groups[pool.is_true], minlength=n_labels)
    frequent = np.flatnonzero(n_scored_true >= min_positives)
    thresholds = np.full(n_labels, np.inf, dtype=np.float32)
    if average == "macro":
        is_frequent = n_scored_true[pool.groups] >= min_positives
        thresholds[:] = tune_shared_threshold(pool.select(~is_frequent))
        candidates = _CandidateThresholds(pool.select(is_frequent))
        _, best = candidates.find_best(candidates.f1(pool.n_true[candidates.groups]))
        thresholds[candidates.groups[best]] = candidates.scores[best]
        return thresholds
    # One group per frequent label, and one last group for all rare labels.
    group_of_label = np.full(n_labels, len(frequent), dtype=np.int32)
    group_of_label[frequent] = np.arange(len(frequent))
    candidates = _CandidateThresholds(pool._replace(groups=group_of_label[pool.groups]))
    f1, n_true = 0.0, pool.n_true.sum()
    while True:
        gain, selected = candidates.find_best(2.0 * candidates.n_hits - f1 * candidates.n_predicted)
        selected = selected[gain > 0]
        n_predicted = candidates.n_predicted[selected].sum()
        new_f1 = 2.0 * candidates.n_hits[selected].sum() / max(n_predicted + n_true, 1)
        if new_f1 <= f1:
            break
        f1, best = new_f1, selected
    if f1 > 0:
        threshold_of_group = np.full(len(frequent) + 1, np.inf, dtype=np.float32)
        threshold_of_group[candidates.groups[best]] = candidates.scores[best]
        thresholds = threshold_of_group[group_of_label]
    return thresholds


def compute_f1(pool, is_predicted, average):
    """Return the F1 if the pairs `is_predicted` are predicted; 0 for groups without true labels."""
    n_groups = len(pool.n_true)
    n_hits = np.bincount(pool.groups[is_predicted & pool.is_true], minlength=n_groups)
    size = np.bincount(pool.groups[is_predicted], minlength=n_groups) + pool.n_true
    if average == "micro":
        n_hits, size = n_hits.sum(keepdims=True), size.sum(keepdims=True)
    return float(np.mean(2.0 * n_hits / np.maximum(size, 1)))

"""Thresholds with the best F1, exact, from the sorted scores of stored pairs.

F1 is 2 TP / (predicted + true). A true label without a stored score counts among the true ones
and can never be predicted. A best threshold is the score of a true pair, for a false one only adds
to what is predicted; of equally good ones the highest is taken.
"""

from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import offsets_of

# Sums of many small changes carry rounding errors: F1s as close as this are equal.
_EQUAL = 1e-9


class Pool(NamedTuple):
    """Scored pairs, each in the group whose F1 it belongs to: all, its row or its label."""

    groups: np.ndarray
    scores: np.ndarray
    hits: np.ndarray  # which pairs are true
    n_true: np.ndarray  # true labels of each group, scored or not

    def only(self, pairs):
        """Return the pool of a part of the pairs."""
        return Pool(self.groups[pairs], self.scores[pairs], self.hits[pairs], self.n_true)

    def sorted(self):
        """Return the pairs by group, in a group by falling score, of equal ones the true last."""
        return self.only(np.lexsort((self.hits, -self.scores, self.groups)))


class _Cuts:
    """Where a threshold may be best: at the score of a true pair, all pairs of it predicted."""

    def __init__(self, pool):
        pool = pool.sorted()
        last = np.diff(pool.scores, append=-np.inf) != 0
        last[:-1] |= np.diff(pool.groups) > 0
        at = np.flatnonzero(pool.hits & last)
        self.groups, self.scores = pool.groups[at], pool.scores[at]
        self.starts = np.flatnonzero(np.diff(self.groups, prepend=-1))
        self.lengths = np.diff(self.starts, append=len(at))
        first = np.searchsorted(pool.groups, self.groups)
        hits_before = offsets_of(pool.hits)
        self.n_hits = hits_before[at + 1] - hits_before[first]
        self.n_predicted = at + 1 - first

    def best(self, value):
        """Return the best value of each group that has cuts, and the first cut that has it."""
        best = np.maximum.reduceat(value, self.starts) if len(value) else value
        at = np.flatnonzero(value == np.repeat(best, self.lengths))
        return best, at[np.searchsorted(at, self.starts)]

    def f1(self, n_true):
        """Return the F1 of the cut's own group, which has `n_true` true labels."""
        return 2.0 * self.n_hits / (self.n_predicted + n_true)


def shared_threshold(pool):
    """Return the one threshold with the best mean F1 over groups; inf if no true pair is scored.

    Each pair, as the threshold falls past it, changes the F1 of its own group: the changes are
    found group by group, sorted by score and added up.
    """
    if not pool.hits.any():
        return np.inf
    if len(pool.n_true) == 1:
        cuts = _Cuts(pool)
        return cuts.scores[cuts.best(cuts.f1(pool.n_true))[1][0]]
    groups, scores, f1 = _running_f1(pool)
    f1[1:] -= np.where(groups[1:] == groups[:-1], f1[:-1], 0.0)
    del groups
    order = np.argsort(-scores, kind="stable")
    scores, total = scores[order], f1[order]
    np.cumsum(total, out=total)
    total[:-1][scores[1:] == scores[:-1]] = 0.0
    return scores[np.argmax(total >= total.max() * (1 - _EQUAL))]


def _running_f1(pool):
    """Return group, score and F1 of the group down to there of each pair, in sorted order.

    Pairs before the first true one of their group, where F1 is 0, are left out.
    """
    pool = pool.sorted()
    index = np.int32 if len(pool.hits) < 2**31 else np.int64  # half the memory of int64
    lengths = np.bincount(pool.groups, minlength=len(pool.n_true))
    first = offsets_of(lengths)[:-1]
    n_hits = np.cumsum(pool.hits, dtype=index)
    before = np.append(index(0), n_hits)[first]
    n_hits -= np.repeat(before, lengths)
    moves = np.flatnonzero(n_hits).astype(index)
    groups, scores, n_hits = pool.groups[moves], pool.scores[moves], n_hits[moves]
    size = moves + 1 - first.astype(index)[groups] + pool.n_true.astype(index)[groups]
    return groups, scores, 2.0 * n_hits / size


def thresholds_of_labels(pool, average, min_positives):
    """Return a threshold for each label, where the groups of the pool are labels.

    Labels with fewer than `min_positives` true pairs share one threshold, tuned for them together.

    Macro: the mean of F1s is best where each is. Micro: let each label maximise
    2 TP - F predicted; with F the F1 that results, repeated until it stays, this is Dinkelbach's
    method for a ratio of sums, and exact.
    """
    n_labels = len(pool.n_true)
    found = np.bincount(pool.groups[pool.hits], minlength=n_labels)
    own = np.flatnonzero(found >= min_positives)
    thresholds = np.full(n_labels, np.inf, dtype=np.float32)
    if average == "macro":
        is_own = found[pool.groups] >= min_positives
        thresholds[:] = shared_threshold(pool.only(~is_own))
        cuts = _Cuts(pool.only(is_own))
        _, at = cuts.best(cuts.f1(pool.n_true[cuts.groups]))
        thresholds[cuts.groups[at]] = cuts.scores[at]
        return thresholds
    unit_of_label = np.full(n_labels, len(own), dtype=np.int32)
    unit_of_label[own] = np.arange(len(own))
    cuts = _Cuts(pool._replace(groups=unit_of_label[pool.groups]))
    f1, n_true = 0.0, pool.n_true.sum()
    while True:
        gain, at = cuts.best(2.0 * cuts.n_hits - f1 * cuts.n_predicted)
        at = at[gain > 0]
        n_predicted = cuts.n_predicted[at].sum()
        reached = 2.0 * cuts.n_hits[at].sum() / max(n_predicted + n_true, 1)
        if reached <= f1:
            break
        f1, best = reached, at
    if f1 > 0:
        of_unit = np.full(len(own) + 1, np.inf, dtype=np.float32)
        of_unit[cuts.groups[best]] = cuts.scores[best]
        thresholds = of_unit[unit_of_label]
    return thresholds


def f1_at(pool, predicted, average):
    """Return the F1 when the pairs `predicted` are; a group with nothing to find counts as 0."""
    n_groups = len(pool.n_true)
    n_hits = np.bincount(pool.groups[predicted & pool.hits], minlength=n_groups)
    size = np.bincount(pool.groups[predicted], minlength=n_groups) + pool.n_true
    if average == "micro":
        n_hits, size = n_hits.sum(keepdims=True), size.sum(keepdims=True)
    return float(np.mean(2.0 * n_hits / np.maximum(size, 1)))

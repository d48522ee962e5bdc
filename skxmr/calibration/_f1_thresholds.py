"""Thresholds with the best F1, exact, from the sorted scores of stored pairs.

F1 is 2 TP / (predicted + true). A true label without a stored score counts among the true ones
and can never be predicted. Only a score that occurs can be a best threshold, and of equally good
ones the highest is taken: it predicts least. Scores are only compared with each other.
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


class _Cuts(NamedTuple):
    """Pairs by group, in a group by falling score, and what is predicted down to each."""

    pool: Pool
    starts: np.ndarray  # of the groups that have pairs
    of_start: np.ndarray  # which of the starts each pair belongs to
    n_hits: np.ndarray
    n_predicted: np.ndarray
    whole: np.ndarray  # not between pairs of equal score

    def best(self, value):
        """Return the best value of each group that has pairs, and the first pair that has it."""
        value = np.where(self.whole, value, -np.inf)
        best = np.maximum.reduceat(value, self.starts) if len(value) else value
        at = np.flatnonzero(value == best[self.of_start])
        return best, at[np.searchsorted(at, self.starts)]


def _cuts_of(pool):
    pool = pool.only(np.lexsort((-pool.scores, pool.groups)))
    new_group = np.diff(pool.groups, prepend=-1) > 0
    starts = np.flatnonzero(new_group)
    of_start = np.cumsum(new_group) - 1
    before = offsets_of(pool.hits)
    n_hits = before[1:] - before[starts][of_start]
    n_predicted = np.arange(1, len(of_start) + 1) - starts[of_start]
    falls = np.diff(pool.scores, append=-np.inf) < 0
    whole = falls | np.append(new_group[1:], True)
    return _Cuts(pool, starts, of_start, n_hits, n_predicted, whole)


def shared_threshold(pool):
    """Return the one threshold with the best mean F1 over groups; inf if no true pair is scored.

    Each pair, as the threshold falls past it, changes the F1 of its own group: the changes are
    found group by group, sorted by score and added up.
    """
    if not pool.hits.any():
        return np.inf
    cuts = _cuts_of(pool)
    f1 = 2.0 * cuts.n_hits / (cuts.n_predicted + cuts.pool.n_true[cuts.pool.groups])
    change = np.diff(f1, prepend=0.0)
    change[cuts.starts] = f1[cuts.starts]
    order = np.argsort(-cuts.pool.scores, kind="stable")
    total, scores = np.cumsum(change[order]), cuts.pool.scores[order]
    total[:-1][scores[1:] == scores[:-1]] = 0.0
    return scores[np.flatnonzero(total >= total.max() * (1 - _EQUAL))[0]]


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
        cuts = _cuts_of(pool.only(is_own))
        _, at = cuts.best(cuts.n_hits / (cuts.n_predicted + pool.n_true[cuts.pool.groups]))
        thresholds[cuts.pool.groups[at]] = cuts.pool.scores[at]
        return thresholds
    unit_of_label = np.full(n_labels, len(own), dtype=np.int32)
    unit_of_label[own] = np.arange(len(own))
    cuts = _cuts_of(pool._replace(groups=unit_of_label[pool.groups]))
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
        of_unit[cuts.pool.groups[best]] = cuts.pool.scores[best]
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

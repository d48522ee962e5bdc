"""Levels cut into blocks: neighbouring clusters of one level, to be trained by one task."""

import numpy as np

# A block of more shares than this is a cluster that is dear by its rows; see `_order`. With 1
# WordNet gained less, where both were tried.
DEAR = 2


def cut_levels(costs, child_indptrs, n_blocks, max_children):
    """Cut levels into blocks of about equal cost, in the order in which they should begin.

    Parameters
    ----------
    costs : list of ndarray of shape (n_parents,)
        Estimated work of each cluster of each level.
    child_indptrs : list of ndarray of shape (n_parents + 1,)
        The children of each parent.
    n_blocks : int
        About how many there are in all; a dear cluster stands alone.
    max_children : int
        Most children of a block of more than one cluster: its weights are in memory at once.

    Returns
    -------
    list of (level, start, stop)
        Parents from `start` to `stop` of a level. Every parent is in one block.
    """
    share = max(sum(float(cost.sum()) for cost in costs) / n_blocks, 1e-300)
    blocks, spent = [], []
    for level, (cost, indptr) in enumerate(zip(costs, child_indptrs, strict=True)):
        before = np.concatenate(([0.0], np.cumsum(cost)))
        start = 0
        while start < len(cost):
            by_cost = np.searchsorted(before, before[start] + share, side="right") - 1
            by_size = np.searchsorted(indptr, indptr[start] + max_children, side="right") - 1
            stop = int(max(start + 1, min(by_cost, by_size)))
            blocks.append((level, start, stop))
            spent.append(before[stop] - before[start])
            start = stop
    return [blocks[i] for i in _order(np.array(spent), DEAR * share)]


def _order(costs, dear):
    """Return the order in which blocks begin: of those dearer than `dear` one at a time.

    A dear cluster has more rows than a processor's own cache has room for, and two of them side by
    side wait for the cache that processors share. So as much other work begins after each as it
    takes itself: two threads took 2.2 % less time for a fit on WordNet (standard error 0.6), 2.9
    (1.0) less on Debian's packages and 1.2 (1.1) less on 50,000 labels. Dear blocks and others
    begin with the dearest; the cheapest, an eighth of all work, are left for the end, so that
    workers end together.
    """
    falling = np.argsort(-costs, kind="stable")
    n_dear = np.count_nonzero(costs > dear)
    first, others = falling[:n_dear], falling[n_dear:]
    before = np.cumsum(costs[others]) - costs[others]
    last = np.searchsorted(before, costs[others].sum() - costs.sum() / 8)
    # By how many of the others each dear block has before it.
    places = np.searchsorted(before, np.cumsum(costs[first]) - costs[first])
    return np.insert(others, np.minimum(places, last), first)


def cut_out(problem, start, stop):
    """Return what the children of parents from `start` to `stop` learn from.

    Parameters
    ----------
    problem : LevelProblem
        The level.
    start, stop : int
        The parents.

    Returns
    -------
    tuple
        (rows, targets, child_indptr, target_costs, seed, max_weights) as a `LevelProblem` has
        them: views, and offsets from the first.
    """
    children = problem.child_indptr[start : stop + 1]
    row_indptr, rows = _part(*problem.rows, start, stop)
    first, stop_at = problem.targets[0][children[[0, -1]]]
    targets = _part(*problem.targets, children[0], children[-1])
    costs = None if problem.target_costs is None else problem.target_costs[first:stop_at]
    last = (costs, problem.seed + start, problem.max_weights)
    return (row_indptr, rows), targets, children - children[0], *last


def _part(indptr, values, start, stop):
    return indptr[start : stop + 1] - indptr[start], values[indptr[start] : indptr[stop]]

"""Selection of the rows that the children of a cluster are trained on.

Teacher forcing (TFN): a cluster is trained on the rows that have a label in it, as if the levels
above had made no mistake. Rows of one child are negatives of its siblings. Matcher-aware negatives
(MAN): a cluster is trained on the rows that the beam search of the trained levels above routes to
it. Yu et al. (2022), "PECOS", JMLR 23(98), section 4.

Random negatives: each row is also used in a few clusters that are drawn at random. With teacher
forcing, a label is only compared with the labels of its cluster; rows of other clusters teach its
model what the whole data look like, as in one-vs-rest, for a small part of the cost.
"""

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import nonzero_pattern
from skxmr._core.node_rows import NodeRows
from skxmr._core.target_containers import read_targets
from skxmr._core.threads import run_tasks, split_rows

NEGATIVES = ("tfn", "man", "tfn+man", "tfn+random")
# Number of clusters drawn for each row and level. If rows have five labels, this doubles the rows
# of teacher forcing. With 15, rankings gained half as much again, and the fit took twice as long.
N_RANDOM = 5


def check_negatives(negatives, shape):
    """Validate the parameter `negatives`.

    Parameters
    ----------
    negatives : str, sparse matrix or array, or sequence of these
        Parameter of the classifier.
    shape : tuple of int
        Shape of y.

    Returns
    -------
    str, csr_array or list of these
        The parameter, with matrices as canonical CSR.

    Raises
    ------
    ValueError
        If a name is not one of NEGATIVES; a matrix has another shape than y, contains NaN, or has
        indices out of range; or a sequence is empty.
    """
    if isinstance(negatives, (list, tuple)):
        if not negatives:
            raise ValueError("negatives must contain at least one entry; got an empty sequence.")
        return [_check_entry(entry, shape) for entry in negatives]
    return _check_entry(negatives, shape)


def _check_entry(entry, shape):
    if isinstance(entry, str):
        if entry not in NEGATIVES:
            raise ValueError(
                f"negatives must be one of {', '.join(NEGATIVES)}, a matrix of the shape of y, "
                f"or a sequence of these; got {entry!r}."
            )
        return entry
    M = read_targets(entry, "negatives")
    if M.shape != tuple(shape):
        hint = " A list has one entry per level; pass a matrix as an array." * (M.ndim == 1)
        raise ValueError(
            f"negatives given as a matrix must have the shape of y, {tuple(shape)}; got shape "
            f"{M.shape}.{hint}"
        )
    return nonzero_pattern(M, "csr")


def needs_beam(negatives):
    """Return whether training needs a beam search.

    `negatives` is the parameter, or its entry for one level.
    """
    if isinstance(negatives, (list, tuple)):
        return any(map(needs_beam, negatives))
    return isinstance(negatives, str) and "man" in negatives


def select_training_rows(negatives, positives, pairs=None, beam=None, seed=0):
    """Return the rows that the children of each cluster are trained on.

    Parameters
    ----------
    negatives : str or matrix of shape (n_samples, n_labels)
        One of NEGATIVES; for a matrix, its rows are given by `pairs`.
    positives : csc_array of shape (n_samples, n_clusters)
        Positive rows of the clusters, from `LabelHierarchy.node_targets`.
    pairs : csc_array of shape (n_samples, n_clusters), default=None
        Custom pairs, from `LabelHierarchy.node_targets`. Their rows are used in addition to
        teacher forcing.
    beam : csc_array of shape (n_samples, n_clusters), default=None
        Rows that the beam search routes to each cluster; only for "man" and "tfn+man".
    seed : int, default=0
        Seed of the clusters that are drawn for "tfn+random".

    Returns
    -------
    NodeRows
    """
    if isinstance(negatives, str):
        names = negatives.split("+")
        drawn = _draw_clusters(*positives.shape, seed) if "random" in names else None
        pattern_of = {"tfn": positives, "man": beam, "random": drawn}
        patterns = [pattern_of[name] for name in names]
    else:
        patterns = [positives, pairs]
    if len(patterns) == 1:
        return NodeRows.from_csc(patterns[0])
    union = sum(_pattern(M) for M in patterns)
    union.sort_indices()
    return NodeRows.from_csc(union)


def _draw_clusters(n_rows, n_clusters, seed):
    # N_RANDOM clusters of each row, as a matrix (row, cluster); some may be equal.
    clusters = np.random.RandomState(seed).randint(n_clusters, size=n_rows * N_RANDOM)
    indptr = np.arange(0, len(clusters) + 1, N_RANDOM)
    ones = np.ones(len(clusters), dtype=bool)
    drawn = sp.csr_array((ones, clusters.astype(np.int32), indptr), shape=(n_rows, n_clusters))
    drawn.sum_duplicates()
    return drawn.tocsc()


def _pattern(M):
    ones = np.ones(len(M.indices), dtype=bool)
    return sp.csc_array((ones, M.indices, M.indptr), shape=M.shape)


def find_beam_rows(matcher, X, n_clusters, beam_width, transforms, n_jobs):
    """Return the rows that the beam search routes to each cluster.

    Parameters
    ----------
    matcher : RecursiveLinearMatcher or EstimatorMatcher
        Matcher with the trained levels above.
    X : TrainingRows
        Training rows.
    n_clusters : int
        Number of clusters of the last of these levels.
    beam_width : int or None
        Number of clusters that a row is routed to; None is all of them.
    transforms : tuple of LevelTransform
        Transforms of these levels.
    n_jobs : int or None
        Number of threads, as in joblib.

    Returns
    -------
    csc_array of shape (n_samples, n_clusters), bool
        Indices sorted.
    """

    def match(start, stop):
        beam = matcher.match(X.block(start, stop), beam_width, transforms)
        ones = np.ones(len(beam.ids), dtype=bool)
        return sp.csr_array((ones, beam.ids, beam.indptr), shape=(stop - start, n_clusters))

    per_row = max(min(beam_width or n_clusters, n_clusters), X.numbers_per_row)
    blocks = split_rows(X.n_rows, per_row, n_jobs)
    return sp.vstack(run_tasks(match, blocks, n_jobs, threads_only=True), format="csc")

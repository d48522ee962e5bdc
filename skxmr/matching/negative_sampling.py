"""Which rows a cluster's children train on: its positives, and the negatives among them."""

import numpy as np


def teacher_forced_rows(node_targets, n_samples):
    """Return the rows that each cluster trains its children on, by teacher forcing (TFN).

    A cluster trains on the rows for which it is right, as if the levels above had made no mistake:
    rows of one child are the negatives of its siblings. The root trains on all rows. See Yu et
    al. (2022), "PECOS", JMLR 23(98), section 4.

    Parameters
    ----------
    node_targets : list of csc_array of shape (n_samples, nodes)
        Positive rows of the nodes of each level, from `LabelHierarchy.node_targets`.
    n_samples : int
        Number of training rows.

    Returns
    -------
    list of tuple
        For each level the (indptr int64, indices int32) of the rows of the level's parents.
    """
    root = (np.array([0, n_samples], dtype=np.int64), np.arange(n_samples, dtype=np.int32))
    return [root, *(pattern_arrays(targets) for targets in node_targets[:-1])]


def pattern_arrays(targets):
    """Return the (indptr int64, indices int32) of a sparse matrix's pattern."""
    return targets.indptr.astype(np.int64), targets.indices.astype(np.int32, copy=False)

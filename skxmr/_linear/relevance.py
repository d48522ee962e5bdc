"""What a positive costs: its relevance, normalised by row and carried up the tree."""

import numpy as np
import scipy.sparse as sp

from skxmr._core.validation import MAX_COST

NORMS = ("l1", "l2", "max")


def check_relevance(relevance, Y):
    """Return the relevance of each entry of Y.

    Parameters
    ----------
    relevance : sparse matrix or array of shape (n_samples, n_labels), or None
        A positive, finite value for each positive of Y; None is 1 for each. What it says of other
        pairs is not read.
    Y : csr_array of shape (n_samples, n_labels)
        Canonical indicator.

    Returns
    -------
    ndarray of float32
        By entry of Y.

    Raises
    ------
    ValueError
        If the shape is another, or the value of a positive is missing or not positive.
    """
    if relevance is None:
        return np.ones(Y.nnz, dtype=np.float32)
    if np.shape(relevance) != Y.shape:
        raise ValueError(
            f"relevance must have the shape of y, {Y.shape}; got {np.shape(relevance)}."
        )
    R = sp.csr_array(relevance).astype(np.float64)
    R.sum_duplicates()
    # Values of R on the pattern of Y: both sorted, so the product keeps Y's order where R is not 0.
    shared = sp.csr_array(Y.astype(np.float64).multiply(R))
    shared.sort_indices()
    values = shared.data
    if len(values) < Y.nnz or not np.all((values >= 1 / MAX_COST) & (values <= MAX_COST)):
        raise ValueError(
            f"relevance must be finite and greater than 0, from {1 / MAX_COST:g} to {MAX_COST:g}, "
            "wherever y is 1; leave a label out of y where its relevance is 0."
        )
    return values.astype(np.float32)


def target_costs(weighted_targets, norm):
    """Return the cost of each positive of each node of one level.

    A node's relevance for a row is the sum over the labels below it: Yu et al. (2022), "PECOS",
    JMLR 23(98), call this relevance induced.

    Parameters
    ----------
    weighted_targets : csc_array of shape (n_samples, nodes)
        From `LabelHierarchy.node_targets` with weights.
    norm : {"l1", "l2", "max"} or None
        What is 1 for each row afterwards.

    Returns
    -------
    ndarray of float32
        By entry of `weighted_targets`.
    """
    rows, values = weighted_targets.indices, weighted_targets.data.astype(np.float64)
    if norm is None:
        return values.astype(np.float32)
    sizes = np.zeros(weighted_targets.shape[0])
    if norm == "max":
        np.maximum.at(sizes, rows, values)
    else:
        power = values if norm == "l1" else values**2
        sizes = np.bincount(rows, weights=power, minlength=len(sizes))
        sizes = sizes if norm == "l1" else np.sqrt(sizes)
    return (values / sizes[rows]).astype(np.float32)

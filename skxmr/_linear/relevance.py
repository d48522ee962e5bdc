"""Costs of positive samples: the relevance of labels, summed up the tree and normalized per row."""

import numpy as np
import scipy.sparse as sp

from skxmr._core.target_containers import read_targets
from skxmr._core.validation import MAX_COST

NORMS = ("l1", "l2", "max")
MIN_BLOCK_SIZE = 2**18  # of `target_costs`


def check_relevance(relevance, Y):
    """Validate `relevance`, and return the value for each entry of Y.

    Parameters
    ----------
    relevance : sparse matrix, array or frame of shape (n_samples, n_labels), or None
        A positive, finite value for each positive entry of Y. Values of other entries are ignored.
        Duplicate entries of a sparse matrix are summed. None means 1 for each entry.
    Y : csr_array of shape (n_samples, n_labels)
        Canonical indicator.

    Returns
    -------
    ndarray of shape (Y.nnz,), float32
        In the order of the entries of Y.

    Raises
    ------
    ValueError
        If the shape differs from that of Y, or a value is missing or out of range.
    """
    if relevance is None:
        return np.ones(Y.nnz, dtype=np.float32)
    relevance = read_targets(relevance, "relevance")
    if relevance.shape != Y.shape:
        raise ValueError(f"relevance must have the shape of y, {Y.shape}; got {relevance.shape}.")
    R = sp.csr_array(relevance.astype(np.float64))
    R.sum_duplicates()
    # Both matrices are sorted, so the product has the order of Y. It lacks entries where R is 0.
    product = sp.csr_array(Y.astype(np.float64).multiply(R))
    product.sort_indices()
    values = product.data
    if len(values) < Y.nnz or not np.all((values >= 1 / MAX_COST) & (values <= MAX_COST)):
        raise ValueError(
            f"relevance must be finite and greater than 0, from {1 / MAX_COST:g} to {MAX_COST:g}, "
            "wherever y is 1. Set y to 0 where the relevance is 0."
        )
    return values.astype(np.float32)


def target_costs(weighted_targets, norm):
    """Return the cost of each positive sample of each node of one level.

    The relevance of a node for a row is the sum over the labels below the node. This is the
    "induced relevance" of Yu et al. (2022), "PECOS", JMLR 23(98).

    Parameters
    ----------
    weighted_targets : csc_array of shape (n_samples, n_nodes)
        Relevance of each node for each row; from `LabelHierarchy.node_targets` with weights.
    norm : {"l1", "l2", "max"} or None
        Norm of each row that is scaled to 1; None for no scaling.

    Returns
    -------
    ndarray of shape (weighted_targets.nnz,), float32
        In the order of the entries of `weighted_targets`.
    """
    rows, values = weighted_targets.indices, weighted_targets.data
    if norm is None:
        return values.astype(np.float32)
    n_rows = weighted_targets.shape[0]
    # Sums are in float64. In blocks, because a copy of all values would take twice their memory.
    size = max(MIN_BLOCK_SIZE, n_rows)
    blocks = [slice(start, start + size) for start in range(0, len(values), size)]
    norms = np.zeros(n_rows)
    for block in blocks:
        block_values = values[block].astype(np.float64)
        if norm == "max":
            np.maximum.at(norms, rows[block], block_values)
            continue
        weights = block_values if norm == "l1" else block_values**2
        norms += np.bincount(rows[block], weights=weights, minlength=n_rows)
    if norm == "l2":
        np.sqrt(norms, out=norms)
    costs = np.empty(len(values), dtype=np.float32)
    for block in blocks:
        costs[block] = values[block] / norms[rows[block]]
    return costs

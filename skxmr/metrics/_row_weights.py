"""Weights of rows: the parameter `sample_weight` of the metrics."""

import numpy as np


def check_sample_weight(sample_weight, n_rows):
    """Return the weights as a float64 array of shape (n_rows,); ones if `sample_weight` is None."""
    if sample_weight is None:
        return np.ones(n_rows)
    weights = np.asarray(sample_weight)
    if weights.dtype.kind not in "biuf":
        raise TypeError(f"sample_weight must contain real numbers; got dtype {weights.dtype}.")
    if weights.shape != (n_rows,):
        raise ValueError(
            f"sample_weight must have shape ({n_rows},), one weight per row; got shape "
            f"{weights.shape}."
        )
    weights = weights.astype(np.float64)
    total = weights.sum()
    if not (np.all(weights >= 0) and 0 < total < np.inf):
        raise ValueError(
            "sample_weight must be nonnegative with a positive finite sum; got a minimum of "
            f"{weights.min()} and a sum of {total}."
        )
    return weights

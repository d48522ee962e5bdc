"""The weights of a chunk in fewer bits.

A float16 keeps 11 significant bits of a weight. 8-bit integers share one scale in a chunk, the
children of one parent: weight = scale * integer, so the error of each is at most half the scale,
which is the chunk's largest weight / 127. Margins are sums of float32 whatever the weights are.
"""

import numpy as np

# Their numbers in lanes.h are their places.
WEIGHT_TYPES = ("float32", "float16", "int8")


def quantise(weights, weight_dtype):
    """Round weights.

    Parameters
    ----------
    weights : ndarray of float32
        Of one chunk.
    weight_dtype : {"float32", "float16", "int8"}
        What is kept of them. Those too large for a float16 become its largest number.

    Returns
    -------
    weights : ndarray of that dtype
        Rounded to the nearest.
    scale : float
        What they count: 1 but for int8.
    """
    if weight_dtype == "float32":
        return weights, 1.0
    if weight_dtype == "float16":
        most = np.finfo(np.float16).max
        return np.clip(weights, -most, most).astype(np.float16), 1.0
    scale = np.abs(weights).max(initial=0) / np.float32(127)
    if scale == 0:  # nothing is left, or numbers too small to count
        return np.zeros(len(weights), dtype=np.int8), 1.0
    return np.clip(np.rint(weights / scale), -127, 127).astype(np.int8), float(scale)


def dequantise(weights, scale=1.0):
    """Return what rounded weights count, as scoring does: float32.

    Parameters
    ----------
    weights : ndarray of float32, float16 or int8
        As `quantise` returns them.
    scale : float or ndarray
        Their scale.

    Returns
    -------
    ndarray of float32
    """
    weights = weights.astype(np.float32, copy=False)
    return weights if np.ndim(scale) == 0 and scale == 1 else weights * np.float32(scale)

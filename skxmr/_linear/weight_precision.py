"""Storage of weights in fewer bits.

A float16 has 11 significant bits. The int8 weights of a chunk share one scale: weight = scale *
integer. The scale is the largest absolute weight / 127, so the error of a weight is at most half
the scale. Margins are sums in float32 for every dtype of the weights.
"""

import numpy as np

# The index of each dtype is its number in simd/lanes.h.
WEIGHT_TYPES = ("float32", "float16", "int8")
MAX_INT8 = 127


def quantize(weights, weight_dtype):
    """Round weights to a dtype.

    Parameters
    ----------
    weights : ndarray of float32
        Weights of one chunk.
    weight_dtype : {"float32", "float16", "int8"}
        Stored dtype. Weights beyond the range of float16 become its largest number.

    Returns
    -------
    weights : ndarray of that dtype
        Rounded to the nearest.
    scale : float
        Factor of int8 weights; 1 for others.
    """
    if weight_dtype == "float32":
        return weights, 1.0
    if weight_dtype == "float16":
        limit = np.finfo(np.float16).max
        return np.clip(weights, -limit, limit).astype(np.float16), 1.0
    scale = np.abs(weights).max(initial=0) / np.float32(MAX_INT8)
    if scale == 0:  # no weights, or only weights that are too small for a float32 scale
        return np.zeros(len(weights), dtype=np.int8), 1.0
    integers = np.clip(np.rint(weights / scale), -MAX_INT8, MAX_INT8)
    return integers.astype(np.int8), float(scale)


def dequantize(weights, scale=1.0):
    """Return stored weights as float32, exactly as scoring uses them.

    Parameters
    ----------
    weights : ndarray of float32, float16 or int8
        Stored weights.
    scale : float or ndarray
        Their scale.

    Returns
    -------
    ndarray of float32
    """
    weights = weights.astype(np.float32, copy=False)
    return weights if np.ndim(scale) == 0 and scale == 1 else weights * np.float32(scale)

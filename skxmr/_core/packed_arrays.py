"""Arrays with as many bits per number as their range needs, for pickles.

Most weights of a model have a magnitude between `weight_threshold` and 4, so 27 bits
are enough instead of 32. Children and counts are smaller than 128, often than 16. This makes a
pickle 15 to 20 % smaller, at about 1 GB per second, and loses nothing.
"""

import numpy as np

from skxmr._core.bit_packing import find_range, pack_bits, unpack_bits


def pack_array(array):
    """Return an array of integers or floats in packed form.

    Parameters
    ----------
    array : ndarray
        Any shape.

    Returns
    -------
    dict or ndarray
        The argument of `unpack_array`; the array itself if packing would not make it smaller.
    """
    bits = _as_bits(array)
    if bits is None or bits.size == 0:
        return array
    is_float = int(array.dtype.kind == "f")
    smallest, largest = find_range(bits, is_float)
    n_bits = (largest - smallest).bit_length()
    if n_bits == 8 * bits.itemsize:
        return array
    words = np.empty(-(-bits.size * n_bits // 64), dtype=np.uint64)
    pack_bits(bits, is_float, smallest, n_bits, words)
    return {
        "words": words,
        "n_bits": n_bits,
        "smallest": smallest,
        "dtype": array.dtype.name,
        "shape": array.shape,
    }


def unpack_array(packed):
    """Return the array of which `packed` is the packed form."""
    if isinstance(packed, np.ndarray):
        return packed
    array = np.empty(packed["shape"], dtype=packed["dtype"])
    is_float = int(array.dtype.kind == "f")
    unpack_bits(packed["words"], is_float, packed["smallest"], packed["n_bits"], _as_bits(array))
    return array


def _as_bits(array):
    # A view as a 1d array of unsigned integers, or None if there is none.
    if array.dtype.kind not in "fiu" or not array.flags.c_contiguous or array.itemsize > 8:
        return None
    return array.reshape(-1).view(f"u{array.itemsize}")

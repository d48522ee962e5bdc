"""Sum rows by group: the vector of a label is the sum of its positive rows.

Algorithm: Gustavson (1978), "Two fast algorithms for sparse matrices", ACM TOMS 4, for the product
Y.T @ X, one label at a time. Rows are added in a dense array. A bitmap marks the nonzero features,
and a summary has one bit per nonzero word of the bitmap, so the features are read in order without
sorting. The largest entries of each sum are kept and scaled to unit l2 norm. The dense part of the
rows (see rows.py) is added without the bitmap.
"""

import numpy as np

from libc.math cimport fabsf, sqrt

from skxmr._core.interrupts cimport count_rows
from skxmr._core.training_rows cimport TrainingRows, add_scaled, dense_part, view_rows
from skxmr._core.types cimport index_t, offset_t, uint64_t


# Position of the lowest bit of a word, by multiplication with a de Bruijn sequence: no branches.
# Leiserson, Prokop, Randall (1998), "Using de Bruijn sequences to index a 1 in a computer word".
cdef uint64_t DE_BRUIJN = <uint64_t>0x03F79D71B4CB0A89
cdef index_t[64] BIT_POSITIONS
for _bit in range(64):
    BIT_POSITIONS[<uint64_t>(DE_BRUIJN << <int>_bit) >> 58] = _bit


cdef inline index_t find_lowest_bit(uint64_t word) noexcept nogil:
    return BIT_POSITIONS[((word & (~word + 1)) * DE_BRUIJN) >> 58]


cdef offset_t extract_sum(index_t n_summary, uint64_t* summary, uint64_t* words, float* total,
                          index_t* indices, float* data) noexcept nogil:
    # Write the nonzero sums as a sparse vector with sorted features, and set all arrays to 0.
    # Returns the number of entries.
    cdef offset_t n = 0
    cdef index_t s, word, feature
    cdef uint64_t bits, left
    for s in range(n_summary):
        bits = summary[s]
        summary[s] = 0
        while bits:
            word = 64 * s + find_lowest_bit(bits)
            bits &= bits - 1
            left = words[word]
            words[word] = 0
            while left:
                feature = 64 * word + find_lowest_bit(left)
                left &= left - 1
                if total[feature] != 0:
                    indices[n] = feature
                    data[n] = total[feature]
                    total[feature] = 0.0
                    n += 1
    return n


cdef float find_nth_largest(float* values, offset_t n, offset_t nth) noexcept nogil:
    # Hoare's quickselect, counting from 0; reorders values.
    cdef offset_t lo = 0, hi = n - 1, i, j
    cdef float pivot
    while lo < hi:
        pivot = values[lo + (hi - lo) // 2]
        i = lo
        j = hi
        while i <= j:
            while values[i] > pivot:
                i += 1
            while pivot > values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if nth <= j:
            hi = j
        elif nth >= i:
            lo = i
        else:
            break
    return values[nth]


cdef offset_t truncate_and_normalize(index_t* indices, float* data, offset_t n,
                                     offset_t max_entries, float* scratch) noexcept nogil:
    # Keep the max_entries largest absolute values, equal ones by increasing feature, and scale the
    # vector to unit norm. Returns the number of entries.
    cdef offset_t e, n_kept = 0, n_ties = max_entries
    cdef float smallest
    cdef double norm = 0.0
    if n > max_entries:
        for e in range(n):
            scratch[e] = fabsf(data[e])
        smallest = find_nth_largest(scratch, n, max_entries - 1)
        # n_ties: how many entries equal to the smallest kept value can be kept.
        for e in range(n):
            n_ties -= fabsf(data[e]) > smallest
        for e in range(n):
            if fabsf(data[e]) == smallest:
                n_ties -= 1
                if n_ties < 0:
                    continue
            if fabsf(data[e]) >= smallest:
                indices[n_kept] = indices[e]
                data[n_kept] = data[e]
                n_kept += 1
        n = n_kept
    for e in range(n):
        norm += <double>data[e] * data[e]
    norm = 1.0 / sqrt(norm) if norm > 0.0 else 1.0
    for e in range(n):
        data[e] = <float>(data[e] * norm)
    return n


def aggregate(
    const offset_t[::1] group_indptr,  # IN (n_groups + 1)
    const index_t[::1] group_rows,     # IN rows of X in each group
    const float[::1] row_weights,      # IN (n_samples)
    const offset_t[::1] indptr,        # IN sparse part of X; see rows.py
    const index_t[::1] indices,        # IN
    const float[::1] data,             # IN
    const float[:, ::1] dense,         # IN dense part of X
    index_t n_features,
    offset_t n_entries,                # at least the number of entries of all results
    offset_t max_entries,              # maximum number of entries per group, the largest ones
):
    """Return the sum of the weighted rows of each group, scaled to unit l2 norm.

    Returns
    -------
    counts : ndarray of shape (n_groups,), int64
        Number of entries per group.
    indices : ndarray of int32
        Features of the entries, increasing in each group.
    data : ndarray of float32
        Values of the entries.
    """
    cdef TrainingRows X = view_rows(indptr, indices, data, dense, n_features)
    cdef index_t n_groups = <index_t>(group_indptr.shape[0] - 1), group, row, f
    cdef index_t first_dense = n_features - X.n_dense
    cdef index_t n_unchecked_rows = 0
    cdef index_t n_words = (n_features + 63) // 64
    cdef index_t n_summary = (n_words + 63) // 64
    cdef offset_t at, e, size = 0
    cdef float weight
    counts = np.empty(n_groups, dtype=np.int64)
    # + n_features: a sum is written completely before its largest entries are selected. Pages that
    # are never written do not use memory.
    sum_indices = np.empty(n_entries + n_features, dtype=np.int32)
    sum_data = np.empty(n_entries + n_features, dtype=np.float32)
    cdef offset_t[::1] count = counts
    cdef index_t[::1] out_indices = sum_indices
    cdef float[::1] out_data = sum_data
    cdef float[::1] scratch = np.empty(n_features, dtype=np.float32)
    cdef float[::1] total = np.zeros(n_features, dtype=np.float32)
    cdef uint64_t[::1] words = np.zeros(n_words, dtype=np.uint64)
    cdef uint64_t[::1] summary = np.zeros(n_summary, dtype=np.uint64)
    with nogil:
        for group in range(n_groups):
            count_rows(&n_unchecked_rows, 1)
            for at in range(group_indptr[group], group_indptr[group + 1]):
                count_rows(&n_unchecked_rows, 1)
                row = group_rows[at]
                weight = row_weights[row]
                for e in range(indptr[row], indptr[row + 1]):
                    f = indices[e]
                    total[f] += weight * data[e]
                    words[f >> 6] |= <uint64_t>1 << (f & 63)
                    summary[f >> 12] |= <uint64_t>1 << ((f >> 6) & 63)
                add_scaled(&total[first_dense], dense_part(&X, row), weight, X.n_dense)
            for f in range(first_dense, n_features if X.n_dense else 0):
                words[f >> 6] |= <uint64_t>1 << (f & 63)
                summary[f >> 12] |= <uint64_t>1 << ((f >> 6) & 63)
            count[group] = extract_sum(n_summary, &summary[0], &words[0], &total[0],
                                       &out_indices[size], &out_data[size])
            count[group] = truncate_and_normalize(&out_indices[size], &out_data[size],
                                                  count[group], max_entries, &scratch[0])
            size += count[group]
    return counts, sum_indices[:size], sum_data[:size]

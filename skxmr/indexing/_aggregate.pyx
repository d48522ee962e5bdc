"""Sums of sparse rows by group: the features of each label's positive rows.

Gustavson's algorithm (1978, "Two fast algorithms for sparse matrices", ACM TOMS 4) for the product
of an indicator's transpose and X, a label at a time: rows are added up in a dense array, and a
bitmap of the features that were touched, with a summary bit for each of its words, gives them back
in order without sorting. Of each sum the largest entries are kept, scaled to unit l2 norm.
"""

import numpy as np

from libc.math cimport fabsf, sqrt

from skxmr._core.types cimport index_t, offset_t, uint64_t


# Where the lowest bit is, by its product with a de Bruijn sequence (Leiserson, Prokop, Randall
# 1998, "Using de Bruijn sequences to index a 1 in a computer word"): no branch to predict.
cdef uint64_t DE_BRUIJN = <uint64_t>0x03F79D71B4CB0A89
cdef index_t[64] BIT_OF_PRODUCT
for _bit in range(64):
    BIT_OF_PRODUCT[<uint64_t>(DE_BRUIJN << <int>_bit) >> 58] = _bit


cdef inline index_t lowest_bit(uint64_t word) noexcept nogil:
    return BIT_OF_PRODUCT[((word & (~word + 1)) * DE_BRUIJN) >> 58]


cdef offset_t take(index_t n_summary, uint64_t* summary, uint64_t* words, float* total,
                   index_t* indices, float* data) noexcept nogil:
    # Write the sum in the order of features, and clear what it touched.
    cdef offset_t n = 0
    cdef index_t s, word, feature
    cdef uint64_t bits, left
    for s in range(n_summary):
        bits = summary[s]
        summary[s] = 0
        while bits:
            word = 64 * s + lowest_bit(bits)
            bits &= bits - 1
            left = words[word]
            words[word] = 0
            while left:
                feature = 64 * word + lowest_bit(left)
                left &= left - 1
                indices[n] = feature
                data[n] = total[feature]
                total[feature] = 0.0
                n += 1
    return n


cdef float nth_largest(float* values, offset_t n, offset_t nth) noexcept nogil:
    # Hoare's quickselect; reorders values.
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


cdef offset_t finish(index_t* indices, float* data, offset_t n, offset_t most,
                     float* scratch) noexcept nogil:
    # Keep the `most` largest in size, of equal ones the first, and scale to unit norm.
    cdef offset_t e, kept = 0, equal_left = most
    cdef float least
    cdef double norm = 0.0
    if n > most:
        for e in range(n):
            scratch[e] = fabsf(data[e])
        least = nth_largest(scratch, n, most - 1)
        for e in range(n):
            equal_left -= fabsf(data[e]) > least
        for e in range(n):
            if fabsf(data[e]) == least:
                equal_left -= 1
                if equal_left < 0:
                    continue
            if fabsf(data[e]) >= least:
                indices[kept] = indices[e]
                data[kept] = data[e]
                kept += 1
        n = kept
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
    const offset_t[::1] indptr,        # IN rows of X
    const index_t[::1] indices,        # IN
    const float[::1] data,             # IN
    index_t n_features,
    offset_t n_entries,                # no less than the entries that all sums keep
    offset_t most,                     # entries kept of a sum, those of the largest size
):
    """Return the unit sums of the weighted rows of each group: (counts, indices, data)."""
    cdef index_t n_groups = <index_t>(group_indptr.shape[0] - 1), group, row, f
    cdef index_t n_words = (n_features + 63) // 64
    cdef index_t n_summary = (n_words + 63) // 64
    cdef offset_t at, e, size = 0
    cdef float weight
    counts = np.empty(n_groups, dtype=np.int64)
    # A sum is whole until its largest entries are chosen. What is not written takes no memory.
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
            for at in range(group_indptr[group], group_indptr[group + 1]):
                row = group_rows[at]
                weight = row_weights[row]
                for e in range(indptr[row], indptr[row + 1]):
                    f = indices[e]
                    total[f] += weight * data[e]
                    words[f >> 6] |= <uint64_t>1 << (f & 63)
                    summary[f >> 12] |= <uint64_t>1 << ((f >> 6) & 63)
            count[group] = take(n_summary, &summary[0], &words[0], &total[0], &out_indices[size],
                                &out_data[size])
            count[group] = finish(&out_indices[size], &out_data[size], count[group], most,
                                  &scratch[0])
            size += count[group]
    return counts, sum_indices[:size], sum_data[:size]

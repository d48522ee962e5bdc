"""Fingerprints of the training data of clusters: 64-bit hashes that show what has changed.

The fingerprint of a cluster is a hash of everything that its weights depend on: its rows with their
features and costs, in order; the positive rows of each child, and their costs; and a key for the
options and the seed of the training. Two clusters with equal fingerprints have equal weights, also
if the numbers of their rows or of their nodes differ. The probability that two different clusters
get the same fingerprint by chance is 2^-64.

The hash of a row does not depend on the part of X that contains a feature. A dense and a sparse X
have the same fingerprints.

Hashes are sums of mixed words: the mixing function is splitmix64, Steele, Lea, Flood (2014), "Fast
splittable pseudorandom number generators", OOPSLA. A word of a sum contains its position, so the
order counts. Sums let a processor mix several words at the same time.
"""

import numpy as np

from libc.string cimport memcpy

from skxmr._core.random cimport make_random_state as mix
from skxmr._core.training_rows cimport TrainingRows, dense_part, view_rows
from skxmr._core.types cimport index_t, offset_t, uint32_t, uint64_t

# Factors that make words of different kinds and positions differ.
cdef uint64_t POSITION = <uint64_t>0xD1342543DE82EF95
cdef uint64_t CHILD = <uint64_t>0xAF251AF3B0F025B5


cdef inline uint32_t bits_of(float value) noexcept nogil:
    cdef uint32_t bits
    memcpy(&bits, &value, sizeof(float))
    return bits


cdef inline uint64_t join_words(index_t high, float low) noexcept nogil:
    return <uint64_t>(<uint32_t>high) << 32 | bits_of(low)


cdef uint64_t hash_row(const TrainingRows* X, index_t row) noexcept nogil:
    cdef uint64_t total = 0
    cdef offset_t at
    cdef index_t f, first_dense = X.n_columns - X.n_dense
    cdef const float* dense = dense_part(X, row)
    for at in range(X.indptr[row], X.indptr[row + 1]):
        total += mix(join_words(X.indices[at], X.data[at]))
    for f in range(X.n_dense):
        if dense[f] != 0:
            total += mix(join_words(first_dense + f, dense[f]))
    return total


def hash_rows(
    const offset_t[::1] indptr,        # IN (n_rows + 1) sparse part of X; see rows.py
    const index_t[::1] indices,        # IN
    const float[::1] data,             # IN
    const float[:, ::1] dense,         # IN (n_rows, n_dense) dense part of X
    index_t n_columns,                 # of both parts
    const float[::1] row_costs,        # IN (n_rows) cost multiplier of each row, or None for 1
):
    """Return the hash of each row, uint64."""
    cdef index_t row, n_rows = <index_t>(indptr.shape[0] - 1)
    cdef TrainingRows X = view_rows(indptr, indices, data, dense, n_columns)
    hashes = np.empty(n_rows, dtype=np.uint64)
    cdef uint64_t[::1] out = hashes
    cdef bint has_costs = row_costs is not None
    with nogil:
        for row in range(n_rows):
            out[row] = mix(hash_row(&X, row)
                           + bits_of(row_costs[row] if has_costs else <float>1.0))
    return hashes


def hash_clusters(
    const uint64_t[::1] row_hashes,    # IN (n_rows)
    const offset_t[::1] indptr,        # IN (n_parents + 1) slices of rows
    const index_t[::1] rows,           # IN rows of each cluster
    const offset_t[::1] child_indptr,  # IN (n_parents + 1) children of each cluster
    const offset_t[::1] target_indptr,  # IN (n_children + 1) slices of target_rows
    const index_t[::1] target_rows,    # IN positive rows of each child
    const float[::1] target_costs,     # IN cost multiplier of each of target_rows, or None for 1
    uint64_t key,                      # hash of everything else that weights depend on
):
    """Return the fingerprint of each cluster, uint64; no fingerprint is 0."""
    cdef offset_t parent, child, at, n_parents = indptr.shape[0] - 1
    cdef index_t row, place
    cdef uint64_t total, in_child
    cdef bint has_costs = target_costs is not None
    fingerprints = np.empty(n_parents, dtype=np.uint64)
    cdef uint64_t[::1] out = fingerprints
    # Place of each row in the cluster that contained it last.
    cdef index_t[::1] places = np.zeros(row_hashes.shape[0], dtype=np.int32)
    with nogil:
        for parent in range(n_parents):
            total = mix(key + <uint64_t>(child_indptr[parent + 1] - child_indptr[parent]))
            for at in range(indptr[parent], indptr[parent + 1]):
                place = <index_t>(at - indptr[parent])
                row = rows[at]
                places[row] = place
                total += mix(row_hashes[row] ^ POSITION * <uint64_t>(place + 1))
            for child in range(child_indptr[parent], child_indptr[parent + 1]):
                in_child = <uint64_t>(target_indptr[child + 1] - target_indptr[child])
                for at in range(target_indptr[child], target_indptr[child + 1]):
                    row = target_rows[at]
                    place = places[row]
                    # Rows that are not in the cluster have no influence, except for their number.
                    if (indptr[parent] + place < indptr[parent + 1]
                            and rows[indptr[parent] + place] == row):
                        in_child += mix(join_words(
                            place, target_costs[at] if has_costs else <float>1.0))
                total += mix(in_child ^ CHILD * <uint64_t>(child - child_indptr[parent] + 1))
            out[parent] = mix(total)
    return fingerprints

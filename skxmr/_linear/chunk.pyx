"""The weights that pruning leaves of a cluster, gathered as found and packed by feature."""

import numpy as np

from libc.stdlib cimport calloc, free, realloc

from skxmr._core.types cimport index_t, offset_t, uint8_t, uint16_t, uint32_t, uint64_t

ctypedef fused count_t:
    uint8_t
    uint16_t

ctypedef fused bits_t:
    uint8_t
    uint16_t
    uint32_t


cdef bint reserve(Weights* kept, offset_t more) noexcept nogil:
    # Make room for more weights. False if memory ran out.
    cdef offset_t capacity = 2 * kept.capacity + more + 1024
    cdef index_t* grown_feature
    cdef uint16_t* grown_child
    cdef float* grown_value
    if kept.size + more <= kept.capacity:
        return True
    # A failed realloc leaves the old block, which release_weights frees.
    grown_feature = <index_t*>realloc(kept.feature, capacity * sizeof(index_t))
    if grown_feature:
        kept.feature = grown_feature
    grown_child = <uint16_t*>realloc(kept.child, capacity * sizeof(uint16_t))
    if grown_child:
        kept.child = grown_child
    grown_value = <float*>realloc(kept.value, capacity * sizeof(float))
    if grown_value:
        kept.value = grown_value
    if not (grown_feature and grown_child and grown_value):
        return False
    kept.capacity = capacity
    return True


cdef void release_weights(Weights* kept) noexcept nogil:
    free(kept.feature)
    free(kept.child)
    free(kept.value)


cdef tuple pack(const Weights* kept, const index_t* columns, index_t n_features,
                index_t n_columns):
    # Turn the kept weights into the chunk, features by rising column: (summary, words, counts,
    # children, values). columns[f] is the one of the n_columns of X that feature f is.
    cdef index_t f, n_kept = 0
    cdef offset_t e
    cdef index_t[::1] chunk_features, chunk_counts
    cdef uint16_t[::1] chunk_children
    cdef float[::1] chunk_values
    # Column and feature of each feature that has weights, in one number to sort.
    keys = np.empty(n_features + 1, dtype=np.uint64)
    cdef uint64_t[::1] key = keys
    cdef offset_t* place = <offset_t*>calloc(n_features + 1, sizeof(offset_t))
    if not place:
        raise MemoryError()
    try:
        with nogil:
            for e in range(kept.size):
                place[kept.feature[e]] += 1
            for f in range(n_features):
                if place[f] > 0:
                    key[n_kept] = (<uint64_t>columns[f] << 32) | <uint64_t>f
                    n_kept += 1
        keys[:n_kept].sort()
        features = np.empty(n_kept, dtype=np.int32)
        counts = np.empty(n_kept, dtype=np.int32)
        children = np.empty(kept.size, dtype=np.uint16)
        values = np.empty(kept.size, dtype=np.float32)
        chunk_features = features
        chunk_counts = counts
        chunk_children = children
        chunk_values = values
        with nogil:
            fill_chunk(kept, columns, place, &key[0], n_kept, chunk_features, chunk_counts,
                       chunk_children, chunk_values)
    finally:
        free(place)
    return (*pack_features(features, n_columns), counts, children, values)


cdef void fill_chunk(const Weights* kept, const index_t* columns, offset_t* place,
                     const uint64_t* keys, index_t n_kept, index_t[::1] features,
                     index_t[::1] counts, uint16_t[::1] children,
                     float[::1] values) noexcept nogil:
    cdef index_t at, f
    cdef offset_t e, count, total = 0
    for at in range(n_kept):
        f = <index_t>(keys[at] & <uint64_t>0xFFFFFFFF)
        features[at] = columns[f]
        count = place[f]
        counts[at] = <index_t>count
        place[f] = total
        total += count
    for e in range(kept.size):
        f = kept.feature[e]
        children[place[f]] = kept.child[e]
        values[place[f]] = kept.value[e]
        place[f] += 1


def pack_features(const index_t[::1] features, index_t n_features):
    """Return the bitmap (summary, words) of a chunk's rising features; see feature_sets.py."""
    cdef index_t n_words = n_features // 64 + (n_features % 64 > 0), word, last = -1
    cdef index_t at, n_used = 0
    for at in range(<index_t>features.shape[0]):
        n_used += features[at] // 64 != last
        last = features[at] // 64
    summary = np.zeros(n_words // 64 + (n_words % 64 > 0), dtype=np.uint64)
    words = np.zeros(n_used, dtype=np.uint64)
    cdef uint64_t[::1] marks = summary, bits = words
    n_used = 0
    last = -1
    for at in range(<index_t>features.shape[0]):
        word = features[at] // 64
        n_used += word != last
        last = word
        marks[word // 64] |= <uint64_t>1 << (word % 64)
        bits[n_used - 1] |= <uint64_t>1 << (features[at] % 64)
    return summary, words


def rank_words(const uint64_t[::1] words, const uint8_t[::1] sizes,
               const offset_t[::1] word_indptr, const count_t[::1] counts):
    """Return (ranked_words, feature_indptr, entry_indptr); see feature_sets.py.

    `sizes` are the features of each word, `counts` the entries of each feature.
    """
    cdef offset_t n_chunks = word_indptr.shape[0] - 1, chunk, word, feature = 0, last = 0
    cdef uint64_t n_features, n_entries
    ranked_words = np.zeros((words.shape[0], 2), dtype=np.uint64)
    feature_indptr = np.zeros(n_chunks + 1, dtype=np.int64)
    entry_indptr = np.zeros(n_chunks + 1, dtype=np.int64)
    cdef uint64_t[:, ::1] ranked = ranked_words
    cdef offset_t[::1] feature_start = feature_indptr, entry_start = entry_indptr
    with nogil:
        for chunk in range(n_chunks):
            n_features = 0
            n_entries = 0
            for word in range(word_indptr[chunk], word_indptr[chunk + 1]):
                ranked[word, 0] = words[word]
                ranked[word, 1] = n_features | n_entries << 32
                n_features += sizes[word]
                last += sizes[word]
                while feature < last:
                    n_entries += counts[feature]
                    feature += 1
            feature_start[chunk + 1] = feature
            entry_start[chunk + 1] = entry_start[chunk] + <offset_t>n_entries
    most = np.diff(entry_indptr).max(initial=0)
    if most >= 2**32:  # half a number counts them
        raise ValueError(
            f"The children of one parent have {most} weights in all, which must be less than 2**32;"
            " a smaller max_leaf_size or branching_factor, or a larger weight_threshold, leaves"
            " fewer."
        )
    return ranked_words, feature_indptr, entry_indptr


def spread_weights(const count_t[::1] counts, const count_t[::1] children,
                   const bits_t[::1] weights, bits_t[:, ::1] table):
    """Write the weights of each chunk feature into its row of `table`, at their children."""
    cdef offset_t feature, entry = 0, stop = 0
    cdef offset_t n_entries = min(children.shape[0], weights.shape[0])
    with nogil:
        for feature in range(counts.shape[0]):
            stop += counts[feature]
            if stop > n_entries:
                break
            while entry < stop and children[entry] < table.shape[1]:
                table[feature, children[entry]] = weights[entry]
                entry += 1
            if entry < stop:
                break
    if not entry == stop == children.shape[0] == weights.shape[0]:
        raise ValueError(f"The weights of a level are damaged, at number {entry}.")

"""Build and convert chunks: the stored weights of the children of one cluster.

During training, the weights that pruning keeps are appended to a `WeightList` in any order.
`pack_chunk` sorts them by feature into a chunk: a bitmap of the features, see feature_sets.py, the
number of weights per feature, and the child and the value of each weight.
"""

import numpy as np

from libc.stdlib cimport calloc, free, realloc

from skxmr._core.types cimport index_t, offset_t, uint8_t, uint16_t, uint32_t, uint64_t

ctypedef fused count_t:
    uint8_t
    uint16_t

ctypedef fused child_t:
    uint8_t
    uint16_t

# Unsigned integers as wide as a weight; weights are only copied here.
ctypedef fused bits_t:
    uint8_t
    uint16_t
    uint32_t


cdef bint reserve_weights(WeightList* weights, offset_t n_more) noexcept nogil:
    # Allocate space for n_more weights. Returns False if memory runs out.
    cdef offset_t capacity = 2 * weights.capacity + n_more + 1024
    cdef index_t* features
    cdef uint16_t* children
    cdef float* values
    if weights.size + n_more <= weights.capacity:
        return True
    # If realloc fails, the old array remains, and release_weights frees it.
    features = <index_t*>realloc(weights.features, capacity * sizeof(index_t))
    if features:
        weights.features = features
    children = <uint16_t*>realloc(weights.children, capacity * sizeof(uint16_t))
    if children:
        weights.children = children
    values = <float*>realloc(weights.values, capacity * sizeof(float))
    if values:
        weights.values = values
    if not (features and children and values):
        return False
    weights.capacity = capacity
    return True


cdef void release_weights(WeightList* weights) noexcept nogil:
    free(weights.features)
    free(weights.children)
    free(weights.values)


cdef tuple pack_chunk(const WeightList* weights, const index_t* columns, index_t n_features,
                      index_t n_columns):
    # Return the chunk (summary, words, counts, children, values), with features in increasing
    # order of their columns. n_features is the number of features that occur in the cluster,
    # columns[f] the column of X of feature f (see compact_rows.pyx), and n_columns the number of
    # columns of X.
    cdef index_t f, n_used = 0
    cdef offset_t e
    cdef index_t[::1] chunk_features, chunk_counts
    cdef uint16_t[::1] chunk_children
    cdef float[::1] chunk_values
    # Sort keys: column << 32 | feature, for each feature that has weights.
    sort_keys = np.empty(n_features + 1, dtype=np.uint64)
    cdef uint64_t[::1] keys = sort_keys
    cdef offset_t* n_weights = <offset_t*>calloc(n_features + 1, sizeof(offset_t))
    if not n_weights:
        raise MemoryError()
    try:
        with nogil:
            for e in range(weights.size):
                n_weights[weights.features[e]] += 1
            for f in range(n_features):
                if n_weights[f] > 0:
                    keys[n_used] = (<uint64_t>columns[f] << 32) | <uint64_t>f
                    n_used += 1
        sort_keys[:n_used].sort()
        features = np.empty(n_used, dtype=np.int32)
        counts = np.empty(n_used, dtype=np.int32)
        children = np.empty(weights.size, dtype=np.uint16)
        values = np.empty(weights.size, dtype=np.float32)
        chunk_features = features
        chunk_counts = counts
        chunk_children = children
        chunk_values = values
        with nogil:
            sort_weights_by_key(weights, columns, n_weights, &keys[0], n_used, chunk_features,
                                chunk_counts, chunk_children, chunk_values)
    finally:
        free(n_weights)
    return (*pack_features(features, n_columns), counts, children, values)


cdef void sort_weights_by_key(const WeightList* weights, const index_t* columns,
                              offset_t* n_weights, const uint64_t* keys, index_t n_used,
                              index_t[::1] features, index_t[::1] counts,
                              uint16_t[::1] children, float[::1] values) noexcept nogil:
    # Counting sort. n_weights is the number of weights of each feature on entry. It is then
    # overwritten: it becomes the position at which the next weight of the feature is written.
    cdef index_t at, f
    cdef offset_t e, count, total = 0
    for at in range(n_used):
        f = <index_t>(keys[at] & <uint64_t>0xFFFFFFFF)
        features[at] = columns[f]
        count = n_weights[f]
        counts[at] = <index_t>count
        n_weights[f] = total
        total += count
    for e in range(weights.size):
        f = weights.features[e]
        children[n_weights[f]] = weights.children[e]
        values[n_weights[f]] = weights.values[e]
        n_weights[f] += 1


def pack_features(const index_t[::1] features, index_t n_columns):
    """Return the bitmap (summary, words) of a chunk's sorted features; see feature_sets.py.

    `n_columns` is the number of columns of X.
    """
    cdef index_t n_words = n_columns // 64 + (n_columns % 64 > 0), word, last_word = -1
    cdef index_t at, n_stored_words = 0
    for at in range(<index_t>features.shape[0]):
        n_stored_words += features[at] // 64 != last_word
        last_word = features[at] // 64
    summary = np.zeros(n_words // 64 + (n_words % 64 > 0), dtype=np.uint64)
    words = np.zeros(n_stored_words, dtype=np.uint64)
    cdef uint64_t[::1] summary_view = summary, words_view = words
    n_stored_words = 0
    last_word = -1
    for at in range(<index_t>features.shape[0]):
        word = features[at] // 64
        n_stored_words += word != last_word
        last_word = word
        summary_view[word // 64] |= <uint64_t>1 << (word % 64)
        words_view[n_stored_words - 1] |= <uint64_t>1 << (features[at] % 64)
    return summary, words


def rank_words(const uint64_t[::1] words, const uint8_t[::1] features_per_word,
               const offset_t[::1] word_indptr, const count_t[::1] counts):
    """Return (ranked_words, feature_indptr, entry_indptr); see feature_sets.py.

    `word_indptr` are the starts of the words of each chunk, `counts` the numbers of entries per
    feature.
    """
    cdef offset_t n_chunks = word_indptr.shape[0] - 1, chunk, word, feature = 0, stop = 0
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
                n_features += features_per_word[word]
                stop += features_per_word[word]
                while feature < stop:
                    n_entries += counts[feature]
                    feature += 1
            feature_start[chunk + 1] = feature
            entry_start[chunk + 1] = entry_start[chunk] + <offset_t>n_entries
    max_entries = np.diff(entry_indptr).max(initial=0)
    if max_entries >= 2**32:  # the number of entries before a word has 32 bits
        raise ValueError(
            f"The number of weights per cluster must be less than 2**32; got {max_entries}. "
            "Decrease max_leaf_size or branching_factor, or increase weight_threshold."
        )
    return ranked_words, feature_indptr, entry_indptr


def fill_dense_weights(const count_t[::1] counts, const child_t[::1] children,
                       const bits_t[::1] weights, bits_t[:, ::1] dense_weights):
    """Copy the entries of a level to `dense_weights`: a row per chunk feature, a column per child.

    `counts` are the numbers of entries per feature, `children` and `weights` the entries.
    `dense_weights` must be zero.
    """
    cdef offset_t feature, entry = 0, stop = 0
    cdef offset_t n_entries = min(children.shape[0], weights.shape[0])
    with nogil:
        for feature in range(counts.shape[0]):
            stop += counts[feature]
            if stop > n_entries:
                break
            while entry < stop and children[entry] < dense_weights.shape[1]:
                dense_weights[feature, children[entry]] = weights[entry]
                entry += 1
            if entry < stop:
                break
    if not entry == stop == children.shape[0] == weights.shape[0]:
        raise ValueError(
            "The weights of a level are damaged: their counts and children disagree at entry "
            f"{entry}. Restore the model's files from a copy, or fit the model again."
        )

"""Compute the margins w.x + b of all children of one parent for one row.

Algorithm: the weights of a level are stored in chunks, one per parent. A chunk has the features
with a nonzero weight in any child, and per feature the children's weights (Etter, Zhong, Yu, Ying,
Dhillon 2022, "Accelerating inference for sparse extreme multi-label ranking trees", WWW). The
margins are the intercepts, plus value * weights for each feature that the row and the chunk share.
Weights are either sparse entries (child, weight), or dense: one weight per feature and child, for
levels whose chunks have at most LANES children, or in which many weights are not zero. `LevelModel`
decides which.

Scoring with large models is limited by memory latency. Therefore a (row, parent) pair is scored in
four steps, and each step prefetches the memory that the next one reads:

1. `prefetch_words` prefetches the bitmap words of the row's features.
2. `find_shared_features` reads these words, and prefetches the counts or the dense weights of the
   features that the chunk has.
3. `find_entries` reads the counts and prefetches the entries; it does nothing for dense weights.
4. `compute_margins` reads the weights.

`scoring` interleaves the steps of consecutive pairs. The results do not depend on this.

Rows with nonzero values in all of the last columns, such as embeddings, need no search for shared
features in these columns. If they are all columns, `compute_margins_of_rows` scores ROWS_TOGETHER
rows at a time, and loads each dense weight once for all of them. `compute_margins_by_child` adds
the products of sparse entries for up to MAX_ENTRY_ROWS rows at a time, one row per lane.
"""

import numpy as np

from libc.stdlib cimport free, malloc

from skxmr._core.types cimport index_t, offset_t, uint8_t, uint16_t, uint64_t
from skxmr._linear.simd.lanes cimport (
    LANES, MAX_ENTRY_ROWS, PREFETCH, ROWS_TOGETHER, chunk_entries, entry_range, feature_set,
    lane_kernels, prefetch_array, transpose_rows
)


cdef bint allocate_scratch(Scratch* scratch, offset_t max_row_entries,
                           offset_t max_children) noexcept nogil:
    # Returns False if memory runs out. Call release_scratch in any case.
    # All arrays are in one block of memory: for a single row, each allocation takes a percent of
    # the time. Arrays of 8 bytes per entry come first, so that all are aligned.
    cdef int at
    cdef offset_t capacity = max_row_entries + 1
    cdef size_t row_bytes = capacity * (2 * sizeof(float) + sizeof(uint64_t) + sizeof(entry_range))
    cdef size_t child_bytes = 2 * (max_children + LANES) * sizeof(float) + max_children
    cdef char* block = <char*>malloc(PIPELINE_DEPTH * row_bytes + child_bytes)
    scratch.block = block
    if block == NULL:
        return False
    for at in range(PIPELINE_DEPTH):
        scratch.shared[at].counts_before = <uint64_t*>block
        scratch.shared[at].ranges = <entry_range*>(block + capacity * sizeof(uint64_t))
        block += capacity * (sizeof(uint64_t) + sizeof(entry_range))
    for at in range(PIPELINE_DEPTH):
        scratch.shared[at].positions = <index_t*>block
        scratch.shared[at].values = <float*>block + capacity
        block += 2 * capacity * sizeof(float)
    scratch.margins = <float*>block
    scratch.scores = scratch.margins + max_children + LANES
    scratch.flags = <uint8_t*>(scratch.scores + max_children + LANES)
    return True


cdef void release_scratch(Scratch* scratch) noexcept nogil:
    free(scratch.block)


cdef bint allocate_full_rows(FullRows* rows, offset_t n_columns, offset_t max_children,
                             bint has_entries) noexcept nogil:
    # `has_entries` is whether `compute_margins_by_child` is called. Returns False if memory runs
    # out. Call release_full_rows in any case.
    cdef size_t n_margins = max_children + LANES
    cdef size_t n_numbers = (ROWS_TOGETHER + 1) * <size_t>n_columns + ROWS_TOGETHER * n_margins
    cdef size_t n_entry_numbers = (
        MAX_ENTRY_ROWS * (<size_t>n_columns + max_children) if has_entries else 0)
    cdef int row
    cdef float* block = <float*>malloc(sizeof(float) * (n_numbers + n_entry_numbers) + 64)
    rows.block = block
    if block == NULL:
        return False
    rows.features = <index_t*>block
    rows.n_columns = n_columns
    for row in range(ROWS_TOGETHER):
        rows.values[row] = block + (row + 1) * n_columns
        rows.margins[row] = block + (ROWS_TOGETHER + 1) * n_columns + row * n_margins
    rows.values_by_column = rows.margins_by_child = NULL
    if has_entries:
        # Vectors of LANES floats start at a cache line of 64 bytes: otherwise, each access would be
        # one to two lines.
        block += n_numbers
        rows.values_by_column = <float*>(<char*>block + (64 - <size_t>block % 64))
        rows.margins_by_child = rows.values_by_column + MAX_ENTRY_ROWS * n_columns
    return True


cdef void release_full_rows(FullRows* rows) noexcept nogil:
    free(rows.block)


cdef class ChunkMargins:
    """The chunks of one level; see `LevelModel` for the arrays."""

    def __init__(self, child_indptr, intercepts, summaries, counts, children, weights,
                 int weight_type, scales, word_indptr, summary_ranks, ranked_words, feature_indptr,
                 entry_indptr, dense_weights):
        self.child_indptr = child_indptr
        self.intercepts = intercepts
        self.summaries = summaries
        self.summary_ranks = summary_ranks
        self.word_indptr = word_indptr
        self.ranked_words = ranked_words
        self.feature_indptr = feature_indptr
        self.n_lanes = 0 if dense_weights is None else dense_weights.shape[1]
        self.dense_weights = None if dense_weights is None else dense_weights.view(np.uint8)
        self.entry_indptr = entry_indptr
        self.counts = counts.view(np.uint8)
        self.children = children.view(np.uint8)
        self.weights = weights.view(np.uint8)
        self.count_bytes = counts.itemsize
        self.child_bytes = children.itemsize
        self.weight_bytes = weights.itemsize
        self.weight_type = weight_type
        self.scales = scales
        max_children = np.diff(child_indptr).max(initial=0)
        self.has_few_children = max_children <= LANES and children.itemsize == 1

    cdef float get_scale(self, index_t parent) noexcept nogil:
        return self.scales[parent] if self.scales is not None else <float>1.0

    cdef feature_set get_features(self, index_t parent) noexcept nogil:
        cdef feature_set features
        features.summary = &self.summaries[parent, 0]
        features.summary_ranks = &self.summary_ranks[parent, 0]
        features.ranked_words = &self.ranked_words[self.word_indptr[parent], 0]
        return features

    cdef chunk_entries get_entries(self, index_t parent) noexcept nogil:
        cdef chunk_entries chunk
        cdef offset_t entry = self.entry_indptr[parent]
        chunk.counts = &self.counts[self.count_bytes * self.feature_indptr[parent]]
        chunk.n_counts = self.counts.shape[0] // self.count_bytes - self.feature_indptr[parent]
        chunk.children = <const char*>&self.children[self.child_bytes * entry]
        chunk.child_bytes = self.child_bytes
        chunk.weights = <const char*>&self.weights[self.weight_bytes * entry]
        chunk.weight_bytes = self.weight_bytes
        chunk.scale = self.get_scale(parent)
        return chunk

    cdef void prefetch_words(self, const lane_kernels* kernels, index_t parent,
                             const index_t* indices, offset_t size) noexcept nogil:
        cdef feature_set features = self.get_features(parent)
        kernels.prefetch_words(&features, indices, size)

    cdef void find_shared_features(self, const lane_kernels* kernels, index_t parent,
                                   const index_t* indices, const float* data, offset_t size,
                                   SharedFeatures* shared) noexcept nogil:
        cdef feature_set features = self.get_features(parent)
        cdef offset_t at, first = self.feature_indptr[parent]
        size = kernels.find_shared_features(&features, indices, data, size, shared.positions,
                                            shared.counts_before, shared.values)
        shared.size = size
        if self.dense_weights is not None:
            for at in range(size):
                prefetch_array(&self.dense_weights[first + shared.positions[at], 0],
                               self.dense_weights.shape[1] // 4)
        else:
            for at in range(size):
                PREFETCH(&self.counts[self.count_bytes * (first + shared.positions[at])])

    cdef void find_entries(self, const lane_kernels* kernels, index_t parent,
                           SharedFeatures* shared) noexcept nogil:
        cdef chunk_entries chunk
        if self.dense_weights is None:
            chunk = self.get_entries(parent)
            kernels.find_entries[self.count_bytes - 1](
                &chunk, shared.positions, shared.counts_before, shared.size, shared.ranges)

    cdef bint scores_entries_of_rows(self) noexcept nogil:
        # Whether `compute_margins_by_child` is for these chunks.
        return self.dense_weights is None and not self.has_few_children

    cdef void start_chunk(self, index_t parent, offset_t first_column,
                          FullRows* rows) noexcept nogil:
        # Write the features of the chunk of a parent from `first_column` on to `rows`.
        cdef const uint64_t* summary = &self.summaries[parent, 0]
        cdef const uint64_t* words = &self.ranked_words[self.word_indptr[parent], 0]
        cdef offset_t n_found = 0, n_before = 0, word, bit, column
        for word in range(64 * self.summaries.shape[1]):
            if not summary[word >> 6] >> (word & 63) & 1:
                continue
            for bit in range(64):
                if words[0] >> bit & 1:
                    column = 64 * word + bit - first_column
                    if column < 0:
                        n_before += 1
                        continue
                    rows.features[n_found] = <index_t>column
                    n_found += 1
            words += 2
        rows.n_features = n_found
        rows.n_features_before = n_before

    cdef void compute_margins_of_rows(self, const lane_kernels* kernels, index_t parent,
                                      const float** data, FullRows* rows) noexcept nogil:
        # Write the margins of the parent's children for ROWS_TOGETHER rows, bit-identical to
        # `compute_margins`. data[row] are the values of all features of a row. The level must have
        # dense weights. Call `start_chunk` first.
        cdef offset_t first = self.child_indptr[parent], child, at
        cdef offset_t n_children = self.child_indptr[parent + 1] - first
        cdef const float* values[4]         # [ROWS_TOGETHER]
        cdef const uint8_t* weights = &self.dense_weights[self.feature_indptr[parent], 0]
        cdef int row
        for row in range(ROWS_TOGETHER):
            for child in range(n_children):
                rows.margins[row][child] = self.intercepts[first + child]
            if rows.n_features == rows.n_columns:
                values[row] = data[row]
                continue
            for at in range(rows.n_features):
                rows.values[row][at] = data[row][rows.features[at]]
            values[row] = rows.values[row]
        # The kernels that add in the same order as those of `compute_margins` for one row.
        if self.n_lanes == LANES:
            kernels.add_dense_products_of_rows[self.weight_type](
                weights, self.get_scale(parent), values, rows.n_features, rows.margins)
        else:
            kernels.add_wide_products_of_rows[self.weight_type](
                weights, self.n_lanes, self.get_scale(parent), values, rows.n_features,
                rows.margins)

    cdef void compute_margins_by_child(self, const lane_kernels* kernels, index_t parent,
                                       const float** data, int n_rows,
                                       FullRows* rows) noexcept nogil:
        # Add the products of the last columns to rows.margins_by_child, for n_rows = LANES or
        # MAX_ENTRY_ROWS rows and a level that `scores_entries_of_rows`. data[row] are the values of
        # these columns.
        cdef chunk_entries chunk = self.get_entries(parent)
        cdef offset_t at, n_entries = 0
        for at in range(rows.n_features_before):
            n_entries += ((<const uint8_t*>chunk.counts)[at] if self.count_bytes == 1
                          else (<const uint16_t*>chunk.counts)[at])
        chunk.counts = <const char*>chunk.counts + self.count_bytes * rows.n_features_before
        chunk.children += self.child_bytes * n_entries
        chunk.weights += self.weight_bytes * n_entries
        transpose_rows(data, n_rows, rows.n_columns, rows.values_by_column)
        kernels.add_entry_products_of_rows[self.child_bytes - 1][self.weight_type](
            &chunk, rows.features, rows.n_features, self.count_bytes, rows.values_by_column,
            n_rows, rows.margins_by_child)

    cdef index_t compute_margins(self, const lane_kernels* kernels, index_t parent,
                                 const SharedFeatures* shared, float* margins) noexcept nogil:
        # Write the margins of the parent's children. Returns the number of children.
        cdef offset_t first = self.child_indptr[parent], child
        cdef index_t n_children = <index_t>(self.child_indptr[parent + 1] - first)
        cdef chunk_entries chunk
        for child in range(n_children):
            margins[child] = self.intercepts[first + child]
        if self.dense_weights is not None:
            if self.n_lanes == LANES:
                kernels.add_dense_products[self.weight_type](
                    &self.dense_weights[self.feature_indptr[parent], 0], self.get_scale(parent),
                    shared.positions, shared.values, shared.size, margins)
            else:
                kernels.add_wide_products[self.weight_type](
                    &self.dense_weights[self.feature_indptr[parent], 0], self.n_lanes,
                    self.get_scale(parent), shared.positions, shared.values, shared.size, margins)
            return n_children
        chunk = self.get_entries(parent)
        if self.has_few_children:
            kernels.add_few_entry_products[self.weight_type](
                &chunk, shared.ranges, shared.values, shared.size, margins)
        else:
            kernels.add_entry_products[self.child_bytes - 1][self.weight_type](
                &chunk, shared.ranges, shared.values, shared.size, margins)
        return n_children

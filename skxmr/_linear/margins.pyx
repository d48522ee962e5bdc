"""Margins of the children of one parent: the products of a row with the weights of one chunk.

A level's weights lie in chunks, one for each parent: the features that any of its children knows,
and for each of them the children's weights (Etter, Zhong, Yu, Ying, Dhillon 2022, "Accelerating
inference for sparse extreme multi-label ranking trees", WWW). For a row and one of its parents the
margins of all children are the chunk's intercepts plus, for each feature that row and chunk share,
the feature's value times its weights. These are (child, weight) entries, or, where chunks have at
most LANES children and `LevelModel` finds it worth the room, a dense vector for each feature.

Large models are bound by the latency of memory, so a pair of row and parent is scored in four
steps, and each asks for what the next will read: `approach` for the words of the chunk's features,
`find` for the counts or vectors of those found, `locate` for their entries, which `add` adds. Steps
of pairs that follow each other alternate, see `scoring`. None of this changes a result.
"""

import numpy as np

from libc.stdlib cimport free, malloc

from skxmr._core.types cimport index_t, offset_t, uint64_t
from skxmr._linear.simd.lanes cimport (
    LANES, PREFETCH, chunk_entries, entry_run, feature_set, lane_kernels
)


cdef bint make_scratch(Scratch* s, offset_t longest_row, offset_t most_children) noexcept nogil:
    cdef int at
    cdef bint good
    s.margins = <float*>malloc((most_children + LANES) * sizeof(float))
    good = s.margins != NULL
    for at in range(AHEAD):
        s.hits[at].places = <index_t*>malloc((longest_row + 1) * sizeof(index_t))
        s.hits[at].before = <uint64_t*>malloc((longest_row + 1) * sizeof(uint64_t))
        s.hits[at].runs = <entry_run*>malloc((longest_row + 1) * sizeof(entry_run))
        s.hits[at].values = <float*>malloc((longest_row + 1) * sizeof(float))
        good = (good and s.hits[at].places != NULL and s.hits[at].before != NULL
                and s.hits[at].runs != NULL and s.hits[at].values != NULL)
    return good


cdef void release_scratch(Scratch* s) noexcept nogil:
    cdef int at
    free(s.margins)
    for at in range(AHEAD):
        free(s.hits[at].places)
        free(s.hits[at].before)
        free(s.hits[at].runs)
        free(s.hits[at].values)


cdef class ChunkMargins:
    """The chunks of one level; see `LevelModel` for the arrays."""

    def __init__(self, child_indptr, intercepts, summaries, counts, children, weights,
                 int weight_type, scales, word_indptr, summary_ranks, words, feature_indptr,
                 entry_indptr, table):
        self.child_indptr = child_indptr
        self.intercepts = intercepts
        self.summaries = summaries
        self.summary_ranks = summary_ranks
        self.word_indptr = word_indptr
        self.words = words
        self.feature_indptr = feature_indptr
        self.table = None if table is None else table.view(np.uint8)
        self.entry_indptr = entry_indptr
        self.counts = counts.view(np.uint8)
        self.children = children.view(np.uint8)
        self.weights = weights.view(np.uint8)
        self.count_bytes = counts.itemsize
        self.child_bytes = children.itemsize
        self.weight_bytes = weights.itemsize
        self.weight_type = weight_type
        self.scales = scales
        self.few = np.diff(child_indptr).max(initial=0) <= LANES and children.itemsize == 1

    cdef float scale_of(self, index_t parent) noexcept nogil:
        return self.scales[parent] if self.scales is not None else <float>1.0

    cdef feature_set features_of(self, index_t parent) noexcept nogil:
        cdef feature_set features
        features.summary = &self.summaries[parent, 0]
        features.summary_rank = &self.summary_ranks[parent, 0]
        features.words = &self.words[self.word_indptr[parent], 0]
        return features

    cdef chunk_entries entries_of(self, index_t parent) noexcept nogil:
        cdef chunk_entries chunk
        cdef offset_t entry = self.entry_indptr[parent]
        chunk.counts = &self.counts[self.count_bytes * self.feature_indptr[parent]]
        chunk.n_counts = self.counts.shape[0] // self.count_bytes - self.feature_indptr[parent]
        chunk.children = <const char*>&self.children[self.child_bytes * entry]
        chunk.child_bytes = self.child_bytes
        chunk.weights = <const char*>&self.weights[self.weight_bytes * entry]
        chunk.weight_bytes = self.weight_bytes
        chunk.scale = self.scale_of(parent)
        return chunk

    cdef void approach(self, const lane_kernels* lanes, index_t parent, const index_t* indices,
                       offset_t size) noexcept nogil:
        # Ask for the words that `find` will read.
        cdef feature_set features = self.features_of(parent)
        lanes.approach(&features, indices, size)

    cdef void find(self, const lane_kernels* lanes, index_t parent, const index_t* indices,
                   const float* data, offset_t size, Hits* hits) noexcept nogil:
        # The features of a row that the chunk knows.
        cdef feature_set features = self.features_of(parent)
        cdef offset_t at, first = self.feature_indptr[parent]
        size = lanes.find(&features, indices, data, size, hits.places, hits.before, hits.values)
        hits.size = size
        if self.table is not None:
            for at in range(size):
                PREFETCH(&self.table[first + hits.places[at], 0])
        else:
            for at in range(size):
                PREFETCH(&self.counts[self.count_bytes * (first + hits.places[at])])

    cdef void locate(self, const lane_kernels* lanes, index_t parent, Hits* hits) noexcept nogil:
        # The entries of these features.
        cdef chunk_entries chunk
        if self.table is None:
            chunk = self.entries_of(parent)
            lanes.locate[self.count_bytes - 1](&chunk, hits.places, hits.before, hits.size,
                                               hits.runs)

    cdef index_t add(self, const lane_kernels* lanes, index_t parent, const Hits* hits,
                     float* margins) noexcept nogil:
        # The margins of the parent's children, and how many they are.
        cdef offset_t first = self.child_indptr[parent], child
        cdef index_t n_children = <index_t>(self.child_indptr[parent + 1] - first)
        cdef chunk_entries chunk
        for child in range(n_children):
            margins[child] = self.intercepts[first + child]
        if self.table is not None:
            lanes.margins[self.weight_type](
                &self.table[self.feature_indptr[parent], 0], self.scale_of(parent), hits.places,
                hits.values, hits.size, margins)
            return n_children
        chunk = self.entries_of(parent)
        if self.few:
            lanes.add_few[self.weight_type](&chunk, hits.runs, hits.values, hits.size, margins)
        else:
            lanes.add[self.child_bytes - 1][self.weight_type](&chunk, hits.runs, hits.values,
                                                              hits.size, margins)
        return n_children

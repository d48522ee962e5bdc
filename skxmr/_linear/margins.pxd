from skxmr._core.types cimport index_t, offset_t, uint8_t, uint32_t, uint64_t
from skxmr._linear.simd.lanes cimport chunk_entries, entry_run, feature_set, lane_kernels


cdef struct Hits:              # features of a row that a chunk knows
    offset_t size
    index_t* places            # in the chunk
    uint64_t* before           # features and entries before their words
    entry_run* runs            # their entries
    float* values              # their values in the row


cdef enum:
    AHEAD = 3                  # steps from the first look at a chunk to its margins


cdef struct Scratch:
    Hits[AHEAD] hits           # of the pairs under way
    float* margins             # margins, then scores, of the children; room for whole vectors


cdef bint make_scratch(Scratch* s, offset_t longest_row, offset_t most_children) noexcept nogil
cdef void release_scratch(Scratch* s) noexcept nogil


cdef class ChunkMargins:
    cdef const offset_t[::1] child_indptr      # (n_parents + 1) children of each parent
    cdef const float[::1] intercepts           # (n_children)
    cdef const uint64_t[:, ::1] summaries      # features of each chunk: see feature_sets.py
    cdef const uint32_t[:, ::1] summary_ranks
    cdef const offset_t[::1] word_indptr
    cdef const uint64_t[:, ::1] words          # (n_words + 1, 2)
    cdef const offset_t[::1] feature_indptr    # (n_parents + 1)
    cdef const uint8_t[:, ::1] table           # (n chunk features, LANES) weights as bytes, or None
    cdef const offset_t[::1] entry_indptr      # (n_parents + 1) entries of each chunk
    cdef const uint8_t[::1] counts             # entries of each chunk feature, as bytes
    cdef const uint8_t[::1] children           # child of each entry, as bytes
    cdef const uint8_t[::1] weights            # weight of each entry, as bytes
    cdef const float[::1] scales               # (n_parents) of 8-bit weights, or None
    cdef offset_t count_bytes
    cdef offset_t child_bytes
    cdef offset_t weight_bytes
    cdef int weight_type
    cdef bint few

    cdef float scale_of(self, index_t parent) noexcept nogil
    cdef feature_set features_of(self, index_t parent) noexcept nogil
    cdef chunk_entries entries_of(self, index_t parent) noexcept nogil
    cdef void approach(self, const lane_kernels* lanes, index_t parent, const index_t* indices,
                       offset_t size) noexcept nogil
    cdef void find(self, const lane_kernels* lanes, index_t parent, const index_t* indices,
                   const float* data, offset_t size, Hits* hits) noexcept nogil
    cdef void locate(self, const lane_kernels* lanes, index_t parent, Hits* hits) noexcept nogil
    cdef index_t add(self, const lane_kernels* lanes, index_t parent, const Hits* hits,
                     float* margins) noexcept nogil

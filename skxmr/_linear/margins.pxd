from skxmr._core.types cimport index_t, offset_t, uint8_t, uint32_t, uint64_t
from skxmr._linear.simd.lanes cimport chunk_entries, entry_range, feature_set, lane_kernels


cdef struct SharedFeatures:          # features that a row and a chunk share
    offset_t size
    index_t* positions               # position of each in the chunk
    uint64_t* counts_before          # counts_before of their words; see lane_score.h
    entry_range* ranges              # their entries
    float* values                    # their values in the row


cdef enum:
    PIPELINE_DEPTH = 3               # steps from the first access to a chunk to its margins


cdef struct Scratch:
    SharedFeatures[PIPELINE_DEPTH] shared  # of the pairs in the pipeline; see scoring.pyx
    float* margins                   # of the children; space for whole vectors
    float* scores                    # of the children
    uint8_t* flags                   # of the children
    void* block                      # memory of all arrays


cdef struct FullRows:                # rows with nonzero values in the last columns of X
    offset_t n_columns               # number of these columns
    index_t* features                # features of the current chunk, counted from the first of them
    offset_t n_features
    offset_t n_features_before       # features of the chunk before these columns
    float* values[4]                 # [ROWS_TOGETHER] values of these features in each row
    float* margins[4]                # [ROWS_TOGETHER] of the children; space for whole vectors
    # For up to MAX_ENTRY_ROWS rows and chunks without dense weights, or NULL.
    float* values_by_column          # [column][row]
    float* margins_by_child          # [child][row]
    void* block                      # memory of all arrays


cdef bint allocate_scratch(Scratch* scratch, offset_t max_row_entries,
                           offset_t max_children) noexcept nogil
cdef bint allocate_full_rows(FullRows* rows, offset_t n_columns, offset_t max_children,
                             bint has_entries) noexcept nogil
cdef void release_full_rows(FullRows* rows) noexcept nogil
cdef void release_scratch(Scratch* scratch) noexcept nogil


cdef class ChunkMargins:
    cdef const offset_t[::1] child_indptr      # (n_parents + 1) slices of the children
    cdef const float[::1] intercepts           # (n_children)
    # Bitmaps of features; see feature_sets.py.
    cdef const uint64_t[:, ::1] summaries      # (n_parents, n_summary)
    cdef const uint32_t[:, ::1] summary_ranks  # (n_parents, n_summary)
    cdef const offset_t[::1] word_indptr       # (n_parents + 1) slices of ranked_words
    cdef const uint64_t[:, ::1] ranked_words   # (n_words + 1, 2)
    cdef const offset_t[::1] feature_indptr    # (n_parents + 1) slices of counts and dense_weights
    # Weights, viewed as bytes because their types vary.
    cdef const uint8_t[:, ::1] dense_weights   # (n chunk features, n_lanes), or None
    cdef offset_t n_lanes                      # number of children, rounded up to LANES; or 0
    cdef const offset_t[::1] entry_indptr      # (n_parents + 1) slices of children and weights
    cdef const uint8_t[::1] counts             # (n chunk features) entries per feature
    cdef const uint8_t[::1] children           # (n_entries)
    cdef const uint8_t[::1] weights            # (n_entries)
    cdef const float[::1] scales               # (n_parents) multipliers of int8 weights, or None
    cdef offset_t count_bytes                  # bytes per count, child and weight
    cdef offset_t child_bytes
    cdef offset_t weight_bytes
    cdef int weight_type                       # FLOAT32_WEIGHTS, ... of lanes.h
    cdef bint has_few_children                 # no chunk has more than LANES

    cdef float get_scale(self, index_t parent) noexcept nogil
    cdef feature_set get_features(self, index_t parent) noexcept nogil
    cdef chunk_entries get_entries(self, index_t parent) noexcept nogil
    cdef void prefetch_words(self, const lane_kernels* kernels, index_t parent,
                             const index_t* indices, offset_t size) noexcept nogil
    cdef void find_shared_features(self, const lane_kernels* kernels, index_t parent,
                                   const index_t* indices, const float* data, offset_t size,
                                   SharedFeatures* shared) noexcept nogil
    cdef void find_entries(self, const lane_kernels* kernels, index_t parent,
                           SharedFeatures* shared) noexcept nogil
    cdef bint scores_entries_of_rows(self) noexcept nogil
    cdef void start_chunk(self, index_t parent, offset_t first_column,
                          FullRows* rows) noexcept nogil
    cdef void compute_margins_of_rows(self, const lane_kernels* kernels, index_t parent,
                                      const float** data, FullRows* rows) noexcept nogil
    cdef void compute_margins_by_child(self, const lane_kernels* kernels, index_t parent,
                                       const float** data, int n_rows,
                                       FullRows* rows) noexcept nogil
    cdef index_t compute_margins(self, const lane_kernels* kernels, index_t parent,
                                 const SharedFeatures* shared, float* margins) noexcept nogil

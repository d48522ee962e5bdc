from skxmr._core.types cimport index_t, offset_t, uint32_t, uint64_t


cdef extern from "lanes.h" nogil:
    int LANES
    int FEW_LANES
    int SQUARED_HINGE
    int HINGE
    int LOGISTIC_LOSS
    ctypedef struct row_terms:
        float fold
        float norm
        float cost
    ctypedef struct sweep_bounds:
        float* top
        float* bottom
        float* new_top
        float* new_bottom
    ctypedef struct feature_set:
        const uint64_t* summary
        const uint32_t* summary_rank
        const uint64_t* words
    ctypedef struct chunk_entries:
        const void* counts
        offset_t n_counts
        const char* children
        offset_t child_bytes
        const char* weights
        offset_t weight_bytes
        float scale
    ctypedef struct entry_run:
        uint32_t start
        uint32_t end
    ctypedef uint32_t (*lane_visit)(
        float*, float*, sweep_bounds*, const index_t*, const float*, offset_t, uint32_t, uint32_t,
        const row_terms*, const float*) noexcept nogil
    ctypedef uint32_t (*lane_kept)(const float*, float) noexcept nogil
    ctypedef struct lane_steps:
        lane_visit* visit
        lane_kept kept
    ctypedef void (*lane_approach)(
        const feature_set*, const index_t*, offset_t) noexcept nogil
    ctypedef offset_t (*lane_find)(
        const feature_set*, const index_t*, const float*, offset_t, index_t*, uint64_t*,
        float*) noexcept nogil
    ctypedef void (*lane_margins)(
        const void*, float, const index_t*, const float*, offset_t, float*) noexcept nogil
    ctypedef void (*locate_entries)(
        const chunk_entries*, const index_t*, const uint64_t*, offset_t, entry_run*) noexcept nogil
    ctypedef void (*add_entries)(
        const chunk_entries*, const entry_run*, const float*, offset_t, float*) noexcept nogil
    ctypedef struct lane_kernels:
        const char* name
        lane_steps solve
        lane_steps solve_few
        lane_approach approach
        lane_find find
        lane_margins* margins
        locate_entries* locate
        add_entries[3]* add
        add_entries* add_few
    void PREFETCH(const void*)
    void prefetch_all(const void*, offset_t)


cdef const lane_kernels* selected_lanes() noexcept nogil

from skxmr._core.types cimport index_t, offset_t, uint32_t, uint64_t


cdef extern from "_lanes.h" nogil:
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
        const uint32_t* word_rank
    ctypedef uint32_t (*lane_visit)(
        float*, float*, sweep_bounds*, const index_t*, const float*, offset_t, uint32_t, uint32_t,
        const row_terms*, const float*) noexcept nogil
    ctypedef uint32_t (*lane_kept)(const float*, float) noexcept nogil
    ctypedef struct lane_steps:
        lane_visit* visit
        lane_kept kept
    ctypedef offset_t (*lane_find)(
        const feature_set*, const index_t*, const float*, offset_t, index_t*, float*) noexcept nogil
    ctypedef void (*lane_margins)(
        const float*, const index_t*, const float*, offset_t, float*) noexcept nogil
    ctypedef struct lane_kernels:
        const char* name
        lane_steps solve
        lane_steps solve_few
        lane_find find
        lane_margins margins
    void PREFETCH(const void*)
    void prefetch_all(const void*, offset_t)


cdef const lane_kernels* selected_lanes() noexcept nogil

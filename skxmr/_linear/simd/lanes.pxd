"""Declarations of lanes.h, where the fields are documented."""

from skxmr._core.types cimport index_t, offset_t, uint32_t, uint64_t


cdef extern from "lanes.h" nogil:
    cpdef enum:
        LANES  # also exported to Python
    int FEW_LANES
    int MAX_ENTRY_ROWS
    enum:
        ROWS_TOGETHER
    int SQUARED_HINGE
    int HINGE
    int LOGISTIC_LOSS
    int FLOAT32_WEIGHTS
    ctypedef struct row_terms:
        float singleton_squared_norm
        float squared_norm
        float cost
    ctypedef struct gradient_bounds:
        float* small_gradient
        float* max_gradient
        float* min_gradient
    ctypedef struct feature_set:
        const uint64_t* summary
        const uint32_t* summary_ranks
        const uint64_t* ranked_words
    ctypedef struct chunk_entries:
        const void* counts
        offset_t n_counts
        const char* children
        offset_t child_bytes
        const char* weights
        offset_t weight_bytes
        float scale
    ctypedef struct entry_range:
        uint32_t start
        uint32_t stop
    ctypedef struct cluster_row:
        const float* dense
        offset_t n_dense
        const index_t* indices
        const float* data
        offset_t size
    ctypedef uint32_t (*visit_row_function)(
        float*, float*, gradient_bounds*, const cluster_row*, uint32_t, uint32_t,
        const row_terms*, const float*) noexcept nogil
    ctypedef struct full_row:
        const float* data
        float* duals
        uint32_t positive
        const row_terms* terms
        const float* costs
        uint32_t unsettled
    ctypedef void (*visit_full_rows_function)(
        float*, gradient_bounds*, offset_t, uint32_t, full_row*) noexcept nogil
    ctypedef uint32_t (*find_large_weights_function)(const float*, float) noexcept nogil
    ctypedef struct solver_kernels:
        visit_row_function* visit_row
        visit_full_rows_function* visit_full_rows
        find_large_weights_function find_large_weights
    ctypedef void (*prefetch_words_function)(
        const feature_set*, const index_t*, offset_t) noexcept nogil
    ctypedef offset_t (*find_shared_features_function)(
        const feature_set*, const index_t*, const float*, offset_t, index_t*, uint64_t*,
        float*) noexcept nogil
    ctypedef void (*add_dense_products_function)(
        const void*, float, const index_t*, const float*, offset_t, float*) noexcept nogil
    ctypedef void (*add_wide_products_function)(
        const void*, offset_t, float, const index_t*, const float*, offset_t,
        float*) noexcept nogil
    ctypedef void (*add_dense_products_of_rows_function)(
        const void*, float, const float* const*, offset_t, float* const*) noexcept nogil
    ctypedef void (*add_wide_products_of_rows_function)(
        const void*, offset_t, float, const float* const*, offset_t,
        float* const*) noexcept nogil
    ctypedef void (*find_entries_function)(
        const chunk_entries*, const index_t*, const uint64_t*, offset_t,
        entry_range*) noexcept nogil
    ctypedef void (*add_entry_products_function)(
        const chunk_entries*, const entry_range*, const float*, offset_t, float*) noexcept nogil
    ctypedef void (*add_entry_products_of_rows_function)(
        const chunk_entries*, const index_t*, offset_t, offset_t, const float*, int,
        float*) noexcept nogil
    ctypedef struct lane_kernels:
        const char* name
        solver_kernels solve
        solver_kernels solve_few
        prefetch_words_function prefetch_words
        find_shared_features_function find_shared_features
        add_dense_products_function* add_dense_products
        add_wide_products_function* add_wide_products
        add_dense_products_of_rows_function* add_dense_products_of_rows
        add_wide_products_of_rows_function* add_wide_products_of_rows
        find_entries_function* find_entries
        add_entry_products_function[3]* add_entry_products
        add_entry_products_of_rows_function[3]* add_entry_products_of_rows
        add_entry_products_function* add_few_entry_products
    void transpose_rows(const float* const*, int, offset_t, float*)
    void PREFETCH(const void*)
    void prefetch_array(const void*, offset_t)


cdef const lane_kernels* get_lane_kernels() noexcept nogil

from skxmr._core.types cimport index_t, offset_t, uint8_t


cdef struct FilterArrays:
    # Children of one level that a search may return; see `NodeFilter`. Pointers to missing arrays
    # are NULL.
    const uint8_t* is_allowed        # (n_children)
    const index_t* n_allowed         # (n_parents)
    const offset_t* indptr           # (n_rows + 1)
    const index_t* children
    bint excludes


cdef class NodeFilter:
    cdef readonly object is_allowed
    cdef readonly object n_allowed
    cdef readonly object indptr
    cdef readonly object children
    cdef readonly bint excludes
    cdef const uint8_t[::1] is_allowed_view
    cdef const index_t[::1] n_allowed_view
    cdef const offset_t[::1] indptr_view
    cdef const index_t[::1] children_view


cdef FilterArrays get_filter_arrays(NodeFilter node_filter)
cdef bint is_filtered(const FilterArrays* arrays) noexcept nogil
cdef offset_t count_allowed(const FilterArrays* arrays, index_t row, index_t parent, offset_t first,
                            offset_t stop) noexcept nogil
cdef const uint8_t* find_allowed(const FilterArrays* arrays, index_t row, offset_t first,
                                 offset_t stop, uint8_t* buffer) noexcept nogil

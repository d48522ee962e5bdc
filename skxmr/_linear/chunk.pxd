from skxmr._core.types cimport index_t, offset_t, uint16_t


cdef struct Weights:
    # The weights that were kept, as they were found; grows.
    offset_t size
    offset_t capacity
    index_t* feature           # feature of the cluster
    uint16_t* child
    float* value


cdef bint reserve(Weights* kept, offset_t more) noexcept nogil

cdef inline void keep(Weights* kept, index_t feature, uint16_t child, float value) noexcept nogil:
    # After `reserve`.
    kept.feature[kept.size] = feature
    kept.child[kept.size] = child
    kept.value[kept.size] = value
    kept.size += 1

cdef tuple pack(const Weights* kept, const index_t* columns, index_t n_features,
                index_t n_columns)
cdef void release_weights(Weights* kept) noexcept nogil

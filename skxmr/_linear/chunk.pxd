from skxmr._core.types cimport index_t, offset_t, uint16_t


cdef struct WeightList:
    # Growable list of the nonzero weights of one cluster, in any order.
    offset_t size
    offset_t capacity
    index_t* features          # compact feature number of each weight; see compact_rows.pyx
    uint16_t* children         # child of each weight, counted inside the cluster
    float* values


cdef bint reserve_weights(WeightList* weights, offset_t n_more) noexcept nogil

cdef inline void append_weight(WeightList* weights, index_t feature, uint16_t child,
                               float value) noexcept nogil:
    # Call `reserve_weights` first.
    weights.features[weights.size] = feature
    weights.children[weights.size] = child
    weights.values[weights.size] = value
    weights.size += 1

cdef tuple pack_chunk(const WeightList* weights, const index_t* columns, index_t n_features,
                      index_t n_columns)
cdef void release_weights(WeightList* weights) noexcept nogil

from skxmr._core.types cimport index_t, offset_t


cdef class LevelTransform:
    cdef readonly int shape            # one of SHAPES, or LOG_PROBABILITY
    cdef readonly float offset_weight  # weight of the offsets of the children


cdef struct Transform:
    int shape
    const float* offsets               # (n_children) added to the scores of a level, or NULL
    float offset_weight


cdef Transform with_offsets(LevelTransform transform, const float[::1] offsets)
cdef void transform_margins(const Transform* t, float parent_score, offset_t first,
                            float* margins, index_t n_children) noexcept nogil

from skxmr._core.types cimport index_t, offset_t


ctypedef struct Transform:
    int shape                  # one of the SHAPES
    float share                # of the level in a sum of values; 0 where logs add
    const float* offsets       # times their weight, added to the score of each child; or NULL
    float offset_weight


cdef void transform_margins(const Transform* t, float parent_score, offset_t first,
                            float* margins, index_t n_children) noexcept nogil

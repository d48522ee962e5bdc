from libc.math cimport INFINITY

from skxmr._core.types cimport index_t, offset_t


cdef enum:
    HINGE_1, HINGE_2, HINGE_3, HINGE_4, SIGMOID, MARGIN, LOG_OF_PROBABILITY


cdef class LevelTransform:
    cdef readonly int shape            # one of SHAPES, or LOG_PROBABILITY
    cdef readonly float offset_weight  # weight of the offsets of the children
    cdef readonly float weight         # of the losses or margins
    cdef readonly float path_weight    # weight of the levels above a label; 1 on other levels


cdef struct Transform:
    int shape
    const float* offsets               # (n_children) added to the scores, never > 0, or NULL
    float offset_weight
    float weight                       # of the losses or margins, in (0, 1]
    float path_weight                  # of the levels above, in (0, 1]; see inherit_score


cdef struct Node:                      # a node that a search has reached
    float score
    float margin                       # sum of the margins on its path


cdef inline float round_log(float score) noexcept nogil:
    # Round to a multiple of 2**-21, eight float32 steps below 1: logarithms that differ then have
    # different exponentials, so a ranking by logarithms is a ranking by the scores that are shown.
    return (score - <float>4.0) + <float>4.0


cdef inline float find_largest_score(const Transform* t, float parent_score) noexcept nogil:
    # Return a score that no child of a parent exceeds. Offsets are never positive. The score of the
    # parent is not rounded yet if its level has the margin itself as score. Such a score may be
    # positive, and then larger for an only child.
    if t.shape == MARGIN:
        return INFINITY
    if parent_score > <float>0.0:
        parent_score = parent_score / t.path_weight
    return max(parent_score, round_log(parent_score))


cdef Transform with_offsets(LevelTransform transform, const float[::1] offsets)
cdef void transform_margins(const Transform* t, Node parent, offset_t first, float* margins,
                            float* scores, index_t n_children) noexcept nogil
cdef void inherit_score(const Transform* t, Node parent, offset_t first, float* margin,
                        float* score) noexcept nogil
cdef float find_smallest_margin(const Transform* t, Node parent, float score) noexcept nogil

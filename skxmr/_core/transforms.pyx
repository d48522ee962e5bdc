"""From the margins of a cluster's children to their scores: the last step of scoring a level.

Every shape but the margin itself is a loss, from 0 up: a power of max(0, 1 - margin), or
log(1 + exp(-margin)). Where scores multiply along a path they are kept as logarithms, child =
parent - loss, so that no exp is spent on children that are not kept; where they add, child =
parent + share * exp(-loss). The margin itself adds to the parent's score as it is.
"""

import numpy as np

from libc.math cimport INFINITY, expf, fabsf, log1pf

from skxmr._core.types cimport index_t, offset_t

cdef enum:
    HINGE_1, HINGE_2, HINGE_3, HINGE_4, SIGMOID, MARGIN, LOGARITHM

SHAPES = {
    "l1-hinge": HINGE_1,
    "l2-hinge": HINGE_2,
    "l3-hinge": HINGE_3,
    "l4-hinge": HINGE_4,
    "sigmoid": SIGMOID,
    "identity": MARGIN,
}

# Of what is no margin but the logarithm of a probability, from an estimator of the user's own.
GIVEN_LOGARITHM = LOGARITHM

# Any lower score, and what is no number; the same as OUTSIDE in score_forms.py, which stands for
# labels never scored.
cdef float LOWEST = -1e20
# The margin of a model that was never trained; see dual_solver.pyx.
cdef float UNTRAINED_INTERCEPT = -1000.0


cdef inline float gap(float margin) noexcept nogil:
    # Written so that what is no number stays none.
    cdef float below = <float>1.0 - margin
    return <float>0.0 if below <= <float>0.0 else below


cdef inline float on_grid(float score) noexcept nogil:
    # Logs on a grid of 2**-21, eight steps of a float32 below 1: what differs as a log differs
    # after exp, so that a ranking by logs is one by the scores shown.
    return (score - <float>4.0) + <float>4.0


cdef inline float checked(float score) noexcept nogil:
    # Overflow of absurd values must not come out as a perfect score.
    return score if score > LOWEST else LOWEST


cdef void transform_margins(const Transform* t, float parent_score, offset_t first,
                            float* margins, index_t n_children) noexcept nogil:
    # Overwrite the margins of the children from `first` on with their scores.
    cdef int shape = t.shape
    cdef index_t child
    cdef float short_of, score
    if t.share > <float>0.0:
        for child in range(n_children):
            # Beside a product, a sum is not made small by one hopeless level.
            margins[child] = -INFINITY if margins[child] <= UNTRAINED_INTERCEPT else margins[child]
    if shape == HINGE_3:
        for child in range(n_children):
            short_of = gap(margins[child])
            margins[child] = short_of * short_of * short_of
    elif shape == HINGE_1:
        for child in range(n_children):
            margins[child] = gap(margins[child])
    elif shape == HINGE_2:
        for child in range(n_children):
            short_of = gap(margins[child])
            margins[child] = short_of * short_of
    elif shape == HINGE_4:
        for child in range(n_children):
            short_of = gap(margins[child])
            short_of = short_of * short_of
            margins[child] = short_of * short_of
    elif shape == SIGMOID:
        for child in range(n_children):
            short_of = <float>0.0 if margins[child] >= <float>0.0 else -margins[child]
            margins[child] = log1pf(expf(-fabsf(margins[child]))) + short_of
    elif shape == LOGARITHM:
        for child in range(n_children):
            margins[child] = -margins[child]
    if shape == MARGIN:
        for child in range(n_children):
            margins[child] = checked(min(parent_score + margins[child], -LOWEST))
    elif t.share > <float>0.0:
        for child in range(n_children):
            # Shares are rounded: they may add up to a little more than 1.
            score = parent_score + t.share * expf(-margins[child])
            score = min(score, <float>1.0) if margins[child] < INFINITY else LOWEST
            margins[child] = checked(score)
    else:
        for child in range(n_children):
            margins[child] = checked(on_grid(parent_score - margins[child]))
    if t.offsets != NULL:
        for child in range(n_children):
            score = margins[child] + t.offset_weight * t.offsets[first + child]
            margins[child] = checked(on_grid(score))


def join_scores(const float[::1] parent_scores, const float[::1] values, tuple transform,
                float offset=0.0):
    """Return the scores of one child of each of many parents, as levels of linear models join them.

    `transform` is (shape, share, offset_weight); `values` are margins, or logarithms for the shape
    GIVEN_LOGARITHM.
    """
    cdef Transform t
    cdef offset_t at
    out = np.array(values, dtype=np.float32)
    cdef float[::1] scores = out
    t.shape, t.share, t.offset_weight = transform
    t.offsets = &offset if t.offset_weight != 0.0 else NULL
    for at in range(scores.shape[0]):
        transform_margins(&t, parent_scores[at], 0, &scores[at], 1)
    return out

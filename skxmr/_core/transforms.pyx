"""From the margins of a cluster's children to their scores: the last step of scoring a level.

Every shape except for the margin itself is a loss >= 0: a power of max(0, 1 - margin), or
log(1 + exp(-margin)). The probability of a child is exp(-loss). Probabilities, raised to the weight
of their level, are multiplied along a path. Scores are kept as logarithms: child = parent - weight
* loss. No exp is computed for children that are not kept. The margin itself, times the weight, is
added to the score of the parent.

A hinge is 0 for every margin of at least 1, so scores can be equal. Therefore the sum of the
margins on each path is kept, too: it decides between equal scores, see topk.pxd.
"""

import numpy as np

from libc.math cimport INFINITY, cbrtf, expf, expm1f, fabsf, log1pf, logf, sqrtf

from skxmr._core.types cimport index_t, offset_t

SHAPES = {
    "l1-hinge": HINGE_1,
    "l2-hinge": HINGE_2,
    "l3-hinge": HINGE_3,
    "l4-hinge": HINGE_4,
    "sigmoid": SIGMOID,
    "identity": MARGIN,
}

# Shape of values that are not margins, but logarithms of probabilities from a custom estimator.
LOG_PROBABILITY = LOG_OF_PROBABILITY

# Lower bound of scores, also used for NaN. Equal to UNSCORED_LOG in score_forms.py, the score of
# labels that were not scored.
cdef float LOWEST = -1e20


cdef class LevelTransform:
    """Transform of the margins of one level.

    Parameters
    ----------
    shape : int
        A value of `SHAPES`, or `LOG_PROBABILITY`.
    offset_weight : float
        Weight of the offsets that are added to the scores of the children; 0 for no offsets.
    weight : float
        Weight of the losses, or of the margins, in (0, 1]: the probability of a child is raised to
        this power.
    path_weight : float
        For the level of the labels, weight of the levels above; 1 for other levels.
    """

    def __init__(self, int shape, float offset_weight=0.0, float weight=1.0,
                 float path_weight=1.0):
        self.shape = shape
        self.offset_weight = offset_weight
        self.weight = weight
        self.path_weight = path_weight


cdef Transform with_offsets(LevelTransform transform, const float[::1] offsets):
    cdef Transform t
    t.shape = transform.shape
    t.offset_weight = transform.offset_weight
    t.weight = transform.weight
    t.path_weight = transform.path_weight
    t.offsets = &offsets[0] if offsets is not None else NULL
    return t


cdef inline float hinge(float margin) noexcept nogil:
    # max(0, 1 - margin), written so that NaN stays NaN.
    cdef float loss = <float>1.0 - margin
    return <float>0.0 if loss <= <float>0.0 else loss


cdef inline float bounded(float score) noexcept nogil:
    # An overflow or NaN must not appear as a perfect score.
    return score if score > LOWEST else LOWEST


cdef void transform_margins(const Transform* t, Node parent, offset_t first, float* margins,
                            float* scores, index_t n_children) noexcept nogil:
    # Write the scores of the children from `first` on. On entry, `margins` are the margins of the
    # children alone; on return, the sums of the margins on their paths.
    cdef int shape = t.shape
    cdef index_t child
    cdef float loss
    if shape == HINGE_3:
        for child in range(n_children):
            loss = hinge(margins[child])
            scores[child] = loss * loss * loss
    elif shape == HINGE_1:
        for child in range(n_children):
            scores[child] = hinge(margins[child])
    elif shape == HINGE_2:
        for child in range(n_children):
            loss = hinge(margins[child])
            scores[child] = loss * loss
    elif shape == HINGE_4:
        for child in range(n_children):
            loss = hinge(margins[child])
            loss = loss * loss
            scores[child] = loss * loss
    elif shape == SIGMOID:
        for child in range(n_children):
            loss = <float>0.0 if margins[child] >= <float>0.0 else -margins[child]
            scores[child] = log1pf(expf(-fabsf(margins[child]))) + loss
    elif shape == LOG_OF_PROBABILITY:
        for child in range(n_children):
            scores[child] = -margins[child]
            margins[child] = 0.0
    if shape == MARGIN:
        for child in range(n_children):
            scores[child] = bounded(min(parent.score + t.weight * margins[child], -LOWEST))
    else:
        for child in range(n_children):
            scores[child] = bounded(round_log(parent.score - t.weight * scores[child]))
    for child in range(n_children):
        margins[child] = bounded(min(parent.margin + margins[child], -LOWEST))
    if t.offsets != NULL:
        for child in range(n_children):
            scores[child] = bounded(
                round_log(scores[child] + t.offset_weight * t.offsets[first + child])
            )


cdef float find_smallest_margin(const Transform* t, Node parent, float score) noexcept nogil:
    # Return a margin below which a child of the parent cannot have at least this score. Children
    # with a larger margin may have a lower score: the slack allows for all rounding, and offsets
    # are never positive.
    cdef float slack = <float>1e-6 * (<float>4.0 + fabsf(score) + fabsf(parent.score))
    cdef float max_loss = (parent.score - score + slack) / t.weight
    if score <= LOWEST:
        return -INFINITY
    if t.shape == MARGIN:
        return -max_loss
    if t.shape == HINGE_1:
        return <float>1.0 - max_loss
    if t.shape == HINGE_2:
        return <float>1.0 - sqrtf(max_loss) * <float>1.000001
    if t.shape == HINGE_3:
        return <float>1.0 - cbrtf(max_loss) * <float>1.000001
    if t.shape == HINGE_4:
        return <float>1.0 - sqrtf(sqrtf(max_loss)) * <float>1.000001
    if t.shape == SIGMOID:  # log(1 + exp(-margin)) <= max_loss
        return -logf(expm1f(max_loss)) - slack if max_loss < <float>80.0 else -max_loss - slack
    return -INFINITY


cdef void inherit_score(const Transform* t, Node parent, offset_t first, float* margin,
                        float* score) noexcept nogil:
    # Write the score of an only child: that of its parent, plus the offset of the child. A label
    # has no score of its own here, so the scores of its clusters count in full. If they counted
    # with the path weight only, it would rank above labels that have a score of their own.
    cdef Transform inherited = t[0]
    if t.path_weight != <float>1.0:
        parent.score = parent.score / t.path_weight
        if t.shape != MARGIN:
            parent.score = round_log(parent.score)
        parent.score = bounded(parent.score)
    inherited.shape = MARGIN
    margin[0] = 0.0
    transform_margins(&inherited, parent, first, margin, score, 1)


def join_scores(const float[::1] parent_scores, const float[::1] parent_margins,
                const float[::1] values, LevelTransform transform,
                const float[::1] offsets=None, const unsigned char[::1] inherits=None):
    """Return the (scores, margins) of one child per parent, as a level of linear models does.

    `values` are margins, or logarithms of probabilities if the shape is `LOG_PROBABILITY`. The
    returned margins are sums over the path. `offsets` has an offset per child; it may be None if
    the transform has no weight for them. Children for which `inherits` is 1 have the score of
    their parent.
    """
    cdef Transform t = with_offsets(transform, None)
    cdef offset_t at
    cdef bint has_offsets = transform.offset_weight != 0.0
    out_margins = np.array(values, dtype=np.float32)
    out_scores = np.empty(len(out_margins), dtype=np.float32)
    cdef float[::1] margins = out_margins, scores = out_scores
    cdef Node parent
    for at in range(scores.shape[0]):
        parent = Node(parent_scores[at], parent_margins[at])
        t.offsets = &offsets[at] if has_offsets else NULL
        if inherits is not None and inherits[at]:
            inherit_score(&t, parent, 0, &margins[at], &scores[at])
        else:
            transform_margins(&t, parent, 0, &margins[at], &scores[at], 1)
    return out_scores, out_margins

# Select the k best of a stream of (score, id) pairs with a bounded heap.
#
# Order: higher scores first; equal scores by increasing id. This is a total order, so the selected
# set does not depend on the order of the stream. The root of the heap is the worst selected pair.
# Scores and ids are two parallel arrays, so a heap can be a row of a CSR matrix.
from skxmr._core.types cimport index_t


cdef inline bint is_better(float score, index_t id, float other_score,
                           index_t other_id) noexcept nogil:
    return score > other_score or (score == other_score and id < other_id)


cdef inline void sift_down(float* scores, index_t* ids, index_t size, index_t at) noexcept nogil:
    cdef float score = scores[at]
    cdef index_t id = ids[at]
    cdef index_t child = 2 * at + 1
    while child < size:
        if child + 1 < size and is_better(scores[child], ids[child],
                                          scores[child + 1], ids[child + 1]):
            child += 1
        if not is_better(score, id, scores[child], ids[child]):
            break
        scores[at] = scores[child]
        ids[at] = ids[child]
        at = child
        child = 2 * at + 1
    scores[at] = score
    ids[at] = id


cdef inline void heapify(float* scores, index_t* ids, index_t size) noexcept nogil:
    cdef index_t at
    for at in range(size // 2 - 1, -1, -1):
        sift_down(scores, ids, size, at)


cdef inline void keep_best(float* scores, index_t* ids, index_t* size, index_t capacity,
                           float score, index_t id) noexcept nogil:
    # Add a pair, or replace the worst one if the arrays are full. The arrays become a heap when
    # they are full; before, pairs are appended.
    if size[0] < capacity:
        scores[size[0]] = score
        ids[size[0]] = id
        size[0] += 1
        if size[0] == capacity:
            heapify(scores, ids, capacity)
    elif is_better(score, id, scores[0], ids[0]):
        scores[0] = score
        ids[0] = id
        sift_down(scores, ids, capacity, 0)


cdef void sort_best_first(float* scores, index_t* ids, index_t size) noexcept nogil
cdef void sort_by_id(float* scores, index_t* ids, index_t size) noexcept nogil

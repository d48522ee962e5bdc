# The k best of a stream of (score, id): a bounded heap with the worst kept entry on top.
# Order: higher score first, equal scores by lower id, so the result is the same set in any order
# of arrival. Two parallel arrays, so a heap can live inside the arrays of a CSR result.
from skxmr._core.types cimport index_t


cdef inline bint is_better(float s, index_t i, float t, index_t j) noexcept nogil:
    return s > t or (s == t and i < j)


cdef inline void sift_down(float* scores, index_t* ids, index_t size, index_t at) noexcept nogil:
    cdef float s = scores[at]
    cdef index_t i = ids[at]
    cdef index_t child = 2 * at + 1
    while child < size:
        if child + 1 < size and is_better(scores[child], ids[child],
                                          scores[child + 1], ids[child + 1]):
            child += 1
        if not is_better(s, i, scores[child], ids[child]):
            break
        scores[at] = scores[child]
        ids[at] = ids[child]
        at = child
        child = 2 * at + 1
    scores[at] = s
    ids[at] = i


cdef inline void heapify(float* scores, index_t* ids, index_t size) noexcept nogil:
    cdef index_t at
    for at in range(size // 2 - 1, -1, -1):
        sift_down(scores, ids, size, at)


cdef inline void keep_best(float* scores, index_t* ids, index_t* size, index_t capacity,
                           float s, index_t i) noexcept nogil:
    # Below capacity entries are only appended; the heap is made when the last place is taken.
    if size[0] < capacity:
        scores[size[0]] = s
        ids[size[0]] = i
        size[0] += 1
        if size[0] == capacity:
            heapify(scores, ids, capacity)
    elif is_better(s, i, scores[0], ids[0]):
        scores[0] = s
        ids[0] = i
        sift_down(scores, ids, capacity, 0)


cdef void sort_best_first(float* scores, index_t* ids, index_t size) noexcept nogil
cdef void sort_by_id(float* scores, index_t* ids, index_t size) noexcept nogil

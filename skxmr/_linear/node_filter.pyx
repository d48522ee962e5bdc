"""The children of a level that a search may return.

A search with filters opens only clusters that contain an allowed label: each level has a filter,
and a cluster is allowed if any of its children is. The children of a parent are consecutive, so the
allowed children of a row are an increasing list in which those of a parent are found by bisection.
"""

from libc.string cimport memcpy, memset

from skxmr._core.types cimport index_t, offset_t, uint8_t


cdef class NodeFilter:
    """Allowed children of one level.

    Parameters
    ----------
    is_allowed : ndarray of shape (n_children,), uint8, or None
        1 for children that are allowed in all rows, otherwise 0. None allows all.
    n_allowed : ndarray of shape (n_parents,), int32, or None
        Number of these children of each parent.
    indptr : ndarray of shape (n_rows + 1,), int64, or None
        Start of each row in `children`. None if all rows have the same children.
    children : ndarray of int32 or None
        Children of each row, increasing in each row.
    excludes : bool
        Whether `children` are excluded, from those of `is_allowed`. Otherwise they are the allowed
        ones, and `is_allowed` is None.
    """

    def __init__(self, is_allowed=None, n_allowed=None, indptr=None, children=None,
                 bint excludes=False):
        self.is_allowed = self.is_allowed_view = is_allowed
        self.n_allowed = self.n_allowed_view = n_allowed
        self.indptr = self.indptr_view = indptr
        self.children = self.children_view = children
        self.excludes = excludes

    def __reduce__(self):
        return NodeFilter, (self.is_allowed, self.n_allowed, self.indptr, self.children,
                            self.excludes)


cdef FilterArrays get_filter_arrays(NodeFilter node_filter):
    cdef FilterArrays arrays = FilterArrays(NULL, NULL, NULL, NULL, False)
    if node_filter is None:
        return arrays
    if node_filter.is_allowed is not None:
        arrays.is_allowed = &node_filter.is_allowed_view[0]
        arrays.n_allowed = &node_filter.n_allowed_view[0]
    if node_filter.indptr is not None:
        arrays.excludes = node_filter.excludes
        arrays.indptr = &node_filter.indptr_view[0]
        # An empty array has no first element to point to.
        if node_filter.children_view.shape[0]:
            arrays.children = &node_filter.children_view[0]
    return arrays


cdef bint is_filtered(const FilterArrays* arrays) noexcept nogil:
    return arrays.is_allowed != NULL or arrays.indptr != NULL


cdef offset_t bisect(const index_t* children, offset_t low, offset_t high,
                     offset_t child) noexcept nogil:
    # Return the position of the first of children[low:high] that is at least `child`.
    cdef offset_t middle
    while low < high:
        middle = (low + high) // 2
        if children[middle] < child:
            low = middle + 1
        else:
            high = middle
    return low


cdef offset_t count_allowed(const FilterArrays* arrays, index_t row, index_t parent, offset_t first,
                            offset_t stop) noexcept nogil:
    # Return the number of allowed children of a parent, whose children are first:stop.
    cdef offset_t start, n_of_row, n_of_all_rows = stop - first
    if arrays.n_allowed != NULL:
        n_of_all_rows = arrays.n_allowed[parent]
    if arrays.indptr == NULL:
        return n_of_all_rows
    start = bisect(arrays.children, arrays.indptr[row], arrays.indptr[row + 1], first)
    n_of_row = bisect(arrays.children, start, arrays.indptr[row + 1], stop) - start
    return n_of_all_rows - n_of_row if arrays.excludes else n_of_row


cdef const uint8_t* find_allowed(const FilterArrays* arrays, index_t row, offset_t first,
                                 offset_t stop, uint8_t* buffer) noexcept nogil:
    # Return whether each of the children first:stop is allowed; `buffer` has space for them.
    cdef offset_t at, end
    if arrays.indptr == NULL:
        return &arrays.is_allowed[first]
    if arrays.is_allowed != NULL:
        memcpy(buffer, &arrays.is_allowed[first], stop - first)
    else:
        memset(buffer, arrays.excludes, stop - first)
    end = arrays.indptr[row + 1]
    at = bisect(arrays.children, arrays.indptr[row], end, first)
    while at < end and arrays.children[at] < stop:
        buffer[arrays.children[at] - first] = not arrays.excludes
        at += 1
    return buffer

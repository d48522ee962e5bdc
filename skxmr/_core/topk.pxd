# Select the k best of a stream of entries with a bounded heap.
#
# Order: higher scores first; equal scores by falling margin; then by increasing id. Margins tell
# labels apart whose scores are equal because both are clipped. This is a total order, so the
# selected set does not depend on the order of the stream. The root of the heap is the worst
# selected entry. Entries are parallel arrays, so a heap can be a row of a CSR matrix.
from skxmr._core.types cimport index_t


cdef struct Entry:
    float score
    float margin
    index_t id


cdef struct Entries:        # parallel arrays
    float* scores
    float* margins
    index_t* ids


cdef inline bint is_better(Entry entry, Entry other) noexcept nogil:
    if entry.score != other.score:
        return entry.score > other.score
    if entry.margin != other.margin:
        return entry.margin > other.margin
    return entry.id < other.id


cdef inline Entry get_entry(const Entries* entries, index_t at) noexcept nogil:
    return Entry(entries.scores[at], entries.margins[at], entries.ids[at])


cdef inline void set_entry(const Entries* entries, index_t at, Entry entry) noexcept nogil:
    entries.scores[at] = entry.score
    entries.margins[at] = entry.margin
    entries.ids[at] = entry.id


cdef inline void sift_down(const Entries* entries, index_t size, index_t at) noexcept nogil:
    cdef Entry moved = get_entry(entries, at)
    cdef index_t child = 2 * at + 1
    while child < size:
        if child + 1 < size and is_better(get_entry(entries, child),
                                          get_entry(entries, child + 1)):
            child += 1
        if not is_better(moved, get_entry(entries, child)):
            break
        set_entry(entries, at, get_entry(entries, child))
        at = child
        child = 2 * at + 1
    set_entry(entries, at, moved)


cdef inline void heapify(const Entries* entries, index_t size) noexcept nogil:
    cdef index_t at
    for at in range(size // 2 - 1, -1, -1):
        sift_down(entries, size, at)


cdef inline void keep_best(const Entries* entries, index_t* size, index_t capacity,
                           Entry entry) noexcept nogil:
    # Add an entry, or replace the worst one if the arrays are full. The arrays become a heap when
    # they are full; before, entries are appended.
    if size[0] < capacity:
        set_entry(entries, size[0], entry)
        size[0] += 1
        if size[0] == capacity:
            heapify(entries, capacity)
    elif is_better(entry, get_entry(entries, 0)):
        set_entry(entries, 0, entry)
        sift_down(entries, capacity, 0)


cdef inline Entries entries_from(const Entries* entries, Py_ssize_t start) noexcept nogil:
    return Entries(entries.scores + start, entries.margins + start, entries.ids + start)


cdef void sort_entries(const Entries* entries, index_t size, bint best_first) noexcept nogil

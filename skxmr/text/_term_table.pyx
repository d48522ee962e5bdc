"""Hash table from terms to numbers, with linear probing.

Terms are stored one after the other as UTF-8, which has the order of code points. A slot holds the
position of a term; the upper half of its hash is compared before its bytes. Multiplicative hashing
with the golden ratio: Knuth, "The Art of Computer Programming", 6.4.
"""

import numpy as np

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from skxmr._core.types cimport index_t, offset_t, uint8_t, uint32_t, uint64_t

cdef extern from "Python.h":
    int PyUnicode_KIND(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    uint32_t PyUnicode_READ(int kind, const void* data, Py_ssize_t at) nogil
    object PyUnicode_DecodeUTF8(const char* data, Py_ssize_t size, const char* errors)

cdef uint64_t GOLDEN_RATIO = 0x9E3779B97F4A7C15
cdef uint64_t LAST_BYTES[8]              # mask of the first n bytes of a word in memory

memset(LAST_BYTES, 0, sizeof(LAST_BYTES))
for _n_bytes in range(8):
    memset(&LAST_BYTES[_n_bytes], 0xFF, _n_bytes)


cdef uint64_t hash_bytes(const char* data, size_t n) noexcept nogil:
    # Reads up to PADDING bytes behind the end, which do not change the result.
    cdef uint64_t h = n * GOLDEN_RATIO, word
    while n >= 8:
        memcpy(&word, data, 8)
        h = (h ^ word) * GOLDEN_RATIO
        h ^= h >> 32
        data += 8
        n -= 8
    if n:
        memcpy(&word, data, 8)
        h = (h ^ (word & LAST_BYTES[n])) * GOLDEN_RATIO
        h ^= h >> 32
    h *= GOLDEN_RATIO
    return h ^ (h >> 29)


cdef int reserve(void** array, offset_t* capacity, offset_t wanted, size_t item) noexcept nogil:
    # Make room for `wanted` items.
    cdef offset_t size = max(2 * capacity[0], wanted, 64)
    cdef void* moved
    if wanted <= capacity[0]:
        return 0
    moved = realloc(array[0], <size_t>size * item)
    if moved == NULL:
        return -1
    array[0] = moved
    capacity[0] = size
    return 0


cdef offset_t find(const Table* t, const char* data, size_t n, uint64_t h) noexcept nogil:
    # The term with these bytes, or -1.
    cdef uint64_t slot = h & (t.n_slots - 1)
    cdef index_t term
    while True:
        term = t.slots[slot]
        if term < 0:
            return -1
        if (t.hashes[term] == <uint32_t>(h >> 32) and t.starts[term + 1] - t.starts[term] == n
                and memcmp(t.bytes + t.starts[term], data, n) == 0):
            return term
        slot = (slot + 1) & (t.n_slots - 1)


cdef int double_slots(Table* t) noexcept nogil:
    cdef uint64_t n_slots = 2 * t.n_slots if t.n_slots else 1024
    cdef uint64_t slot
    cdef offset_t term
    cdef size_t start
    cdef index_t* slots = <index_t*>malloc(n_slots * sizeof(index_t))
    if slots == NULL:
        return -1
    memset(slots, 0xFF, n_slots * sizeof(index_t))
    for term in range(t.n_terms):
        start = t.starts[term]
        slot = hash_bytes(t.bytes + start, t.starts[term + 1] - start) & (n_slots - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (n_slots - 1)
        slots[slot] = <index_t>term
    free(t.slots)
    t.slots = slots
    t.n_slots = n_slots
    return 0


cdef offset_t add(Table* t, const char* data, size_t n, uint64_t h, index_t number) noexcept nogil:
    # Add a term that is not in the table. Returns it, or -1 without memory.
    cdef offset_t capacity
    cdef uint64_t slot
    if 2 * <uint64_t>(t.n_terms + 1) > t.n_slots and double_slots(t) < 0:
        return -1
    if t.n_terms + 2 > t.terms_capacity:
        capacity = t.terms_capacity
        if reserve(<void**>&t.starts, &capacity, t.n_terms + 2, sizeof(size_t)) < 0:
            return -1
        capacity = t.terms_capacity
        if reserve(<void**>&t.hashes, &capacity, t.n_terms + 2, sizeof(uint32_t)) < 0:
            return -1
        capacity = t.terms_capacity
        if reserve(<void**>&t.numbers, &capacity, t.n_terms + 2, sizeof(index_t)) < 0:
            return -1
        t.terms_capacity = capacity
        t.starts[0] = 0
    capacity = <offset_t>t.bytes_capacity
    if reserve(<void**>&t.bytes, &capacity, <offset_t>(t.n_bytes + n) + PADDING, 1) < 0:
        return -1
    t.bytes_capacity = <size_t>capacity
    memcpy(t.bytes + t.n_bytes, data, n)
    t.n_bytes += n
    t.starts[t.n_terms + 1] = t.n_bytes
    t.hashes[t.n_terms] = <uint32_t>(h >> 32)
    t.numbers[t.n_terms] = number
    slot = h & (t.n_slots - 1)
    while t.slots[slot] >= 0:
        slot = (slot + 1) & (t.n_slots - 1)
    t.slots[slot] = <index_t>t.n_terms
    t.n_terms += 1
    return t.n_terms - 1


cdef uint64_t read_prefix(const Table* t, offset_t term) noexcept nogil:
    # The first eight bytes of a term, as a number with the same order.
    cdef const unsigned char* data = <const unsigned char*>t.bytes + t.starts[term]
    cdef size_t n = t.starts[term + 1] - t.starts[term], at
    cdef uint64_t prefix = 0
    for at in range(8):
        prefix = (prefix << 8) | (data[at] if at < n else 0)
    return prefix


cdef bint is_before(const Table* t, offset_t a, offset_t b) noexcept nogil:
    cdef size_t n_a = t.starts[a + 1] - t.starts[a], n_b = t.starts[b + 1] - t.starts[b]
    cdef int difference = memcmp(t.bytes + t.starts[a], t.bytes + t.starts[b], min(n_a, n_b))
    return difference < 0 or (difference == 0 and n_a < n_b)


cdef void sort_terms(const Table* t, offset_t* terms, offset_t n) noexcept nogil:
    # Heap sort: no recursion and no memory, and many terms may share their first bytes.
    cdef offset_t last
    cdef offset_t term
    for last in range(n // 2 - 1, -1, -1):
        sift_term_down(t, terms, last, n)
    for last in range(n - 1, 0, -1):
        term = terms[0]
        terms[0] = terms[last]
        terms[last] = term
        sift_term_down(t, terms, 0, last)


cdef void sift_term_down(const Table* t, offset_t* terms, offset_t at, offset_t n) noexcept nogil:
    cdef offset_t term = terms[at], child = 2 * at + 1
    while child < n:
        if child + 1 < n and is_before(t, terms[child], terms[child + 1]):
            child += 1
        if not is_before(t, term, terms[child]):
            break
        terms[at] = terms[child]
        at = child
        child = 2 * at + 1
    terms[at] = term


cdef class TermTable:
    """Hash table from terms to numbers.

    Parameters
    ----------
    vocabulary : dict from str to int, or None
        Terms and their numbers. None starts an empty table, whose terms get the numbers 0, 1, ...
    """

    def __cinit__(self, vocabulary=None):
        memset(&self.table, 0, sizeof(Table))

    def __init__(self, vocabulary=None):
        cdef str term
        cdef Py_ssize_t at, length
        cdef size_t n
        cdef char* data = NULL      # UTF-8 of a term
        cdef offset_t capacity = 0
        cdef bint has_memory = double_slots(&self.table) == 0
        try:
            for term, number in (vocabulary or {}).items():
                if term is None:
                    raise TypeError("terms must be str; got None.")
                length = PyUnicode_GET_LENGTH(term)
                has_memory &= reserve(<void**>&data, &capacity, 4 * length + PADDING, 1) == 0
                n = 0
                for at in range(length if has_memory else 0):
                    n += put_letter(data + n, PyUnicode_READ(
                        PyUnicode_KIND(term), PyUnicode_DATA(term), at))
                if has_memory and add(&self.table, data, n, hash_bytes(data, n), number) < 0:
                    has_memory = False
        finally:
            free(data)
        if not has_memory:
            raise MemoryError

    def __dealloc__(self):
        free(self.table.bytes)
        free(self.table.starts)
        free(self.table.hashes)
        free(self.table.numbers)
        free(self.table.slots)

    def __len__(self):
        return self.table.n_terms

    def terms(self, const uint8_t[::1] is_wanted not None):
        """Return the wanted terms as a list of str, in the order in which they were added."""
        cdef Table* t = &self.table
        cdef offset_t term
        return [
            PyUnicode_DecodeUTF8(t.bytes + t.starts[term], t.starts[term + 1] - t.starts[term],
                                 "surrogatepass")
            for term in range(t.n_terms) if is_wanted[term]
        ]

    def select(self, const uint8_t[::1] is_wanted not None, const index_t[::1] numbers not None):
        """Return a new table of the wanted terms. `numbers` are their new numbers, in order."""
        cdef Table* t = &self.table
        cdef TermTable selected = TermTable()
        cdef offset_t term, n_selected = 0
        cdef size_t n
        cdef const char* data
        cdef bint has_memory = True
        with nogil:
            for term in range(t.n_terms):
                if not is_wanted[term]:
                    continue
                data = t.bytes + t.starts[term]
                n = t.starts[term + 1] - t.starts[term]
                if add(&selected.table, data, n, hash_bytes(data, n), numbers[n_selected]) < 0:
                    has_memory = False
                    break
                n_selected += 1
        if not has_memory:
            raise MemoryError
        return selected

    def order(self):
        """Return the terms in the order of their code points, as an ndarray of int64."""
        cdef Table* t = &self.table
        cdef offset_t first = 0, last, n_terms = t.n_terms
        prefixes = np.empty(n_terms, dtype=np.uint64)
        cdef uint64_t[::1] prefix = prefixes
        with nogil:
            for last in range(n_terms):
                prefix[last] = read_prefix(t, last)
        # Terms rarely have the same first eight bytes. UTF-8 has the order of code points.
        result = np.argsort(prefixes, kind="stable")
        cdef offset_t[::1] order = result
        with nogil:
            while first < n_terms:
                last = first + 1
                while last < n_terms and prefix[order[last]] == prefix[order[first]]:
                    last += 1
                if last - first > 1:
                    sort_terms(t, &order[first], last - first)
                first = last
        return result

    def merge(self, TermTable other not None):
        """Add the terms of another table. Return the number here of each of its terms, int32."""
        cdef Table* t = &self.table
        cdef Table* o = &other.table
        cdef offset_t term, found = 0
        cdef size_t n
        cdef const char* data
        cdef uint64_t h
        numbers = np.empty(o.n_terms, dtype=np.int32)
        cdef index_t[::1] out = numbers
        with nogil:
            for term in range(o.n_terms):
                data = o.bytes + o.starts[term]
                n = o.starts[term + 1] - o.starts[term]
                h = hash_bytes(data, n)
                found = find(t, data, n, h)
                if found < 0:
                    found = add(t, data, n, h, <index_t>t.n_terms)
                if found < 0:
                    break
                out[term] = t.numbers[found]
        if o.n_terms and found < 0:
            raise MemoryError
        return numbers

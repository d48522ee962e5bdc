# A hash table from terms to numbers; see _term_table.pyx.
from skxmr._core.types cimport index_t, offset_t, uint32_t, uint64_t

cdef enum:
    PADDING = 8                     # bytes behind a term that `hash_bytes` may read


cdef struct Table:
    char* bytes                     # UTF-8 of all terms, one after the other
    size_t n_bytes
    size_t bytes_capacity
    size_t* starts                  # of the terms and of the end, (n_terms + 1)
    uint32_t* hashes                # upper half of the hash of each term
    index_t* numbers                # number of each term in results
    offset_t n_terms
    offset_t terms_capacity
    index_t* slots                  # term of each slot, or -1
    uint64_t n_slots                # a power of 2


cdef class TermTable:
    cdef Table table


cdef inline size_t put_letter(char* to, uint32_t letter) noexcept nogil:
    # Write one letter as UTF-8, also a lone surrogate. Returns the number of bytes.
    if letter < 0x80:
        to[0] = <char>letter
        return 1
    if letter < 0x800:
        to[0] = <char>(0xC0 | (letter >> 6))
        to[1] = <char>(0x80 | (letter & 0x3F))
        return 2
    if letter < 0x10000:
        to[0] = <char>(0xE0 | (letter >> 12))
        to[1] = <char>(0x80 | ((letter >> 6) & 0x3F))
        to[2] = <char>(0x80 | (letter & 0x3F))
        return 3
    to[0] = <char>(0xF0 | (letter >> 18))
    to[1] = <char>(0x80 | ((letter >> 12) & 0x3F))
    to[2] = <char>(0x80 | ((letter >> 6) & 0x3F))
    to[3] = <char>(0x80 | (letter & 0x3F))
    return 4


# Functions that return -1 have no memory.
cdef int reserve(void** array, offset_t* capacity, offset_t wanted, size_t item) noexcept nogil
cdef uint64_t hash_bytes(const char* data, size_t n) noexcept nogil
cdef offset_t find(const Table* t, const char* data, size_t n, uint64_t h) noexcept nogil
cdef offset_t add(Table* t, const char* data, size_t n, uint64_t h, index_t number) noexcept nogil

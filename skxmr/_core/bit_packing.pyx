"""Store integers of n bits without gaps, in 64-bit words.

Value i takes the bits i * n to (i + 1) * n of the words, from the lowest bit of the first word. A
value is the difference to `smallest`. If `rotate` is 1, integers are rotated by one bit to the left
first: the bits of floating-point numbers are then ordered by magnitude, with the sign last.
"""

from skxmr._core.types cimport offset_t, uint8_t, uint16_t, uint32_t, uint64_t

ctypedef fused unsigned_t:
    uint8_t
    uint16_t
    uint32_t
    uint64_t


cdef inline unsigned_t rotate_left(unsigned_t value, int rotate) noexcept nogil:
    return <unsigned_t>(value << rotate | value >> (8 * sizeof(unsigned_t) - rotate)
                        if rotate else value)


cdef inline unsigned_t rotate_right(unsigned_t value, int rotate) noexcept nogil:
    return <unsigned_t>(value >> rotate | value << (8 * sizeof(unsigned_t) - rotate)
                        if rotate else value)


def find_range(const unsigned_t[::1] values, int rotate):
    """Return the smallest and the largest value after rotation; `values` must not be empty."""
    cdef unsigned_t smallest = rotate_left(values[0], rotate), largest = smallest, value
    cdef offset_t i
    with nogil:
        for i in range(values.shape[0]):
            value = rotate_left(values[i], rotate)
            smallest = min(smallest, value)
            largest = max(largest, value)
    return int(smallest), int(largest)


def pack_bits(const unsigned_t[::1] values, int rotate, uint64_t smallest, int n_bits,
              uint64_t[::1] words):
    """Write the values to `words`, which must be large enough; `n_bits` is less than 64."""
    cdef uint64_t value, word = 0
    cdef offset_t i, n_written = 0
    cdef int n_used = 0                 # bits of `word` in use
    with nogil:
        for i in range(values.shape[0]):
            value = rotate_left(values[i], rotate) - smallest
            word |= value << n_used
            n_used += n_bits
            if n_used >= 64:
                words[n_written] = word
                n_written += 1
                n_used -= 64
                word = value >> (n_bits - n_used) if n_used > 0 else 0
        if n_used > 0:
            words[n_written] = word


def unpack_bits(const uint64_t[::1] words, int rotate, uint64_t smallest, int n_bits,
                unsigned_t[::1] values):
    """Write the values that `pack_bits` has written to `words`."""
    cdef uint64_t value, mask = (<uint64_t>1 << n_bits) - 1
    cdef offset_t i, at = 0
    cdef int n_used = 0                 # bits of words[at] that were read
    with nogil:
        for i in range(values.shape[0]):
            value = words[at] >> n_used if n_bits > 0 else 0
            n_used += n_bits
            if n_used >= 64:
                at += 1
                n_used -= 64
                if n_used > 0:
                    value |= words[at] << (n_bits - n_used)
            values[i] = rotate_right(<unsigned_t>(smallest + (value & mask)), rotate)

"""Split texts into n-grams and count the terms of each text, as scikit-learn's vectorizers do.

A text is lowercased, split into words or characters, and written as UTF-8 to a scratch buffer, with
one space between two words. Each n-gram is then a slice of this buffer: of words, or of characters.
A hash table with linear probing finds the number of a slice. In a fit, unknown slices are added to
the table, so terms are numbered in the order in which they first occur, as in scikit-learn. The
numbers of a text are sorted, and equal ones are counted.

Python prepares a text only if it is not ASCII: `str.lower` and the removal of accents follow the
Unicode standard. Everything else runs without the GIL.
"""

import numpy as np

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from skxmr._core.interrupts cimport check_interrupt
from skxmr._core.types cimport index_t, offset_t, uint32_t, uint64_t

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define skxmr_prefetch(address) __builtin_prefetch(address)
    #else
    #define skxmr_prefetch(address)
    #endif
    """
    void skxmr_prefetch(const void* address) nogil

cdef extern from "Python.h":
    int PyUnicode_KIND(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    bint PyUnicode_IS_ASCII(object text)
    uint32_t PyUnicode_READ(int kind, const void* data, Py_ssize_t at) nogil
    bint Py_UNICODE_ISALNUM(uint32_t letter) nogil
    bint Py_UNICODE_ISSPACE(uint32_t letter) nogil
    object PyUnicode_DecodeUTF8(const char* data, Py_ssize_t size, const char* errors)

# Kinds of n-grams; see `CountVectorizer`.
WORD, CHAR, CHAR_WB = range(3)

cdef enum:
    WORDS, CHARS, CHARS_WB
    N_ASCII = 128
    TEXTS_PER_CHECK = 4096          # between two checks for Ctrl-C
    PADDING = 8                     # unused bytes behind the last term or letter; see `hash_bytes`

# Multiplicative hashing with the golden ratio: Knuth, "The Art of Computer Programming", 6.4.
cdef uint64_t GOLDEN_RATIO = 0x9E3779B97F4A7C15

cdef unsigned char LOWER[N_ASCII]        # lower-case letter of an ASCII letter
cdef unsigned char IS_WORD[N_ASCII]      # whether it matches \w
cdef unsigned char IS_SPACE[N_ASCII]     # whether it matches \s

cdef unsigned char WORD_LETTER[2][256]   # by `lowercase`: the letter if it matches \w, otherwise 0
cdef uint64_t LAST_BYTES[8]              # mask of the first n bytes of a word in memory

memset(WORD_LETTER, 0, sizeof(WORD_LETTER))
memset(LAST_BYTES, 0, sizeof(LAST_BYTES))
for _code in range(N_ASCII):
    LOWER[_code] = ord(chr(_code).lower())
    IS_WORD[_code] = chr(_code).isalnum() or chr(_code) == "_"
    IS_SPACE[_code] = chr(_code).isspace()
    WORD_LETTER[False][_code] = _code if IS_WORD[_code] else 0
    WORD_LETTER[True][_code] = LOWER[_code] if IS_WORD[_code] else 0
for _code in range(8):
    memset(&LAST_BYTES[_code], 0xFF, _code)


cdef struct Text:
    const void* letters
    Py_ssize_t length
    int kind                        # bytes per letter
    bint is_ascii
    bint lowercase                  # whether its ASCII letters are to be lowercased


cdef struct Scratch:
    char* bytes                     # UTF-8 of the words or characters of a text
    size_t capacity
    offset_t* starts                # of words, or of characters and the end
    offset_t* ends                  # of words
    offset_t n                      # number of words or characters
    offset_t n_capacity
    index_t* numbers                # of the n-grams
    offset_t n_numbers
    offset_t numbers_capacity
    index_t* sorted                 # of the same size, for `sort_numbers`
    offset_t sorted_capacity


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


cdef struct Rule:
    int analyzer                    # WORDS, CHARS, CHARS_WB
    offset_t min_n
    offset_t max_n


cdef inline bint is_word(uint32_t letter) noexcept nogil:
    if letter < N_ASCII:
        return IS_WORD[letter]
    return Py_UNICODE_ISALNUM(letter)


cdef inline bint is_space(uint32_t letter) noexcept nogil:
    if letter < N_ASCII:
        return IS_SPACE[letter]
    return Py_UNICODE_ISSPACE(letter)


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


cdef inline uint32_t read_letter(const Text* text, Py_ssize_t at) noexcept nogil:
    cdef uint32_t letter = PyUnicode_READ(text.kind, text.letters, at)
    return LOWER[letter] if text.lowercase else letter


cdef inline uint64_t hash_bytes(const char* data, size_t n) noexcept nogil:
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


# ---- Memory. Functions return -1 if there is none.


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


cdef int reserve_text(Scratch* s, Py_ssize_t length, int analyzer) noexcept nogil:
    # Make room for a text. Each letter takes at most 4 bytes, and each word a space. A word has at
    # least two letters, and another letter before the next word.
    cdef size_t wanted = 5 * <size_t>length + 8 + PADDING
    cdef offset_t n = s.n_capacity, n_parts = length // 3 + 2 if analyzer == WORDS else length + 4
    if wanted > s.capacity:
        free(s.bytes)
        s.capacity = 0
        s.bytes = <char*>malloc(wanted)
        if s.bytes == NULL:
            return -1
        s.capacity = wanted
    if reserve(<void**>&s.starts, &n, n_parts, sizeof(offset_t)) < 0:
        return -1
    n = s.n_capacity
    if reserve(<void**>&s.ends, &n, n_parts, sizeof(offset_t)) < 0:
        return -1
    s.n_capacity = n
    return 0


cdef void release(Scratch* s) noexcept nogil:
    free(s.bytes)
    free(s.starts)
    free(s.ends)
    free(s.numbers)
    free(s.sorted)


# ---- Terms


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


# ---- Splitting


cdef inline bint is_stop_word(const Table* stops, const char* word, size_t n) noexcept nogil:
    return stops.n_terms > 0 and find(stops, word, n, hash_bytes(word, n)) >= 0


cdef void split_words(Scratch* s, const Text* text, const Table* stops) noexcept nogil:
    # Write the words: runs of at least two letters that match \w, without stop words.
    cdef Py_ssize_t at = 0, length
    cdef size_t end = 0, start
    cdef uint32_t letter
    s.n = 0
    while at < text.length:
        letter = read_letter(text, at)
        at += 1
        if not is_word(letter):
            continue
        start = end
        length = 0
        while True:
            end += put_letter(s.bytes + end, letter)
            length += 1
            if at == text.length:
                break
            letter = read_letter(text, at)
            at += 1
            if not is_word(letter):
                break
        if length < 2 or is_stop_word(stops, s.bytes + start, end - start):
            end = start
            continue
        s.starts[s.n] = <offset_t>start
        s.ends[s.n] = <offset_t>end
        s.n += 1
        s.bytes[end] = 32  # a space, for n-grams of several words
        end += 1


cdef void split_ascii_words(Scratch* s, const Text* text, const Table* stops) noexcept nogil:
    # `split_words` for texts whose letters are bytes.
    cdef const unsigned char* letter = <const unsigned char*>text.letters
    cdef const unsigned char* last = letter + text.length
    cdef const unsigned char* table = WORD_LETTER[text.lowercase]
    cdef char* to = s.bytes
    cdef char* start
    cdef size_t n
    s.n = 0
    while letter < last:
        start = to
        while letter < last:
            to[0] = <char>table[letter[0]]
            if to[0] == 0:
                break
            letter += 1
            to += 1
        letter += 1
        n = to - start
        if n < 2 or is_stop_word(stops, start, n):
            to = start
            continue
        s.starts[s.n] = start - s.bytes
        s.ends[s.n] = to - s.bytes
        s.n += 1
        to[0] = 32
        to += 1


cdef void split_letters(Scratch* s, const Text* text) noexcept nogil:
    # Write the letters, with one space for each run of several white spaces.
    cdef Py_ssize_t at = 0
    cdef size_t end = 0
    cdef uint32_t letter
    s.n = 0
    while at < text.length:
        letter = read_letter(text, at)
        at += 1
        if is_space(letter) and at < text.length and is_space(read_letter(text, at)):
            letter = 32
            while at < text.length and is_space(read_letter(text, at)):
                at += 1
        s.starts[s.n] = <offset_t>end
        s.n += 1
        end += put_letter(s.bytes + end, letter)
    s.starts[s.n] = <offset_t>end


cdef Py_ssize_t split_padded_word(Scratch* s, const Text* text, Py_ssize_t at) noexcept nogil:
    # Write the letters of the next word, between two spaces. Returns the position behind the word,
    # or -1 if there is none.
    cdef size_t end = 1
    cdef uint32_t letter
    while at < text.length and is_space(read_letter(text, at)):
        at += 1
    if at == text.length:
        return -1
    s.bytes[0] = 32
    s.starts[0] = 0
    s.n = 1
    while at < text.length:
        letter = read_letter(text, at)
        if is_space(letter):
            break
        s.starts[s.n] = <offset_t>end
        s.n += 1
        end += put_letter(s.bytes + end, letter)
        at += 1
    s.starts[s.n] = <offset_t>end
    s.bytes[end] = 32
    s.n += 1
    s.starts[s.n] = <offset_t>(end + 1)
    return at


# ---- Counting


cdef inline int number_slice(Scratch* s, Table* t, bint grows, offset_t start,
                             offset_t end) noexcept nogil:
    # Append the number of an n-gram, if it is a term. Returns -1 without memory.
    cdef const char* data = s.bytes + start
    cdef size_t n = <size_t>(end - start)
    cdef uint64_t h = hash_bytes(data, n)
    cdef offset_t term = find(t, data, n, h)
    if term < 0:
        if not grows:
            return 0
        term = add(t, data, n, h, <index_t>t.n_terms)
        if term < 0:
            return -1
    if s.n_numbers == s.numbers_capacity and reserve(
            <void**>&s.numbers, &s.numbers_capacity, s.n_numbers + 1, sizeof(index_t)) < 0:
        return -1
    s.numbers[s.n_numbers] = t.numbers[term]
    s.n_numbers += 1
    return 0


cdef int number_words(Scratch* s, Table* t, bint grows, const Rule* rule) noexcept nogil:
    cdef offset_t n, at, first = rule.min_n
    if rule.max_n == 1 or rule.min_n == 1:
        for at in range(s.n):
            if number_slice(s, t, grows, s.starts[at], s.ends[at]) < 0:
                return -1
        first = 2
    if rule.max_n == 1:
        return 0
    for n in range(first, min(rule.max_n, s.n) + 1):
        for at in range(s.n - n + 1):
            if number_slice(s, t, grows, s.starts[at], s.ends[at + n - 1]) < 0:
                return -1
    return 0


cdef int number_letters(Scratch* s, Table* t, bint grows, const Rule* rule) noexcept nogil:
    cdef offset_t n, at
    for n in range(rule.min_n, min(rule.max_n, s.n) + 1):
        for at in range(s.n - n + 1):
            if number_slice(s, t, grows, s.starts[at], s.starts[at + n]) < 0:
                return -1
    return 0


cdef int number_padded_word(Scratch* s, Table* t, bint grows, const Rule* rule) noexcept nogil:
    # A word that is shorter than n is one n-gram, for the smallest such n only.
    cdef offset_t n, at
    for n in range(rule.min_n, rule.max_n + 1):
        if n >= s.n:
            return number_slice(s, t, grows, 0, s.starts[s.n])
        for at in range(s.n - n + 1):
            if number_slice(s, t, grows, s.starts[at], s.starts[at + n]) < 0:
                return -1
    return 0


cdef int number_text(Scratch* s, Table* t, bint grows, const Text* text, const Rule* rule,
                     const Table* stops) noexcept nogil:
    # Append the numbers of all terms of a text. Returns -1 without memory.
    cdef Py_ssize_t at = 0
    if reserve_text(s, text.length, rule.analyzer) < 0:
        return -1
    if rule.analyzer == WORDS:
        if text.is_ascii:
            split_ascii_words(s, text, stops)
        else:
            split_words(s, text, stops)
        return number_words(s, t, grows, rule)
    if rule.analyzer == CHARS:
        split_letters(s, text)
        return number_letters(s, t, grows, rule)
    while True:
        at = split_padded_word(s, text, at)
        if at < 0:
            return 0
        if number_padded_word(s, t, grows, rule) < 0:
            return -1


cdef int sort_numbers(Scratch* s) noexcept nogil:
    # Insertion sort, or radix sort by bytes for longer arrays. Returns -1 without memory.
    cdef index_t* numbers = s.numbers
    cdef offset_t n = s.n_numbers, low, at, position, before
    cdef index_t number, largest = 0
    cdef int shift = 0
    cdef offset_t[256] ends
    if n > 48:
        if reserve(<void**>&s.sorted, &s.sorted_capacity, n, sizeof(index_t)) < 0:
            return -1
        for at in range(n):
            largest = max(largest, numbers[at])
        while largest >> shift:
            memset(ends, 0, sizeof(ends))
            for at in range(n):
                ends[(s.numbers[at] >> shift) & 255] += 1
            position = 0
            for at in range(256):
                before = position
                position += ends[at]
                ends[at] = before
            for at in range(n):
                low = (s.numbers[at] >> shift) & 255
                s.sorted[ends[low]] = s.numbers[at]
                ends[low] += 1
            # The sorted array takes the place of the other one.
            numbers = s.numbers
            s.numbers = s.sorted
            s.sorted = numbers
            position = s.numbers_capacity
            s.numbers_capacity = s.sorted_capacity
            s.sorted_capacity = position
            shift += 8
            if shift > 24:
                break
        return 0
    for low in range(1, n):
        number = numbers[low]
        at = low
        while at > 0 and numbers[at - 1] > number:
            numbers[at] = numbers[at - 1]
            at -= 1
        numbers[at] = number
    return 0


cdef struct Counts:
    index_t* numbers                # terms of all texts
    index_t* counts
    offset_t n
    offset_t capacity


cdef int count_numbers(Counts* out, Scratch* s) noexcept nogil:
    # Sort the numbers of a text, and append each with its count. Returns -1 without memory.
    cdef offset_t n = s.n_numbers, at, capacity = out.capacity
    cdef const index_t* numbers
    if reserve(<void**>&out.numbers, &capacity, out.n + n, sizeof(index_t)) < 0:
        return -1
    capacity = out.capacity
    if reserve(<void**>&out.counts, &capacity, out.n + n, sizeof(index_t)) < 0:
        return -1
    out.capacity = capacity
    if sort_numbers(s) < 0:
        return -1
    numbers = s.numbers
    for at in range(n):
        if at and numbers[at] == numbers[at - 1]:
            out.counts[out.n - 1] += 1
        else:
            out.numbers[out.n] = numbers[at]
            out.counts[out.n] = 1
            out.n += 1
    return 0


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

    cdef Table table

    def __cinit__(self, vocabulary=None):
        memset(&self.table, 0, sizeof(Table))

    def __init__(self, vocabulary=None):
        cdef Scratch scratch
        cdef str term
        cdef Py_ssize_t at, length
        cdef size_t n
        cdef bint has_memory = double_slots(&self.table) == 0
        memset(&scratch, 0, sizeof(Scratch))
        try:
            for term, number in (vocabulary or {}).items():
                if term is None:
                    raise TypeError("terms must be str; got None.")
                length = PyUnicode_GET_LENGTH(term)
                has_memory &= reserve_text(&scratch, length, WORDS) == 0
                n = 0
                for at in range(length if has_memory else 0):
                    n += put_letter(scratch.bytes + n, PyUnicode_READ(
                        PyUnicode_KIND(term), PyUnicode_DATA(term), at))
                if has_memory and add(&self.table, scratch.bytes, n, hash_bytes(scratch.bytes, n),
                                      number) < 0:
                    has_memory = False
        finally:
            release(&scratch)
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

    def terms(self):
        """Return all terms as a list of str, in the order in which they were added."""
        cdef Table* t = &self.table
        cdef offset_t term
        return [
            PyUnicode_DecodeUTF8(t.bytes + t.starts[term], t.starts[term + 1] - t.starts[term],
                                 "surrogatepass")
            for term in range(t.n_terms)
        ]

    def order(self):
        """Return the terms in the order of their code points, as an ndarray of int64."""
        cdef Table* t = &self.table
        cdef offset_t first = 0, last, n_terms = t.n_terms
        prefixes = np.empty(n_terms, dtype=np.uint64)
        cdef uint64_t[::1] prefix = prefixes
        with nogil:
            for last in range(n_terms):
                prefix[last] = read_prefix(t, last)
        # Most terms differ in their first eight bytes. UTF-8 has the order of code points.
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

    def count(self, list texts not None, const unsigned char[::1] lowercase not None,
              int analyzer, offset_t min_n, offset_t max_n, TermTable stops not None, bint grows):
        """Count the terms of each text.

        Parameters
        ----------
        texts : list of str
            Texts.
        lowercase : bytes-like of n_texts values
            1 for each ASCII text that is to be lowercased.
        analyzer : int
            WORD, CHAR or CHAR_WB.
        min_n, max_n : int
            Range of the lengths of n-grams, at least 1.
        stops : TermTable
            Words that are left out.
        grows : bool
            Whether unknown terms are added to the table. No other thread may use it then.

        Returns
        -------
        indptr : ndarray of shape (n_texts + 1,), int64
            Start of each text in the other arrays.
        numbers : ndarray of int32
            Terms of each text, sorted.
        counts : ndarray of int32
            Frequency of each term in its text.
        """
        cdef offset_t n_texts = len(texts), at
        cdef Rule rule = Rule(analyzer, min_n, max_n)
        cdef Scratch scratch
        cdef Counts out
        cdef bint has_memory = True
        cdef Text* views = <Text*>malloc(max(n_texts, 1) * sizeof(Text))
        indptr = np.zeros(n_texts + 1, dtype=np.int64)
        cdef offset_t[::1] starts = indptr
        memset(&scratch, 0, sizeof(Scratch))
        memset(&out, 0, sizeof(Counts))
        if views == NULL:
            raise MemoryError
        try:
            for at in range(n_texts):
                text = texts[at]
                views[at] = Text(PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text),
                                 PyUnicode_KIND(text), PyUnicode_IS_ASCII(text), lowercase[at])
            with nogil:
                for at in range(n_texts):
                    if at % TEXTS_PER_CHECK == TEXTS_PER_CHECK - 1:
                        check_interrupt()
                    scratch.n_numbers = 0
                    has_memory = (
                        number_text(&scratch, &self.table, grows, &views[at], &rule,
                                    &stops.table) == 0
                        and count_numbers(&out, &scratch) == 0)
                    if not has_memory:
                        break
                    starts[at + 1] = out.n
            if not has_memory:
                raise MemoryError
            numbers = np.empty(out.n, dtype=np.int32)
            counts = np.empty(out.n, dtype=np.int32)
            if out.n:
                copy_to(numbers, out.numbers)
                copy_to(counts, out.counts)
        finally:
            release(&scratch)
            free(views)
            free(out.numbers)
            free(out.counts)
        return indptr, numbers, counts


cdef void copy_to(index_t[::1] to, const index_t* values) noexcept:
    memcpy(&to[0], values, to.shape[0] * sizeof(index_t))


def sort_rows(const offset_t[::1] indptr, index_t[::1] numbers, index_t[::1] counts):
    """Sort the entries of each row by number, in place. No row has a number twice."""
    cdef offset_t row, first, n, at, to
    cdef index_t number, count
    cdef uint64_t* pairs = NULL
    cdef offset_t capacity = 0
    cdef bint has_memory = True
    with nogil:
        for row in range(indptr.shape[0] - 1):
            first, n = indptr[row], indptr[row + 1] - indptr[row]
            if n > 24:
                if reserve(<void**>&pairs, &capacity, n, sizeof(uint64_t)) < 0:
                    has_memory = False
                    break
                for at in range(n):
                    pairs[at] = (<uint64_t>numbers[first + at] << 32) | <uint32_t>counts[first + at]
                sort_pairs(pairs, n)
                for at in range(n):
                    numbers[first + at] = <index_t>(pairs[at] >> 32)
                    counts[first + at] = <index_t>(<uint32_t>pairs[at])
                continue
            for at in range(first + 1, first + n):
                number, count, to = numbers[at], counts[at], at
                while to > first and numbers[to - 1] > number:
                    numbers[to], counts[to] = numbers[to - 1], counts[to - 1]
                    to -= 1
                numbers[to], counts[to] = number, count
    free(pairs)
    if not has_memory:
        raise MemoryError


cdef void sort_pairs(uint64_t* pairs, offset_t n) noexcept nogil:
    # Heap sort.
    cdef offset_t last
    cdef uint64_t pair
    for last in range(n // 2 - 1, -1, -1):
        sift_down(pairs, last, n)
    for last in range(n - 1, 0, -1):
        pair = pairs[0]
        pairs[0] = pairs[last]
        pairs[last] = pair
        sift_down(pairs, 0, last)


cdef void sift_down(uint64_t* pairs, offset_t at, offset_t n) noexcept nogil:
    cdef uint64_t pair = pairs[at]
    cdef offset_t child = 2 * at + 1
    while child < n:
        if child + 1 < n and pairs[child + 1] > pairs[child]:
            child += 1
        if pairs[child] <= pair:
            break
        pairs[at] = pairs[child]
        at = child
        child = 2 * at + 1
    pairs[at] = pair

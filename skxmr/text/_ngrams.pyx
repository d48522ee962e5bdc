"""Split texts into n-grams and count the terms of each text, as scikit-learn's vectorizers do.

A text is lowercased, split into words or characters, and written as UTF-8 to a scratch buffer, with
one space between two words. Each n-gram is then a slice of this buffer: of words, or of characters.
A `TermTable` has the number of a slice. In a fit, unknown slices are added to it, so terms are
numbered in the order in which they first occur, as in scikit-learn. The numbers of a text are
sorted, and equal ones are counted.

Python prepares a text only if it is not ASCII: `str.lower` and the removal of accents follow the
Unicode standard. Everything else runs without the GIL.
"""

import numpy as np

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from skxmr._core.interrupts cimport check_interrupt
from skxmr._core.types cimport index_t, offset_t, uint32_t, uint64_t
from skxmr.text._term_table cimport (
    PADDING, Table, TermTable, add, find, hash_bytes, put_letter, reserve
)

cdef extern from "Python.h":
    int PyUnicode_KIND(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    bint PyUnicode_IS_ASCII(object text)
    uint32_t PyUnicode_READ(int kind, const void* data, Py_ssize_t at) nogil
    bint Py_UNICODE_ISALNUM(uint32_t letter) nogil
    bint Py_UNICODE_ISSPACE(uint32_t letter) nogil

# Kinds of n-grams; see `CountVectorizer`.
WORD, CHAR, CHAR_WB = range(3)

cdef enum:
    WORDS, CHARS, CHARS_WB
    N_ASCII = 128
    TEXTS_PER_CHECK = 4096          # between two checks for Ctrl-C

cdef unsigned char LOWER[N_ASCII]        # lower-case letter of an ASCII letter
cdef unsigned char IS_WORD[N_ASCII]      # whether it matches \w
cdef unsigned char IS_SPACE[N_ASCII]     # whether it matches \s
cdef unsigned char WORD_LETTER[2][256]   # by `lowercase`: the letter if it matches \w, otherwise 0

memset(WORD_LETTER, 0, sizeof(WORD_LETTER))
for _code in range(N_ASCII):
    LOWER[_code] = ord(chr(_code).lower())
    IS_WORD[_code] = chr(_code).isalnum() or chr(_code) == "_"
    IS_SPACE[_code] = chr(_code).isspace()
    WORD_LETTER[False][_code] = _code if IS_WORD[_code] else 0
    WORD_LETTER[True][_code] = LOWER[_code] if IS_WORD[_code] else 0


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


cdef struct Rule:
    int analyzer                    # WORDS, CHARS, CHARS_WB
    offset_t min_n
    offset_t max_n
    Py_ssize_t min_letters          # of a word


cdef inline bint is_word(uint32_t letter) noexcept nogil:
    if letter < N_ASCII:
        return IS_WORD[letter]
    return Py_UNICODE_ISALNUM(letter)


cdef inline bint is_space(uint32_t letter) noexcept nogil:
    if letter < N_ASCII:
        return IS_SPACE[letter]
    return Py_UNICODE_ISSPACE(letter)


cdef inline uint32_t read_letter(const Text* text, Py_ssize_t at) noexcept nogil:
    cdef uint32_t letter = PyUnicode_READ(text.kind, text.letters, at)
    return LOWER[letter] if text.lowercase else letter


cdef int reserve_text(Scratch* s, Py_ssize_t length, int analyzer) noexcept nogil:
    # Make room for a text. Each letter takes at most 4 bytes, and each word a space. A word has at
    # least one letter, and another letter before the next word.
    cdef size_t wanted = 5 * <size_t>length + 8 + PADDING
    cdef offset_t n = s.n_capacity, n_parts = length // 2 + 2 if analyzer == WORDS else length + 4
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


# ---- Splitting


cdef inline bint is_stop_word(const Table* stops, const char* word, size_t n) noexcept nogil:
    return stops.n_terms > 0 and find(stops, word, n, hash_bytes(word, n)) >= 0


cdef void split_words(Scratch* s, const Text* text, const Table* stops,
                      Py_ssize_t min_letters) noexcept nogil:
    # Write the words: runs of letters that match \w, without stop words.
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
        if length < min_letters or is_stop_word(stops, s.bytes + start, end - start):
            end = start
            continue
        s.starts[s.n] = <offset_t>start
        s.ends[s.n] = <offset_t>end
        s.n += 1
        s.bytes[end] = 32  # a space, for n-grams of several words
        end += 1


cdef void split_ascii_words(Scratch* s, const Text* text, const Table* stops,
                            size_t min_letters) noexcept nogil:
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
        if n < min_letters or is_stop_word(stops, start, n):
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
            split_ascii_words(s, text, stops, rule.min_letters)
        else:
            split_words(s, text, stops, rule.min_letters)
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


def count_terms(TermTable table not None, list texts not None,
                const unsigned char[::1] lowercase not None, int analyzer, offset_t min_n,
                offset_t max_n, Py_ssize_t min_letters, TermTable stops not None, bint grows):
    """Count the terms of each text.

    Parameters
    ----------
    table : TermTable
        Terms, as UTF-8.
    texts : list of str
        Texts.
    lowercase : bytes-like of n_texts values
        1 for each ASCII text that is to be lowercased.
    analyzer : int
        WORD, CHAR or CHAR_WB.
    min_n, max_n : int
        Range of the lengths of n-grams, at least 1.
    min_letters : int
        Length of the shortest words.
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
    cdef Rule rule = Rule(analyzer, min_n, max_n, min_letters)
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
                    number_text(&scratch, &table.table, grows, &views[at], &rule,
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

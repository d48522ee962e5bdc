"""The features of each chunk, as a bitmap of two levels.

A chunk uses a few hundred to some ten thousand of all features. The lower level of the bitmap has a
bit for each feature, in words of 64 bits. Only words that are not zero are stored. The upper level,
the summary, has a bit for each word: 1 if the word is stored. `pack_features` makes both levels.

A search needs the rank of a feature: the number of features of the chunk before it. The rank is
the number of features before the word, from a table, plus the number of bits before the feature in
the word. This takes a few instructions, for one row as for a batch, and less memory than a sorted
list of features. `rank_features` computes the tables from the bitmap; they are not pickled. The
numbers of features and of weights before a word are stored next to the word, so that one memory
access reads all three.
"""

from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr._linear.chunk import rank_words

WORD_BITS = 64


class RankTables(NamedTuple):
    """Tables that a search in the bitmaps of a level needs in addition to the summaries.

    Attributes
    ----------
    word_indptr : ndarray of shape (n_chunks + 1,), int64
        Start of the words of each chunk.
    summary_ranks : ndarray of shape (n_chunks, n_summary), uint32
        Number of words of the chunk before each element of the summary.
    ranked_words : ndarray of shape (n_words + 1, 2), uint64
        Each word, and the numbers of features (lower 32 bits) and of weights (upper 32 bits) of the
        chunk before the word.
    feature_indptr : ndarray of shape (n_chunks + 1,), int64
        Start of the features of each chunk.
    entry_indptr : ndarray of shape (n_chunks + 1,), int64
        Start of the weights of each chunk.
    """

    word_indptr: np.ndarray
    summary_ranks: np.ndarray
    ranked_words: np.ndarray
    feature_indptr: np.ndarray
    entry_indptr: np.ndarray


def rank_features(summaries, words, counts):
    """Compute the rank tables of a level.

    Parameters
    ----------
    summaries : ndarray of shape (n_chunks, n_summary), uint64
        Upper level of the bitmap of each chunk.
    words : ndarray of shape (n_words + 1,), uint64
        Stored words of all chunks, in order, followed by a 0, because a search reads one word
        beyond the last.
    counts : ndarray of shape (n_chunk_features,), uint8 or uint16
        Number of weights of each feature of each chunk.

    Returns
    -------
    RankTables

    Raises
    ------
    ValueError
        If the numbers of words or features disagree, as in a damaged file.
    """
    n_words = np.bitwise_count(summaries).astype(np.int64)
    word_indptr = offsets_of(n_words.sum(axis=1))
    n_features = int(np.bitwise_count(words).sum(dtype=np.int64))
    if len(words) != word_indptr[-1] + 1 or n_features != len(counts):
        raise ValueError(
            f"The bitmaps of a level must have {word_indptr[-1] + 1} words and {len(counts)} "
            f"features; got {len(words)} and {n_features}. Its files are damaged."
        )
    summary_ranks = (np.cumsum(n_words, axis=1) - n_words).astype(np.uint32)
    words = np.ascontiguousarray(words)
    ranked_words, feature_indptr, entry_indptr = rank_words(
        words, np.bitwise_count(words), word_indptr, counts
    )
    return RankTables(word_indptr, summary_ranks, ranked_words, feature_indptr, entry_indptr)


def unpack_features(summary, words):
    """Return the features of one chunk, sorted; the inverse of `pack_features`.

    Parameters
    ----------
    summary : ndarray of shape (n_summary,), uint64
        Upper level of the bitmap of the chunk.
    words : ndarray of shape (n_chunk_words,), uint64
        Stored words of the chunk.

    Returns
    -------
    ndarray of shape (n_features,), int32
    """
    stored_word, bit = np.divmod(find_set_bits(words), WORD_BITS)
    return (find_set_bits(summary)[stored_word] * WORD_BITS + bit).astype(np.int32)


def find_set_bits(words):
    """Return the positions of the bits that are 1, counted from the least significant bit."""
    as_bytes = np.ascontiguousarray(words, dtype="<u8").view(np.uint8)
    return np.flatnonzero(np.unpackbits(as_bytes, bitorder="little"))

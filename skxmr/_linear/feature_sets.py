"""The features of each chunk as a bitmap of two levels.

A chunk knows a few hundred to some ten thousand of all features. The bitmap finds the place of a
feature among them in a few instructions, for one row as for a batch, and takes less room than the
sorted ids: a bit for each feature in words of 64, of which only those that are not empty are
stored, and a summary with a bit for each word. `pack_features` makes both. Numbers of words, of
features and of weights before follow from the bits and counts, and are not pickled. Those of
features and weights stand beside the word: one access to memory finds all three.
"""

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr._linear.chunk import rank_words


def rank_features(summaries, words, counts):
    """Return what a search needs beside the summary.

    Parameters
    ----------
    summaries : ndarray of shape (n_chunks, n_summary), uint64
        A bit for each word that is not empty.
    words : ndarray of shape (n_words + 1,), uint64
        These words, chunk after chunk, and a 0: the search reads a word beyond the last.
    counts : ndarray of shape (n chunk features,), uint8 or uint16
        Number of weights of each feature.

    Returns
    -------
    word_indptr : ndarray of shape (n_chunks + 1,), int64
        The words of each chunk.
    summary_ranks : ndarray of shape (n_chunks, n_summary), uint32
        Words of the chunk before each entry of the summary.
    ranked_words : ndarray of shape (n_words + 1, 2), uint64
        Each word, and numbers of the chunk before it: features in the lower 32 bits, weights in the
        upper.
    feature_indptr : ndarray of shape (n_chunks + 1,), int64
        The features of each chunk.
    entry_indptr : ndarray of shape (n_chunks + 1,), int64
        The weights of each chunk.
    """
    n_words = np.bitwise_count(summaries).astype(np.int64)
    word_indptr = offsets_of(n_words.sum(axis=1))
    summary_ranks = (np.cumsum(n_words, axis=1) - n_words).astype(np.uint32)
    words = np.ascontiguousarray(words)
    return (
        word_indptr,
        summary_ranks,
        *rank_words(words, np.bitwise_count(words), word_indptr, counts),
    )


def unpack_features(summary, words):
    """Return the rising features of one chunk: undoes `pack_features`.

    Parameters
    ----------
    summary : ndarray of shape (n_summary,), uint64
        A bit for each word that is not empty.
    words : ndarray of shape (n_chunk_words,), uint64
        These words.

    Returns
    -------
    ndarray of int32
    """
    at = set_bits(words)
    return (set_bits(summary)[at // 64] * 64 + at % 64).astype(np.int32)


def set_bits(words):
    """Return the places of the bits that are set, least significant first."""
    as_bytes = np.ascontiguousarray(words, dtype="<u8").view(np.uint8)
    return np.flatnonzero(np.unpackbits(as_bytes, bitorder="little"))

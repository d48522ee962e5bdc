"""The features of each chunk as a bitmap of two levels.

A chunk knows a few hundred to some ten thousand of all features. The bitmap finds the place of a
feature among them in a few instructions, for one row as for a batch, and takes less room than the
sorted ids: a bit for each feature in words of 64, of which only those that are not empty are
stored, and a summary with a bit for each word. `pack_features` makes both. Ranks, the numbers of
words and of features before, follow from the bits and are not saved.
"""

import numpy as np

from skxmr._core.arrays import offsets_of


def rank_features(summaries, words):
    """Return what a search needs beside the bits.

    Parameters
    ----------
    summaries : ndarray of shape (n_chunks, n_summary), uint64
        A bit for each word that is not empty.
    words : ndarray of shape (n_words + 1,), uint64
        These words, chunk after chunk, and a 0: the search reads a word beyond the last.

    Returns
    -------
    word_indptr : ndarray of shape (n_chunks + 1,), int64
        The words of each chunk.
    summary_ranks : ndarray of shape (n_chunks, n_summary), uint32
        Words of the chunk before each entry of the summary.
    word_ranks : ndarray of shape (n_words + 1,), uint32
        Features of the chunk before each word; 0 for the last.
    feature_indptr : ndarray of shape (n_chunks + 1,), int64
        The features of each chunk.
    """
    counts = np.bitwise_count(summaries).astype(np.int64)
    word_indptr = offsets_of(counts.sum(axis=1))
    summary_ranks = (np.cumsum(counts, axis=1) - counts).astype(np.uint32)
    before = offsets_of(np.bitwise_count(words[:-1]))
    feature_indptr = before[word_indptr]
    in_chunk = before
    in_chunk[:-1] -= np.repeat(feature_indptr[:-1], np.diff(word_indptr))
    in_chunk[-1] = 0
    word_ranks = in_chunk.astype(np.uint32)
    return word_indptr, summary_ranks, word_ranks, feature_indptr


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
    as_bytes = words.astype("<u8", copy=False).view(np.uint8)
    return np.flatnonzero(np.unpackbits(as_bytes, bitorder="little"))

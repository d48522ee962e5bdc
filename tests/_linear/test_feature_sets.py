"""Bitmaps of the features of chunks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.reference import read_bitmap
from skxmr._linear.chunk import pack_features
from skxmr._linear.feature_sets import rank_features


@given(data=st.data(), dtype=st.sampled_from([np.uint8, np.uint16]))
def test_rank_features_counts_the_features_and_weights_before_each_word(data, dtype):
    n_features = data.draw(st.sampled_from([1, 63, 64, 65, 4096, 4097, 10_000]))
    feature_lists = st.lists(st.integers(0, n_features - 1), max_size=30, unique=True)
    chunks = [
        np.array(sorted(chunk), int)
        for chunk in data.draw(st.lists(feature_lists, min_size=1, max_size=5))
    ]
    indptr = np.concatenate(([0], np.cumsum([len(chunk) for chunk in chunks])))
    bitmaps = [pack_features(chunk.astype(np.int32), n_features) for chunk in chunks]
    summaries, words = zip(*bitmaps, strict=True)
    for chunk, summary, chunk_words in zip(chunks, summaries, words, strict=True):
        assert read_bitmap(summary, chunk_words) == chunk.tolist()
        assert np.all(chunk_words != 0)
    summaries, words = np.stack(summaries), np.concatenate([*words, [np.uint64(0)]])

    counts = [[data.draw(st.integers(1, 200)) for _ in chunk] for chunk in chunks]
    word_indptr, summary_ranks, ranked_words, feature_indptr, entry_indptr = rank_features(
        summaries,
        words,
        np.array([n for chunk_counts in counts for n in chunk_counts], dtype=dtype),
    )
    np.testing.assert_array_equal(ranked_words[:, 0], words)
    np.testing.assert_array_equal(entry_indptr, np.cumsum([0, *map(sum, counts)]))
    np.testing.assert_array_equal(feature_indptr, indptr)
    # Find each feature as the kernels do, and compare its position.
    for chunk, features in enumerate(chunks):
        assert word_indptr[chunk + 1] - word_indptr[chunk] == len(set(features // 64))
        for position, feature in enumerate(features):
            word, bit = divmod(int(feature), 64)
            words_before = (1 << word % 64) - 1
            rank = summary_ranks[chunk, word // 64]
            rank += (int(summaries[chunk, word // 64]) & words_before).bit_count()
            at = word_indptr[chunk] + rank
            assert int(words[at]) >> bit & 1
            n_features, n_entries = int(ranked_words[at, 1]) % 2**32, int(ranked_words[at, 1]) >> 32
            assert n_features + (int(words[at]) & (1 << bit) - 1).bit_count() == position
            assert n_entries == sum(counts[chunk][:n_features])


def test_rank_features_rejects_clusters_with_2_to_the_32_weights():
    n_words = 1025  # 65,600 features with 65,535 weights each
    summary = np.full((1, 17), np.uint64(2**64 - 1))
    summary[0, 16] = 1
    words = np.append(np.full(n_words, np.uint64(2**64 - 1)), np.uint64(0))
    counts = np.full(64 * n_words, 2**16 - 1, dtype=np.uint16)
    with pytest.raises(ValueError, match=r"less than 2\*\*32; got 4299096000"):
        rank_features(summary, words, counts)
    *_, entry_indptr = rank_features(summary, words, counts - np.uint16(100))
    assert entry_indptr[-1] == 65_435 * 65_600

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skxmr.linear.feature_sets import pack_features, rank_features, unpack_features


@given(data=st.data())
def test_bitmaps_hold_the_features_and_their_places(data):
    n_features = data.draw(st.sampled_from([1, 63, 64, 65, 4096, 4097, 10_000]))
    some = st.lists(st.integers(0, n_features - 1), max_size=30, unique=True)
    chunks = [
        np.array(sorted(chunk), int) for chunk in data.draw(st.lists(some, min_size=1, max_size=5))
    ]
    indptr = np.concatenate(([0], np.cumsum([len(chunk) for chunk in chunks])))
    features = np.concatenate(chunks).astype(np.int32)

    summaries, words = pack_features(indptr, features, n_features)
    np.testing.assert_array_equal(unpack_features(summaries, words), features)
    assert np.all(words[:-1] != 0)
    assert words[-1] == 0

    word_indptr, summary_ranks, word_ranks, feature_indptr = rank_features(summaries, words)
    np.testing.assert_array_equal(feature_indptr, indptr)
    for chunk, wanted in enumerate(chunks):
        assert word_indptr[chunk + 1] - word_indptr[chunk] == len(set(wanted // 64))
        for place, feature in enumerate(wanted):
            word, bit = divmod(int(feature), 64)
            before = (1 << word % 64) - 1
            rank = summary_ranks[chunk, word // 64]
            rank += (int(summaries[chunk, word // 64]) & before).bit_count()
            at = word_indptr[chunk] + rank
            assert int(words[at]) >> bit & 1
            assert word_ranks[at] + (int(words[at]) & (1 << bit) - 1).bit_count() == place

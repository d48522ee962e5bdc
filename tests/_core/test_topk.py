"""Selection of the best entries of each row."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skxmr._core.topk import best_of_rows

# Few different scores, so that ties are common.
SCORES = st.lists(st.integers(-3, 3).map(float), min_size=0, max_size=60)


@given(scores=SCORES, k=st.integers(0, 70), data=st.data())
def test_best_of_rows_equals_sorting_for_any_order_of_entries(scores, k, data):
    ids = data.draw(st.permutations(range(len(scores))))
    edges = data.draw(st.lists(st.integers(0, len(scores)), max_size=4).map(sorted))
    indptr = np.array([0, *edges, len(scores)])
    args = (indptr, np.array(ids, np.int32), np.array(scores, np.float32), k)
    best = [
        sorted(zip(scores[a:b], ids[a:b], strict=True), key=lambda pair: (-pair[0], pair[1]))
        for a, b in itertools.pairwise(indptr)
    ]
    best = [row[:k] if k else row for row in best]
    by_id = [sorted(row, key=lambda pair: pair[1]) for row in best]
    for best_first, expected in ((True, best), (False, by_id)):
        got_indptr, got_ids, got_scores = best_of_rows(*args, best_first)
        np.testing.assert_array_equal(np.diff(got_indptr), [len(row) for row in expected])
        assert list(zip(got_scores, got_ids, strict=True)) == list(itertools.chain(*expected))


def test_best_of_rows_sorts_long_rows():
    rng = np.random.default_rng(0)
    scores, ids = rng.normal(size=5000).astype(np.float32), rng.permutation(5000).astype(np.int32)
    row = (np.array([0, 5000]), ids, scores, 0)
    _, got_ids, got_scores = best_of_rows(*row, False)
    np.testing.assert_array_equal(got_ids, np.arange(5000))
    np.testing.assert_array_equal(got_scores, scores[np.argsort(ids)])
    _, got_ids, got_scores = best_of_rows(*row, True)
    np.testing.assert_array_equal(got_scores, np.sort(scores)[::-1])

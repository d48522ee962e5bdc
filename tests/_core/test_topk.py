"""Selection of the best entries of each row."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skxmr._core.topk import best_of_rows

# Few different scores, so that ties are common.
SCORES_AND_MARGINS = st.tuples(st.integers(-3, 3), st.integers(-1, 1))


@given(entries=st.lists(SCORES_AND_MARGINS, max_size=60), k=st.integers(0, 70), data=st.data())
def test_best_of_rows_equals_sorting_for_any_order_of_entries(entries, k, data):
    ids = data.draw(st.permutations(range(len(entries))))
    edges = data.draw(st.lists(st.integers(0, len(entries)), max_size=4).map(sorted))
    indptr = np.array([0, *edges, len(entries)])
    scores, margins = np.array(entries, np.float32).reshape(-1, 2).T.copy()
    args = (indptr, np.array(ids, np.int32), scores, margins, k)
    # The better of two entries has the higher score, then the larger margin, then the lower id.
    entries = [(-score, -margin, id) for (score, margin), id in zip(entries, ids, strict=True)]
    best = [sorted(entries[a:b]) for a, b in itertools.pairwise(indptr)]
    best = [row[:k] if k else row for row in best]
    by_id = [sorted(row, key=lambda entry: entry[2]) for row in best]
    for best_first, expected in ((True, best), (False, by_id)):
        got_indptr, got_ids, got_scores, got_margins = best_of_rows(*args, best_first)
        np.testing.assert_array_equal(np.diff(got_indptr), [len(row) for row in expected])
        got = list(zip(-got_scores, -got_margins, got_ids, strict=True))
        assert got == list(itertools.chain(*expected))


def test_best_of_rows_sorts_long_rows():
    rng = np.random.default_rng(0)
    scores, ids = rng.normal(size=5000).astype(np.float32), rng.permutation(5000).astype(np.int32)
    row = (np.array([0, 5000]), ids, scores, -scores, 0)
    _, got_ids, got_scores, got_margins = best_of_rows(*row, False)
    np.testing.assert_array_equal(got_ids, np.arange(5000))
    np.testing.assert_array_equal(got_scores, scores[np.argsort(ids)])
    np.testing.assert_array_equal(got_margins, -got_scores)
    _, got_ids, got_scores, _ = best_of_rows(*row, True)
    np.testing.assert_array_equal(got_scores, np.sort(scores)[::-1])

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skxmr._core._topk import topk

# Few distinct scores, so that ties are common.
SCORES = st.lists(st.integers(-3, 3).map(float), min_size=0, max_size=60)


@given(scores=SCORES, k=st.integers(1, 70), data=st.data())
def test_topk_equals_sorting_in_any_order_of_arrival(scores, k, data):
    ids = data.draw(st.permutations(range(len(scores))))
    best = sorted(zip(scores, ids, strict=True), key=lambda pair: (-pair[0], pair[1]))[:k]
    args = (np.array(scores, np.float32), np.array(ids, np.int32), k)

    got_ids, got_scores = topk(*args, True)
    assert list(zip(got_scores, got_ids, strict=True)) == best

    got_ids, got_scores = topk(*args, False)
    assert list(zip(got_scores, got_ids, strict=True)) == sorted(best, key=lambda pair: pair[1])


def test_long_lists_are_sorted():
    rng = np.random.default_rng(0)
    scores, ids = rng.normal(size=5000).astype(np.float32), rng.permutation(5000).astype(np.int32)
    got_ids, got_scores = topk(scores, ids, 5000, False)
    np.testing.assert_array_equal(got_ids, np.arange(5000))
    np.testing.assert_array_equal(got_scores, scores[np.argsort(ids)])
    got_ids, got_scores = topk(scores, ids, 5000, True)
    np.testing.assert_array_equal(got_scores, np.sort(scores)[::-1])

"""`NodeScores`: rows of scored nodes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skxmr._core.node_scores import NodeScores

ROWS = st.lists(st.lists(st.integers(0, 9), unique=True, max_size=6), min_size=1, max_size=5)


def make_scores(rows):
    """Return `NodeScores` of lists of ids; scores and margins follow from the ids."""
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    ids = np.concatenate([*map(np.array, rows), []]).astype(np.int32)
    return NodeScores(indptr, ids, ids + np.float32(0.5), ids * np.float32(2))


def read(scores):
    """Return the ids of each row, after a check of the other arrays."""
    np.testing.assert_array_equal(scores.scores, scores.ids + np.float32(0.5))
    np.testing.assert_array_equal(scores.margins, scores.ids * np.float32(2))
    assert all(array.flags.c_contiguous for array in scores)
    return [
        scores.ids[a:b].tolist() for a, b in zip(scores.indptr, scores.indptr[1:], strict=False)
    ]


@given(ROWS, st.data())
def test_take_join_and_without_equal_operations_on_lists(rows, data):
    scores = make_scores(rows)
    assert read(scores) == rows
    numbers = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6))
    assert read(scores.take(np.array(numbers, dtype=int))) == [rows[number] for number in numbers]
    others = data.draw(
        st.lists(
            st.lists(st.integers(0, 9), unique=True, max_size=6),
            min_size=len(rows),
            max_size=len(rows),
        )
    )
    pairs = list(zip(rows, others, strict=True))
    assert read(scores.join(make_scores(others))) == [row + other for row, other in pairs]
    expected = [[node for node in row if node not in other] for row, other in pairs]
    assert read(scores.without(make_scores(others))) == expected

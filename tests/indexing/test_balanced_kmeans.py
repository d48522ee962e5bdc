"""The kernel of balanced 2-means, compared with a naive round in numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skxmr._core.rows import as_rows
from skxmr.indexing._balanced_kmeans import bisect


def split(Z, n_left, spherical=True, max_iter=20, seed=0, rows=None):
    """Bisect the rows of Z; return the left and the right rows."""
    rows = np.arange(Z.shape[0], dtype=np.int32) if rows is None else rows.astype(np.int32)
    matrix = as_rows(Z).to_training_rows()
    scratch = np.zeros(matrix.n_features, dtype=np.float32)
    bisect(*matrix[:4], rows, n_left, spherical, max_iter, seed, scratch)
    assert not scratch.any(), "the work array must be zero again"
    return rows[:n_left], rows[n_left:]


def naive_round(Z, left, spherical):
    """Return the left rows after one round of balanced 2-means, from those of the last round."""
    right = np.setdiff1d(np.arange(len(Z)), left)
    sums = [Z[left].sum(0), Z[right].sum(0)]
    sizes = [np.linalg.norm(total) for total in sums] if spherical else [len(left), len(right)]
    direction = sums[1] / sizes[1] - sums[0] / sizes[0]
    return np.sort(np.argsort(Z @ direction, kind="stable")[: len(left)])


@pytest.fixture
def unit_rows():
    Z = np.abs(np.random.default_rng(0).normal(size=(60, 12))).astype(np.float32)
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


@pytest.mark.parametrize("spherical", [True, False])
@pytest.mark.parametrize("n_left", [20, 30])
def test_bisect_rounds_equal_naive_rounds(unit_rows, spherical, n_left):
    left, _ = split(unit_rows, n_left, spherical, max_iter=1)
    for max_iter in range(2, 6):
        wanted = naive_round(unit_rows.astype(np.float64), left, spherical)
        left, _ = split(unit_rows, n_left, spherical, max_iter)
        np.testing.assert_array_equal(left, wanted)


@pytest.mark.parametrize("spherical", [True, False])
def test_bisect_stops_at_a_fixed_point(unit_rows, spherical):
    left, _ = split(unit_rows, 30, spherical, max_iter=1000)
    wanted = naive_round(unit_rows.astype(np.float64), left, spherical)
    np.testing.assert_array_equal(left, wanted)


def test_bisect_finds_planted_groups():
    rng = np.random.default_rng(0)
    Z = np.zeros((100, 40), dtype=np.float32)
    group = rng.permutation(100) < 50
    Z[group, :20] = rng.random((50, 20))
    Z[~group, 20:] = rng.random((50, 20))
    for seed in range(10):
        left, _ = split(Z, 50, seed=seed)
        assert len(set(group[left])) == 1


@given(data=st.data())
def test_bisect_sides_are_disjoint_complete_and_sorted(data):
    n, d = data.draw(st.integers(2, 30)), data.draw(st.integers(1, 6))
    cells = st.lists(st.integers(0, 3), min_size=n * d, max_size=n * d)
    Z = np.array(data.draw(cells), dtype=np.float32).reshape(n, d)
    rows = np.sort(data.draw(st.permutations(range(n)))[: data.draw(st.integers(2, n))])
    n_left = data.draw(st.integers(1, len(rows) - 1))
    spherical, seed = data.draw(st.booleans()), data.draw(st.integers(0, 5))
    left, right = split(Z, n_left, spherical, seed=seed, rows=rows)
    np.testing.assert_array_equal(np.sort(np.concatenate([left, right])), rows)
    assert np.all(np.diff(left) > 0)
    assert np.all(np.diff(right) > 0)

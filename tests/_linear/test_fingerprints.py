"""Equal training data of a cluster have equal fingerprints; any change gives another one."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skxmr._core.rows import as_rows
from skxmr._linear import hash_clusters, hash_rows

rng = np.random.default_rng(0)
X = rng.integers(1, 9, (6, 5)).astype(np.float32) * (rng.random((6, 5)) < 0.7)
# Two clusters: children 0 and 1 with the rows 0, 2, 3, 5; child 2 with the rows 1, 4.
ROWS = [[0, 2, 3, 5], [1, 4]]
CHILD_INDPTR = np.array([0, 2, 3])
TARGETS = [[0, 3], [2, 3, 5], [4]]


def make_hashes(X, rows=ROWS, targets=TARGETS, row_costs=None, target_costs=None, key=1):
    def join(lists):
        indptr = np.cumsum([0, *map(len, lists)])
        return indptr, np.concatenate(lists).astype(np.int32)

    training_rows = as_rows(sp.csr_array(X)).to_training_rows()
    hashes = hash_rows(*training_rows, row_costs)
    return hash_clusters(hashes, *join(rows), CHILD_INDPTR, *join(targets), target_costs, key)


BEFORE = make_hashes(X)


def test_equal_data_have_equal_fingerprints_in_other_places():
    # Rows in the same order, but with other numbers, and clusters in another order.
    moved = np.vstack([X[1:2], np.zeros((1, 5), np.float32), X[4:5], X[[0, 2, 3, 5]]])
    training_rows = as_rows(sp.csr_array(moved)).to_training_rows()
    hashes = hash_rows(*training_rows, None)
    found = hash_clusters(
        hashes,
        np.array([0, 2, 6]),
        np.array([0, 2, 3, 4, 5, 6], dtype=np.int32),
        np.array([0, 1, 3]),
        np.array([0, 1, 3, 6]),
        np.array([2, 3, 5, 4, 5, 6], dtype=np.int32),
        None,
        1,
    )
    np.testing.assert_array_equal(found, BEFORE[::-1])


@pytest.mark.parametrize("n_dense", [0, 2, 5])
def test_fingerprints_do_not_depend_on_the_part_of_x(n_dense):
    sparse = as_rows(sp.csr_array(X[:, : 5 - n_dense]))
    rows = sparse.to_training_rows()._replace(
        dense=np.ascontiguousarray(X[:, 5 - n_dense :]), n_features=5
    )
    np.testing.assert_array_equal(
        hash_rows(*rows, None), hash_rows(*as_rows(sp.csr_array(X)).to_training_rows(), None)
    )


def test_costs_of_1_are_those_of_no_costs():
    ones = np.ones(6, dtype=np.float32)
    np.testing.assert_array_equal(make_hashes(X, row_costs=ones, target_costs=ones), BEFORE)


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"rows": [[0, 2, 3], [1, 4]]}, [True, False]),
        ({"rows": [[0, 2, 3, 5], [1, 3, 4]]}, [False, True]),
        ({"rows": [[2, 0, 3, 5], [1, 4]]}, [True, False]),
        ({"targets": [[0, 3], [2, 3], [4]]}, [True, False]),
        ({"targets": [[2, 3, 5], [0, 3], [4]]}, [True, False]),
        ({"targets": [[0, 3], [2, 3, 5], [1]]}, [False, True]),
        # A positive row outside of the cluster counts: children are solved in order of frequency.
        ({"targets": [[0, 3], [2, 3, 5], [0, 4]]}, [False, True]),
        ({"target_costs": np.array([1, 1, 1, 2, 1, 1], np.float32)}, [True, False]),
        ({"row_costs": np.array([1, 2, 1, 1, 1, 1], np.float32)}, [False, True]),
        ({"key": 2}, [True, True]),
    ],
)
def test_a_change_gives_another_fingerprint(change, changed):
    np.testing.assert_array_equal(make_hashes(X, **change) != BEFORE, changed)


@given(row=st.integers(0, 5), column=st.integers(0, 4), value=st.sampled_from([0.0, -1.0, 10.0]))
def test_a_changed_value_changes_the_fingerprint_of_its_cluster(row, column, value):
    other = X.copy()
    other[row, column] = value
    expected = [row in rows and other[row, column] != X[row, column] for rows in ROWS]
    np.testing.assert_array_equal(make_hashes(other) != BEFORE, expected)

"""Copies of entries are merged as scipy merges them."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skxmr._core.arrays import merge_copies

columns = st.lists(st.lists(st.integers(0, 4), max_size=9), min_size=1, max_size=6)


def with_copies(rows_of_columns, dtype):
    rows = [sorted(rows) for rows in rows_of_columns]
    indptr = np.cumsum([0, *map(len, rows)])
    values = np.random.default_rng(0).integers(1, 5, indptr[-1]).astype(dtype)
    indices = np.array([row for each in rows for row in each], dtype=np.int32)
    return sp.csc_array((values, indices, indptr), shape=(5, len(rows)))


@given(columns)
def test_values_are_summed(rows_of_columns):
    matrix = with_copies(rows_of_columns, np.float32)
    merged = merge_copies(matrix)
    assert merged.has_canonical_format
    assert_allclose(merged.toarray(), matrix.toarray())


@given(columns)
def test_of_integers_the_pattern_is_kept(rows_of_columns):
    matrix = with_copies(rows_of_columns, np.int8)
    merged = merge_copies(matrix)
    assert merged.has_canonical_format
    assert_array_equal(merged.toarray() != 0, matrix.toarray() != 0)


def test_a_matrix_without_copies_is_returned_itself():
    matrix = with_copies([[0, 2], [], [1]], np.int8)
    assert merge_copies(matrix) is matrix

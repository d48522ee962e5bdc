import numpy as np
import pytest

from skxmr._core.arrays import (
    MIN_PAGE_BYTES,
    concatenate_and_release,
    concatenate_in_pages,
)


@pytest.mark.parametrize("n_rows", [0, 3, MIN_PAGE_BYTES])
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_concatenate_in_pages_equals_concatenate(n_rows, dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 100, (n, 2)).astype(dtype) for n in (n_rows, 0, 5)]
    joined = concatenate_in_pages(arrays)
    expected = np.concatenate(arrays)
    assert joined.dtype == expected.dtype
    np.testing.assert_array_equal(joined, expected)
    assert joined.flags.writeable


def test_concatenate_and_release_widens_the_dtype_and_empties_the_list():
    arrays = [np.array([[1, 2]], dtype=np.uint8), np.array([[300, 4]], dtype=np.uint16)]
    expected = np.concatenate(arrays)
    joined = concatenate_and_release(arrays)
    assert joined.dtype == expected.dtype
    np.testing.assert_array_equal(joined, expected)
    assert arrays == []

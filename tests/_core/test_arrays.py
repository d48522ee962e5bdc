import numpy as np
import pytest

from skxmr._core.arrays import MIN_PAGE_BYTES, concatenate_in_pages


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

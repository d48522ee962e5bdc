import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skxmr._core.packed_arrays import pack_array, unpack_array

DTYPES = ["f2", "f4", "f8", "i1", "i4", "i8", "u1", "u2", "u4", "u8"]


def check(array):
    packed = pack_array(array)
    unpacked = unpack_array(packed)
    assert unpacked.dtype == array.dtype
    assert unpacked.shape == array.shape
    assert unpacked.tobytes() == array.tobytes()
    return packed


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_packing_loses_nothing(data):
    dtype = data.draw(st.sampled_from(DTYPES))
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=70))
    check(data.draw(hnp.arrays(dtype, shape)))


@pytest.mark.parametrize("n_bits", range(64))
def test_packed_size_is_the_number_of_bits(n_bits):
    rng = np.random.default_rng(n_bits)
    array = rng.integers(0, 2**n_bits, 1000, dtype=np.uint64)
    array[:2] = 0, 2**n_bits - 1
    packed = check(array + np.uint64(7 if n_bits < 60 else 0))
    assert packed["n_bits"] == n_bits
    assert packed["words"].nbytes == -(-1000 * n_bits // 64) * 8


def test_weights_of_a_model_are_packed():
    rng = np.random.default_rng(0)
    weights = (rng.uniform(0.1, 3.9, 1000) * rng.choice([-1, 1], 1000)).astype(np.float32)
    assert check(weights)["words"].nbytes <= 27 / 32 * weights.nbytes + 8


def test_arrays_that_cannot_be_packed_are_unchanged():
    for array in (np.arange(256, dtype=np.uint8), np.zeros(0), np.ones((4, 4))[:, :2]):
        assert pack_array(array) is array

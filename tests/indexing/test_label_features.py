import numpy as np
import pytest
import scipy.sparse as sp

from skxmr.indexing import positive_instance_features


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pifa_is_the_weighted_sum_of_positive_rows(dtype):
    rng = np.random.default_rng(0)
    X = sp.random_array((40, 15), density=0.3, format="csr", dtype=dtype, rng=1)
    Y = (rng.random((40, 9)) < 0.2).astype(np.int8)
    Y[:, 4] = 0
    Y[7] = 0
    Z = positive_instance_features(X, sp.csr_array(Y))
    wanted = np.zeros((9, 15))
    for label in range(9):
        for row in np.flatnonzero(Y[:, label]):
            wanted[label] += X.toarray()[row] / np.sqrt(Y[row].sum())
        wanted[label] /= np.linalg.norm(wanted[label]) or 1.0
    assert Z.dtype == dtype
    np.testing.assert_allclose(Z.toarray(), wanted, rtol=1e-5, atol=1e-7)
    assert Z.has_sorted_indices
    assert Z[[4]].nnz == 0

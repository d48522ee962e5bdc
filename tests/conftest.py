"""Fixtures for all tests.

skxmr is imported inside the fixtures. This saves two seconds in the process of pytest-xdist that
only distributes the tests.
"""

import signal

import pytest

# A shell starts commands in the background with SIGINT ignored, and Python keeps that: then the
# tests of interrupts would wait forever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def xmc_data():
    """Return (X, Y): 600 rows, 400 features, 150 labels; some rows and labels are empty in Y."""
    import numpy as np
    import scipy.sparse as sp

    from skxmr.datasets import make_extreme_multilabel

    X, Y = make_extreme_multilabel(
        n_samples=600, n_features=400, n_labels=150, n_features_per_sample=20, random_state=0
    )
    keep = np.ones(Y.shape)
    keep[:10] = 0
    keep[:, [3, 77]] = 0
    Y = sp.csr_matrix(Y.multiply(keep))
    Y.eliminate_zeros()
    return sp.csr_matrix(X), Y


@pytest.fixture(params=["baseline", "avx2", "avx512"])
def simd(request):
    """Run a test with each instruction set that this machine supports."""
    from skxmr._linear.simd.lanes import simd_in_use, use_simd

    before = simd_in_use()
    try:
        use_simd(request.param)
    except ValueError:
        pytest.skip(f"this machine does not support {request.param}")
    yield request.param
    use_simd(before)

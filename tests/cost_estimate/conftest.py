import numpy as np
import pytest
import scipy.sparse as sp

from skxmr.datasets import make_extreme_multilabel


@pytest.fixture(scope="package")
def data():
    X, Y = make_extreme_multilabel(4000, 5000, 2000, random_state=0)
    return sp.csr_matrix(X, dtype=np.float32), sp.csr_matrix(Y)

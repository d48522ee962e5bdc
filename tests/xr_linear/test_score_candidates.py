"""`score_candidates`: formats of candidates, and special trees."""

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.scores import make_candidates
from skxmr import XRLinearClassifier


@pytest.fixture(scope="module")
def fitted(xmc_data):
    return XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)


def test_score_candidates_accepts_every_format(fitted, xmc_data, monkeypatch):
    X = xmc_data[0]
    candidates = make_candidates(np.random.default_rng(1), 600)
    expected = fitted.score_candidates(X, candidates)
    for container in (sp.csr_matrix, sp.csc_array, sp.coo_matrix, sp.lil_array):
        assert (fitted.score_candidates(X, container(candidates)) != expected).nnz == 0
    assert (fitted.score_candidates(X, candidates.toarray()) != expected).nnz == 0
    assert (fitted.score_candidates(X, candidates.toarray() > 0) != expected).nnz == 0
    zeros = candidates.copy()
    zeros.data[:] = 0
    assert (fitted.score_candidates(X, zeros) != expected).nnz == 0
    double = sp.coo_array(candidates)
    coords = [np.concatenate([part, part[::-1]]) for part in double.coords]
    double = sp.coo_array((np.ones(len(coords[0])), coords), shape=candidates.shape)
    assert (fitted.score_candidates(X, double) != expected).nnz == 0
    monkeypatch.setattr("skxmr._core.threads.BLOCK_ROWS", 37)
    fitted.set_params(n_jobs=2)
    assert (fitted.score_candidates(X, candidates) != expected).nnz == 0
    fitted.set_params(n_jobs=None)
    nothing = fitted.score_candidates(X, sp.csr_array(candidates.shape))
    assert nothing.shape == (600, 150)
    assert nothing.nnz == 0
    np.testing.assert_array_equal(
        fitted.score_candidates(X[[4]], candidates[[4]]).toarray(), expected[[4]].toarray()
    )


def test_score_candidates_works_for_one_leaf_and_for_classes(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(max_leaf_size=1000, random_state=0).fit(X, Y)
    candidates = make_candidates(np.random.default_rng(2), 600)
    S = model.score_candidates(X, candidates)
    full = model.predict_proba(X).toarray()
    np.testing.assert_array_equal(S.toarray(), np.where(S.toarray() > 0, full, 0))
    classes = XRLinearClassifier(random_state=0).fit(X, np.arange(600) % 3)
    S = classes.score_candidates(X, np.ones((600, 3))).toarray()
    np.testing.assert_allclose(
        S / S.sum(axis=1, keepdims=True), classes.predict_proba(X), rtol=1e-5
    )

"""`propensity_weight`: offsets that raise rare labels."""

import numpy as np
import pytest

from helpers.reference import all_scores, beam_search
from helpers.scores import assert_same_ranking, get_score_functions, make_candidates, reset_scores
from skxmr import XRLinearClassifier
from skxmr.metrics import label_propensities

ROWS = 12


@pytest.fixture(scope="module")
def fitted(xmc_data):
    return XRLinearClassifier(4, 10, random_state=0).fit(*xmc_data)


@pytest.mark.parametrize("transform", ["l3-hinge", "sigmoid", ("l3-hinge", "identity")])
def test_propensity_weight_is_applied_before_the_top_k_selection(fitted, xmc_data, transform):
    X, Y = xmc_data
    fitted.set_params(score_transform=transform)
    propensities = label_propensities(Y)
    seen = Y.getnnz(axis=0) > 0
    shown, proba = get_score_functions(fitted)
    chosen = []
    for weight in (0.0, 0.5, 2.0):
        offsets = weight * np.log(propensities[seen].min() / propensities)
        offsets[~seen] = offsets[seen].min()
        fitted.set_params(propensity_weight=weight, beam_width=5)
        labels, scores = fitted.predict_topk(X[:ROWS], k=4)
        for row, x in enumerate(X[:ROWS].toarray()):
            expected = beam_search(fitted, x, 5, keep=4, offsets=offsets)
            assert_same_ranking(labels[row], scores[row], expected, shown)
        P = fitted.predict_proba(X)
        assert np.all((P.data > 0) & (P.data <= 1))
        one = fitted.predict_topk(X[[2]], k=4)
        np.testing.assert_array_equal(one[1], scores[[2]])
        candidates = make_candidates(np.random.default_rng(3), 600)
        S = fitted.score_candidates(X, candidates)[:3].toarray()
        for row, x in enumerate(X[:3].toarray()):
            naive = all_scores(fitted, x, offsets)
            here = np.flatnonzero(S[row])
            values = proba(np.array([naive[label] for label in here]))
            np.testing.assert_allclose(S[row, here], values, rtol=1e-4, atol=1e-6)
        chosen.append(propensities[fitted.predict_topk(X, k=1)[0]].mean())
    reset_scores(fitted)
    assert chosen[0] > chosen[1] > chosen[2]


def test_propensity_weight_keeps_the_score_of_the_rarest_label(fitted, xmc_data):
    X, Y = xmc_data
    counts = Y.getnnz(axis=0)
    before = fitted.predict_proba(X).toarray()
    after = fitted.set_params(propensity_weight=1.0).predict_proba(X).toarray()
    reset_scores(fitted)
    rarest = counts == counts[counts > 0].min()
    np.testing.assert_array_equal(after[:, rarest], before[:, rarest])
    assert np.all(after <= before)
    frequent = counts == counts.max()
    assert np.all(after[:, frequent] <= before[:, frequent])
    assert np.any(after[:, frequent] < before[:, frequent])

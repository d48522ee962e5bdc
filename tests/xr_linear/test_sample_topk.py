"""`sample_topk`: the last label is drawn with a known probability."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB

from skxmr import XRLinearClassifier
from skxmr.datasets import make_extreme_multilabel
from skxmr.pipeline import make_pipeline

N_LABELS = 60
X, Y = make_extreme_multilabel(n_samples=400, n_features=300, n_labels=N_LABELS, random_state=0)
MODEL = XRLinearClassifier(4, 5, random_state=0).fit(X, Y)
N_DRAWS = 20_000


def find_chances(scores, k, gamma):
    """Return the chance of each candidate of a row to be shown; `scores` are sorted."""
    rest = [float(score) for score in scores[k - 1 :]]
    chances = [1 / (len(rest) + gamma * (rest[0] - score)) for score in rest]
    return [1.0] * (k - 1) + [1 - sum(chances[1:])] + chances[1:]


def assert_propensities_are_exact(model, rows, k, n_candidates, gamma, **options):
    shown, propensities = model.sample_topk(
        rows, k, n_candidates=n_candidates, gamma=gamma, random_state=1, **options
    )
    labels, _ = model.predict_topk(rows, k=n_candidates, **options)
    P = sp.csr_array(model.predict_proba(rows, **options))
    assert shown.shape == propensities.shape == (rows.shape[0], min(k, N_LABELS))
    assert (shown.dtype, propensities.dtype) == (np.int32, np.float64)
    for row, best in enumerate(labels):
        best = best[best >= 0].tolist()
        found = shown[row][shown[row] >= 0].tolist()
        assert len(found) == min(shown.shape[1], len(best))
        np.testing.assert_array_equal(propensities[row, len(found) :], 0)
        assert found[: k - 1] == best[: k - 1]
        scores = P[[row]].toarray()[0, best]
        chances = dict(zip(best, find_chances(scores, min(k, len(best)), gamma), strict=True))
        expected = [chances[label] for label in found]
        if len(best) < k:
            expected = [1.0] * len(best)
        np.testing.assert_allclose(propensities[row, : len(found)], expected, rtol=1e-9)


@given(
    st.integers(1, 70),
    st.integers(0, 70),
    st.floats(0, 1e4),
    st.sampled_from(["l3-hinge", "log-l3-hinge", "identity"]),
    st.sampled_from([1, 3, None]),
)
def test_propensities_follow_from_the_scores(k, n_more, gamma, transform, beam_width):
    model = MODEL.set_params(score_transform=transform, beam_width=beam_width)
    assert_propensities_are_exact(model, X[:5], k, k + n_more, gamma)
    assert_propensities_are_exact(model, X[5:6], k, k + n_more, gamma)


@pytest.mark.parametrize(("k", "gamma"), [(1, 5.0), (3, 50.0), (3, 0.0)])
def test_labels_are_drawn_as_often_as_their_propensities_say(k, gamma):
    model = MODEL.set_params(score_transform="l3-hinge", beam_width=10)
    rows = X[np.full(N_DRAWS, 7)]
    shown, propensities = model.sample_topk(rows, k, n_candidates=12, gamma=gamma, random_state=0)
    drawn, first, counts = np.unique(shown[:, -1], return_index=True, return_counts=True)
    chances = propensities[first, -1]
    assert len(drawn) == 13 - k
    assert chances.sum() == pytest.approx(1)
    np.testing.assert_array_equal(
        propensities[:, -1], chances[np.searchsorted(drawn, shown[:, -1])]
    )
    expected = N_DRAWS * chances
    assert np.sum((counts - expected) ** 2 / expected) < chi2.ppf(1 - 1e-4, len(drawn) - 1)
    # Feedback divided by its propensity is an unbiased estimate for every candidate.
    estimates = counts / chances / N_DRAWS
    deviations = np.sqrt((1 - chances) / chances / N_DRAWS)
    assert np.all(np.abs(estimates - 1) < 5 * deviations)


def test_draw_depends_on_the_seed_and_the_row_only(monkeypatch):
    model = MODEL.set_params(score_transform="l3-hinge", beam_width=10)
    options = {"k": 2, "gamma": 1.0}
    expected = model.sample_topk(X, random_state=3, **options)
    monkeypatch.setattr("skxmr._core.threads.BLOCK_ROWS", 7)
    for n_jobs, n_rows in ((1, 400), (2, 400), (None, 30), (None, 1)):
        found = model.set_params(n_jobs=n_jobs).sample_topk(X[:n_rows], random_state=3, **options)
        for got, wanted in zip(found, expected, strict=True):
            np.testing.assert_array_equal(got, wanted[:n_rows])
    model.set_params(n_jobs=None)
    # Other rows in front of it do not change the draw of a row.
    others = sp.vstack([X[200:203], X[3:]], format="csr")
    np.testing.assert_array_equal(
        model.sample_topk(others, random_state=3, **options)[0][3:], expected[0][3:]
    )
    rng = np.random.RandomState(3)
    one_by_one = [model.sample_topk(X[[row]], random_state=rng, **options)[0] for row in range(30)]
    np.testing.assert_array_equal(np.concatenate(one_by_one), expected[0][:30])
    assert np.any(model.sample_topk(X, random_state=4, **options)[0] != expected[0])


def test_large_gamma_shows_the_best_labels():
    model = MODEL.set_params(score_transform="l3-hinge", beam_width=10)
    labels, scores = model.predict_topk(X, k=4)
    shown, propensities = model.sample_topk(X, 3, gamma=1e12, random_state=0)
    is_clear = scores[:, 2] - scores[:, 3] > 1e-3
    assert is_clear.sum() > 100
    np.testing.assert_array_equal(shown[is_clear], labels[is_clear, :3])
    np.testing.assert_allclose(propensities[is_clear], 1, rtol=1e-6)


@pytest.mark.parametrize("n_allowed", [1, 2, 3, 5, 30])
def test_only_selected_labels_are_shown(n_allowed):
    model = MODEL.set_params(score_transform="l3-hinge", beam_width=10)
    allowed = np.random.default_rng(n_allowed).permutation(N_LABELS)[:n_allowed]
    assert_propensities_are_exact(model, X[:20], 3, 6, 10.0, labels=allowed)
    shown, _ = model.sample_topk(X[:20], 3, gamma=0.0, labels=allowed, random_state=0)
    assert np.all(np.isin(shown, [-1, *allowed]))
    assert_propensities_are_exact(model, X[:20], 3, 6, 10.0, exclude=Y[:20])


def test_every_kind_of_model_can_explore():
    ensemble = XRLinearClassifier(4, 5, n_trees=2, random_state=0).fit(X, Y)
    assert_propensities_are_exact(ensemble, X[:10], 2, 6, 10.0)
    custom = XRLinearClassifier(
        4, 5, matcher=OneVsRestClassifier(BernoulliNB()), random_state=0
    ).fit(X, Y)
    assert_propensities_are_exact(custom, X[:10], 2, 6, 10.0)
    classes = XRLinearClassifier(random_state=0).fit(X, np.arange(400) % 3)
    shown, propensities = classes.sample_topk(X[:50], k=9, n_candidates=9)
    np.testing.assert_array_equal(np.sort(shown, axis=1), np.tile([0, 1, 2], (50, 1)))
    np.testing.assert_array_equal(propensities, 1)
    pipeline = make_pipeline("passthrough", MODEL.set_params(score_transform="l3-hinge"))
    for got, expected in zip(
        pipeline.sample_topk(X[:9], 2, random_state=0, gamma=3.0),
        MODEL.sample_topk(X[:9], 2, random_state=0, gamma=3.0),
        strict=True,
    ):
        np.testing.assert_array_equal(got, expected)
    assert not hasattr(make_pipeline(BernoulliNB()), "sample_topk")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, r"k must be an integer >= 1; got 0"),
        ({"k": True}, r"k must be an integer >= 1; got True"),
        ({"k": 11}, r"n_candidates must be an integer >= k=11; got 10"),
        ({"n_candidates": 9.0}, r"n_candidates must be an integer >= k=5; got 9.0"),
        ({"gamma": -1}, r"gamma must be a finite number >= 0; got -1"),
        ({"gamma": np.nan}, r"gamma must be a finite number >= 0; got nan"),
        ({"gamma": np.inf}, r"gamma must be a finite number >= 0; got inf"),
        ({"gamma": "1"}, r"gamma must be a finite number >= 0; got '1'"),
        ({"random_state": "seed"}, r"'seed' cannot be used to seed"),
        ({"labels": [99]}, r"99"),
    ],
)
def test_invalid_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        MODEL.sample_topk(X[:2], **options)

"""`suggest`: names and scores of the best labels; `format` of `predict_topk`."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import BernoulliNB

from skxmr import XRLinearClassifier
from skxmr.calibration import (
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
)
from skxmr.datasets import make_extreme_multilabel
from skxmr.pipeline import make_pipeline

X, Y = make_extreme_multilabel(n_samples=400, n_features=300, n_labels=60, random_state=0)
MODEL = XRLinearClassifier(4, 5, beam_width=2, random_state=0).fit(X, Y)


def assert_suggestions_match(suggestions, model, rows, k, threshold=-np.inf):
    labels, scores = model.predict_topk(rows, k=k)
    assert len(suggestions) == len(labels)
    for pairs, row_labels, row_scores in zip(suggestions, labels, scores, strict=True):
        expected = [
            (model.classes_[label], score)
            for label, score in zip(row_labels, row_scores, strict=True)
            if label >= 0 and score >= threshold
        ]
        assert pairs == expected


@given(
    st.integers(1, 80),
    st.none() | st.floats(-5, 1),
    st.sampled_from(["l3-hinge", "log-l3-hinge", "identity"]),
    st.integers(1, 5),
)
def test_suggestions_are_those_of_predict_topk(k, threshold, transform, n_rows):
    model = MODEL.set_params(score_transform=transform)
    suggestions = model.suggest(X[:n_rows], k, threshold=threshold)
    assert_suggestions_match(
        suggestions, model, X[:n_rows], k, -np.inf if threshold is None else threshold
    )


def test_names_are_classes_as_python_values():
    topics = np.array(["fruit", "vehicle", "tool"])[np.arange(400) % 3]
    model = XRLinearClassifier(random_state=0).fit(X, topics)
    pairs = model.suggest(X[:3], k=2)
    assert_suggestions_match(pairs, model, X[:3], 2)
    assert [len(row) for row in pairs] == [2, 2, 2]
    name, score = pairs[0][0]
    assert type(name) is str
    assert type(score) is float
    assert type(MODEL.suggest(X[:1])[0][0][0]) is int
    assert model.suggest(X[:1], threshold=2.0) == [[]]


def test_wrappers_suggest_their_own_scores():
    pipeline = make_pipeline("passthrough", MODEL.set_params(score_transform="l3-hinge"))
    assert pipeline.suggest(X[:5], k=3) == MODEL.suggest(X[:5], k=3)
    for wrapper in (CalibratedMultilabelClassifierCV, TunedThresholdMultilabelClassifierCV):
        model = wrapper(MODEL, cv=2).fit(X, Y)
        assert_suggestions_match(model.suggest(X[:5], k=3), model, X[:5], 3)
    assert not hasattr(CalibratedMultilabelClassifierCV(BernoulliNB()), "suggest")


@pytest.mark.parametrize("transform", ["l3-hinge", "log-l3-hinge", "identity"])
@pytest.mark.parametrize("rows", [slice(0, 30), slice(3, 4)])
def test_csr_format_has_the_entries_of_the_arrays(transform, rows):
    model = MODEL.set_params(score_transform=transform)
    labels, scores = model.predict_topk(X[rows], k=9)
    R = model.predict_topk(X[rows], k=9, format="csr")
    assert sp.issparse(R)
    assert R.format == "csr"
    assert R.shape == (labels.shape[0], 60)
    assert R.dtype == np.float32
    assert R.has_canonical_format
    is_label = labels >= 0
    np.testing.assert_array_equal(np.diff(R.indptr), is_label.sum(axis=1))
    for row in range(labels.shape[0]):
        got = dict(zip(R[[row]].indices.tolist(), R[[row]].data.tolist(), strict=True))
        kept = is_label[row]
        expected = zip(labels[row, kept].tolist(), scores[row, kept].tolist(), strict=True)
        assert got == dict(expected)


def test_invalid_arguments_are_named():
    with pytest.raises(ValueError, match="format must be 'arrays' or 'csr'; got 'dense'"):
        MODEL.predict_topk(X, format="dense")
    for threshold in ("0.5", np.nan, True):
        with pytest.raises(ValueError, match="threshold must be a number or None"):
            MODEL.suggest(X, threshold=threshold)
    with pytest.raises(ValueError, match="k must be an integer >= 1; got 0"):
        MODEL.suggest(X, k=0)
    with pytest.raises(NotFittedError):
        XRLinearClassifier().suggest(X)

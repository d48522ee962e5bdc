"""Presets of parameters."""

import pytest

from skxmr import XRLinearClassifier, preset
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import precision_at_k


@pytest.fixture(scope="module")
def data():
    return make_extreme_multilabel(
        n_samples=1500, n_features=800, n_labels=300, n_labels_per_sample=4, random_state=0
    )


def test_presets_fit_and_share_no_objects(data):
    X, Y = data
    for name in ("fast", "balanced", "best"):
        model = XRLinearClassifier(**preset(name), random_state=0).fit(X, Y)
        assert precision_at_k(Y, model.predict_topk(X, k=1), k=1) > 0.8
    model.label_tree[0].set_params(max_iter=77)
    assert preset("best")["label_tree"][0].max_iter != 77
    assert preset("balanced")["label_tree"][0].max_iter != 77
    with pytest.raises(ValueError, match="name must be one of fast, balanced, best; got 'slow'"):
        preset("slow")

"""Memory of a fit and of predictions."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from skxmr import XRLinearClassifier
from skxmr.datasets import make_extreme_multilabel


def test_fit_and_predict_never_allocate_rows_times_labels():
    n_samples, n_labels = 4_000, 80_000
    X, Y = make_extreme_multilabel(
        n_samples=n_samples,
        n_features=3000,
        n_labels=n_labels,
        n_features_per_sample=10,
        n_labels_per_sample=4,
        random_state=0,
    )
    model = XRLinearClassifier(random_state=0, tol=10.0)
    dense_bytes = n_samples * n_labels  # one byte per cell
    tracemalloc.start()
    try:
        model.fit(X, Y)
        fit_peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        labels, _ = model.predict_topk(X)
        topk_peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        predicted = model.predict(X)
        predict_peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        P = model.set_params(beam_width=2).predict_proba(X)
        proba_peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert labels.shape == (n_samples, 10)
    assert predicted.shape == P.shape == (n_samples, n_labels)
    assert max(fit_peak, topk_peak, predict_peak, proba_peak) < dense_bytes / 2


@pytest.mark.parametrize("method", ["predict_proba", "decision_function", "predict"])
@pytest.mark.parametrize("kind", ["dense", "classes"])
def test_dense_results_need_at_most_twice_their_memory(kind, method):
    n_samples, n_labels = 3000, 2000
    rng = np.random.default_rng(0)
    X = sp.random(n_samples, 100, 0.05, format="csr", dtype=np.float32, random_state=0)
    labels = np.arange(n_samples) % n_labels
    y = (
        labels
        if kind == "classes"
        else sp.csr_array((np.ones(n_samples, dtype=np.int32), (np.arange(n_samples), labels)))
    )
    model = XRLinearClassifier(tol=0.5, max_leaf_size=20, random_state=0)
    model.fit(X, y)
    if kind == "dense":
        model.set_params(sparse_output=False)
    rows = X[rng.permutation(n_samples)]
    tracemalloc.start()
    result = getattr(model, method)(rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= 2 * max(result.nbytes, 2**24)

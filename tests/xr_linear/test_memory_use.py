"""Memory of a fit and of predictions."""

import tracemalloc

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

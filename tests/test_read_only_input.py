"""Public functions never write to the arrays of the caller."""

import io

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr.calibration import (
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
)
from skxmr.datasets import dump_xmc_file
from skxmr.indexing import label_spectrum, positive_instance_features, positive_instance_indices
from skxmr.inspection import explain
from skxmr.matching import NearestCentroidMatcher, NearestNeighborsMatcher
from skxmr.metrics import label_propensities, precision_at_k, psndcg_at_k
from skxmr.model_selection import IterativeStratification, cross_val_predict
from skxmr.zero_shot import LabelTextClassifier

FORMATS = ["csr", "csc", "coo"]


def make_read_only(M, format):
    """Return a matrix in a format, with read-only arrays and, if possible, unsorted indices."""
    M = sp.csr_array(M).asformat(format, copy=True)
    if format != "coo":
        for start, stop in zip(M.indptr[:-1], M.indptr[1:], strict=True):
            M.indices[start:stop] = M.indices[start:stop][::-1].copy()
            M.data[start:stop] = M.data[start:stop][::-1].copy()
        M.has_sorted_indices = False
    for array in arrays_of(M):
        array.flags.writeable = False
    return M


def arrays_of(M):
    if isinstance(M, np.ndarray):
        return [M]
    if M.format == "coo":
        return [M.data, *M.coords]
    return [M.data, M.indices, M.indptr]


@pytest.fixture(scope="module")
def data(xmc_data):
    X, Y = xmc_data
    return X[:200], Y[:200]


def fit_with_all_arguments(X, Y):
    model = XRLinearClassifier(4, 10, negatives=Y, random_state=0)
    weights = np.ones(X.shape[0])
    weights.flags.writeable = False
    return model.fit(X, Y, sample_weight=weights, relevance=Y)


def predict_with_all_methods(X, Y):
    model = XRLinearClassifier(4, 10, random_state=0).fit(X, Y)
    scores = model.predict_proba(X)
    for method in (model.predict, model.predict_topk, model.decision_function):
        method(X)
    model.score_candidates(X, Y)
    explain(model, X.tocsr()[[0]], 1)
    return scores


def compute_metrics(X, Y):
    scores = XRLinearClassifier(4, 10, random_state=0).fit(X, Y).predict_proba(X)
    psndcg_at_k(Y, scores, k=3, propensities=label_propensities(Y))
    return precision_at_k(Y, make_read_only(scores, "csr"), k=3)


CALLS = {
    "fit": fit_with_all_arguments,
    "predict": predict_with_all_methods,
    "pifa": lambda X, Y: positive_instance_features(X, Y),
    "pii": lambda X, Y: positive_instance_indices(Y),
    "spectrum": lambda X, Y: label_spectrum(Y, 4, random_state=0),
    "spectral classifier": lambda X, Y: XRLinearClassifier(label_features="spectral").fit(X, Y),
    "label features": lambda X, Y: XRLinearClassifier(label_features=Y.T).fit(X, Y),
    "tree": lambda X, Y: HierarchicalLabelTree(3, 5).fit(X).transform(X),
    "memberships": lambda X, Y: LabelHierarchy.from_memberships(
        make_read_only(sp.csr_array(np.eye(4)[np.arange(20) % 4]), Y.format)
    ),
    "neighbors": lambda X, Y: NearestNeighborsMatcher().fit(X, Y).predict_proba(X),
    "centroids": lambda X, Y: NearestCentroidMatcher().fit(X, Y).predict_proba(X),
    "metrics": compute_metrics,
    "calibration": lambda X, Y: CalibratedMultilabelClassifierCV(
        XRLinearClassifier(random_state=0), cv=2
    ).fit(X, Y),
    "thresholds": lambda X, Y: TunedThresholdMultilabelClassifierCV(
        XRLinearClassifier(random_state=0), cv=2
    ).fit(X, Y),
    "label texts": lambda X, Y: (
        LabelTextClassifier(
            XRLinearClassifier(random_state=0), make_read_only(X.tocsr()[: Y.shape[1]], "csr")
        )
        .fit(X, Y)
        .predict_topk(X)
    ),
    "stratification": lambda X, Y: list(IterativeStratification(2).split(X, Y)),
    "cross_val_predict": lambda X, Y: cross_val_predict(
        XRLinearClassifier(random_state=0), X.tocsr(), Y.tocsr(), cv=2
    ),
    "file": lambda X, Y: dump_xmc_file(X, Y, io.BytesIO()),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", CALLS)
def test_public_function_does_not_write_to_its_arguments(name, format, data):
    X, Y = (make_read_only(M, format) for M in data)
    before = [array.copy() for M in (X, Y) for array in arrays_of(M)]
    CALLS[name](X, Y)
    after = [array for M in (X, Y) for array in arrays_of(M)]
    for array, copy in zip(after, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_custom_stages_get_read_only_rows(data):
    X, Y = (make_read_only(M, "csr") for M in data)
    ranker = OneVsRestClassifier(LogisticRegression())
    model = XRLinearClassifier(4, 40, matcher=ranker, random_state=0).fit(X, Y)
    assert model.predict_topk(X, k=1)[0].shape == (200, 1)


@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_arguments_are_not_written_to(order, data):
    X, Y = (np.asarray(M.toarray(), order=order) for M in data)
    for M in (X, Y):
        M.flags.writeable = False
    model = XRLinearClassifier(4, 10, random_state=0).fit(X, Y)
    assert model.predict_topk(X, k=2)[0].shape == (200, 2)

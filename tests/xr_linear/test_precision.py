"""Precision compared with one-vs-rest classifiers."""

import numpy as np
from sklearn.datasets import load_digits, make_multilabel_classification
from sklearn.metrics import f1_score, label_ranking_average_precision_score, precision_score
from sklearn.model_selection import cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from skxmr import XRLinearClassifier
from skxmr.metrics import precision_at_k


def test_classes_are_as_accurate_as_one_vs_rest():
    X, y = load_digits(return_X_y=True)
    names = np.array([f"digit {i}" for i in range(10)])
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    model = XRLinearClassifier(random_state=0, weight_threshold=0.0)
    ours = cross_val_score(model, X, names[y], cv=3, scoring="accuracy").mean()
    theirs = cross_val_score(OneVsRestClassifier(LinearSVC()), X, names[y], cv=3).mean()
    assert ours > theirs - 0.02
    model.fit(X, names[y])
    assert list(model.classes_) == sorted(names)
    proba = model.predict_proba(X)
    assert proba.shape == (len(X), 10)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], model.predict(X))
    np.testing.assert_allclose(np.exp(model.decision_function(X)), proba, rtol=1e-3, atol=1e-6)
    labels, _ = model.predict_topk(X, k=1)
    np.testing.assert_array_equal(model.classes_[labels[:, 0]], model.predict(X))


def test_multilabel_is_as_precise_as_one_vs_rest():
    X, Y = make_multilabel_classification(
        800, 50, n_classes=12, n_labels=3, allow_unlabeled=True, random_state=0
    )
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    ours = XRLinearClassifier(random_state=0).fit(X[:600], Y[:600])
    theirs = OneVsRestClassifier(LinearSVC()).fit(X[:600], Y[:600])
    # The threshold 0.5 is a margin of 0.115, not of 0: recall is lower, precision is higher.
    f1 = [f1_score(Y[600:], m.predict(X[600:]), average="micro") for m in (ours, theirs)]
    precision = [
        precision_score(Y[600:], m.predict(X[600:]), average="micro") for m in (ours, theirs)
    ]
    assert f1[0] > f1[1] - 0.1
    assert precision[0] > precision[1]
    lrap = [
        label_ranking_average_precision_score(Y[600:], m.decision_function(X[600:]))
        for m in (ours, theirs)
    ]
    assert lrap[0] > lrap[1] - 0.01
    assert 0 < ours.score(X[600:], Y[600:]) < 1


def test_label_tree_is_close_to_a_flat_tree(xmc_data):
    X, Y = xmc_data
    tree = XRLinearClassifier(4, 10, random_state=0).fit(X[:450], Y[:450])
    flat = XRLinearClassifier(max_leaf_size=1000, random_state=0).fit(X[:450], Y[:450])
    p = [precision_at_k(Y[450:], m.predict_topk(X[450:], k=1), k=1) for m in (tree, flat)]
    assert p[0] > p[1] - 0.1
    assert p[0] > 5 * Y.nnz / np.prod(Y.shape)

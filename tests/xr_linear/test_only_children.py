"""Clusters with a single child: the child has the score of the cluster."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from helpers import quick
from skxmr import LabelHierarchy, XRLinearClassifier
from skxmr.inspection import explain

TRANSFORMS = ["l3-hinge", "sigmoid", "identity", "log-l1-hinge"]
# Two clusters of 75 labels.
PLAIN = LabelHierarchy([[0, 2], [0, 75, 150]], np.arange(150))
# The same clusters below a chain of two, and above another one.
CHAINED = LabelHierarchy([[0, 1], [0, 1], [0, 2], [0, 1, 2], [0, 75, 150]], np.arange(150))
# The same labels below a chain, and each label of the first cluster below a cluster of its own.
UNEVEN = LabelHierarchy(
    [[0, 1], [0, 2], [0, 75, 76], np.append(np.arange(76), 150)], np.arange(150)
)


def fit(tree, xmc_data, **params):
    """Fit rows with labels to high precision, with costs that do not depend on the tree."""
    X, Y = xmc_data
    rows = np.flatnonzero(Y.sum(axis=1))
    return XRLinearClassifier(
        label_tree=tree,
        relevance_norm=None,
        tol=1e-5,
        max_iter=10000,
        beam_width=None,
        random_state=0,
        **params,
    ).fit(X[rows], Y[rows])


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(
    "params",
    quick.first(
        2,
        [
            {},
            {"loss": "log_loss", "propensity_weight": 0.5},
            {"negatives": "tfn+man"},
            {"ranker": LogisticRegression(tol=1e-6)},
            {"ranker": LinearSVC(dual=True, tol=1e-6, max_iter=10000, random_state=0)},
        ],
    ),
    ids=str,
)
def test_scores_do_not_depend_on_only_children(xmc_data, params, transform):
    X = xmc_data[0][:50]
    plain, chained = (
        fit(tree, xmc_data, **params).set_params(score_transform=transform).predict_topk(X, k=150)
        for tree in (PLAIN, CHAINED)
    )
    scores = np.empty((2, 50, 150))
    for at, (labels, values) in enumerate((plain, chained)):
        np.put_along_axis(scores[at], labels.astype(np.int64), values, axis=1)
    # Matcher-aware negatives differ in a row where two clusters have nearly the same score.
    atol = 0.03 if "negatives" in params else 0.005
    np.testing.assert_allclose(scores[1], scores[0], rtol=0.02, atol=atol)


def test_only_children_are_not_trained(xmc_data):
    model = fit(UNEVEN, xmc_data)
    chain, _, clusters, labels = model._model.levels
    assert len(chain.arrays["entry_weights"]) == 0
    assert len(clusters.arrays["entry_weights"]) > 0
    children = labels.arrays["entry_counts"]
    assert children.max() <= 75
    # The labels of the first cluster are the clusters of the level above.
    assert np.all(labels.tables["feature_indptr"][:76] == 0)
    for score in (model.predict_proba(xmc_data[0]), model.score_candidates(*xmc_data)):
        assert np.all((score.data > 0) & (score.data <= 1))


def test_the_only_label_is_trained_against_rows_without_labels(xmc_data):
    X, Y = xmc_data
    y = sp.csr_matrix(Y[:, :15].sum(axis=1) > 0)
    has_label = y.toarray().ravel()
    assert 0.1 < has_label.mean() < 0.9
    for tree in (LabelHierarchy([[0, 1]], [0]), LabelHierarchy([[0, 1], [0, 1]], [0])):
        model = XRLinearClassifier(label_tree=tree, C=100.0, max_iter=10000, random_state=0).fit(
            X, y
        )
        scores = model.predict_proba(X).toarray().ravel()
        assert scores[has_label].min() > scores[~has_label].max()


def test_explain_shows_that_the_score_is_that_of_the_cluster(xmc_data):
    X = xmc_data[0][:1]
    for transform in TRANSFORMS:
        model = fit(UNEVEN, xmc_data).set_params(score_transform=transform)
        explanation = explain(model, X, 3)
        sources = [step.source for step in explanation.path]
        assert sources == ["parent", "linear", "linear", "parent"]
        neutral = 1.0 if transform in ("l3-hinge", "sigmoid") else 0.0
        assert explanation.path[3].own_score == neutral
        assert explanation.path[3].joint_score == explanation.path[2].joint_score
        assert explanation.path[3].margin is None
        assert "an only child has the score of its cluster" in str(explanation)

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from helpers import reference
from skxmr import XRLinearClassifier
from skxmr.inspection import describe_tree


@pytest.fixture(scope="module")
def model(xmc_data):
    return XRLinearClassifier(3, 5, random_state=0).fit(*xmc_data)


def labels_below(hierarchy, level, node):
    """Return the labels below a node, computed from the parents of all nodes."""
    above = np.arange(hierarchy.n_labels)
    parents = hierarchy.to_parents()
    for parent in parents[: level - 1 : -1]:
        above = parent[above]
    return set(np.flatnonzero(above == node).tolist())


def test_describe_tree_shows_largest_weights_and_frequent_labels(model, xmc_data):
    _, Y = xmc_data
    counts = np.asarray(Y.sum(axis=0)).ravel()
    hierarchy = model.hierarchy_
    records = describe_tree(model, max_depth=None, n_features=4, n_labels=3).to_records()
    assert len(records) == sum(hierarchy.level_sizes[:-1])
    for each in records:
        W, _ = reference.dense_weights(model._model.levels[each["level"] - 1])
        cluster_weights = W[:, each["node"]]
        largest = sorted(cluster_weights[cluster_weights > 0], reverse=True)[:4]
        assert each["weights"] == tuple(largest)
        assert [cluster_weights[int(name[1:])] for name in each["features"]] == largest
        below = labels_below(hierarchy, each["level"], each["node"])
        assert each["n_labels"] == len(below)
        shown = [int(name) for name in each["labels"]]
        assert set(shown) <= below
        assert counts[shown].tolist() == sorted(counts[list(below)], reverse=True)[:3]
        if each["level"] > 1:
            assert hierarchy.to_parents()[each["level"] - 1][each["node"]] == each["parent"]


def test_describe_tree_limits_depth_and_children(model):
    sizes = model.hierarchy_.level_sizes
    assert len(describe_tree(model, max_depth=1).to_records()) == sizes[0]
    assert sizes == (2, 6, 18, 54, 150)
    two = describe_tree(model, max_depth=2, max_children=2)
    assert len(two.clusters) == 2
    assert two.clusters[0].n_children == 3
    assert len(two.clusters[0].children) == 2
    text = str(two)
    assert text.splitlines()[0] == "150 labels in clusters: 2 -> 6 -> 18 -> 54"
    assert text.count("... 1 more cluster") == 2
    assert "..." not in str(describe_tree(model, max_depth=1, n_labels=150, n_features=1))


def test_describe_tree_shows_names_and_escapes_html(model):
    names, words = [f"<label> {i}" for i in range(150)], [f"word&{i}" for i in range(400)]
    tree = describe_tree(model, names, words, max_depth=1)
    assert "<label> " in str(tree)
    assert "word&" in str(tree)
    html = tree._repr_html_()
    assert "&lt;label&gt;" in html
    assert "<label>" not in html
    assert "word&amp;" in html
    assert html.count("<details") == html.count("</details>") == 3


def test_describe_tree_of_single_leaf_has_no_clusters(xmc_data):
    tree = describe_tree(XRLinearClassifier(max_leaf_size=150).fit(*xmc_data))
    assert tree.clusters == ()
    assert str(tree) == "150 labels in one leaf"
    assert tree.to_records() == []


def test_describe_tree_selects_tree_of_ensemble(xmc_data):
    model = XRLinearClassifier(3, 20, n_trees=2, random_state=0).fit(*xmc_data)
    first, second = (str(describe_tree(model, tree=tree)) for tree in (0, 1))
    assert first != second


def test_describe_tree_custom_matcher_levels_have_no_features(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(3, 20, matcher=KNeighborsClassifier(), matcher_level=1).fit(X, Y)
    tree = describe_tree(model)
    assert all(each.features == () and each.labels for each in tree.clusters)
    assert all(each.features for top in tree.clusters for each in top.children)


def test_describe_tree_rejects_invalid_arguments(model):
    for name, value in [
        ("max_depth", 0),
        ("max_children", 0),
        ("n_features", -1),
        ("n_labels", 1.5),
    ]:
        with pytest.raises(ValueError, match=f"{name} must be .* integer.*; got {value}"):
            describe_tree(model, **{name: value})
    with pytest.raises(ValueError, match="tree must be an integer from 0 to 0; got 1"):
        describe_tree(model, tree=1)

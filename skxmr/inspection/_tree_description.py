"""What the clusters of a tree are about."""

from dataclasses import dataclass, field
from numbers import Integral

import numpy as np

from skxmr._linear.level_weights import LevelWeights
from skxmr.inspection._html import tree_html
from skxmr.inspection._names import (
    FeatureNames,
    LabelNames,
    find_classifier,
    frequent_labels,
    positions_below,
    trees_of,
)
from skxmr.xr_linear import describe_sizes


@dataclass(frozen=True, eq=False, kw_only=True)
class ClusterDescription:
    """One cluster of a tree.

    Attributes
    ----------
    level, node : int
        Level, from 1 for the root's children, and number of the cluster on it.
    n_labels : int
        Labels in the cluster.
    features : tuple of str
        Names of the features that speak for it most: the largest positive weights of its model,
        largest first. Empty on levels that an estimator of the user's own tells.
    weights : tuple of float
        Their weights.
    labels : tuple of str
        Names of its most frequent labels.
    n_children : int
        Clusters below it, 0 for a leaf cluster.
    children : tuple of ClusterDescription
        Those of them that are described.
    """

    level: int
    node: int
    n_labels: int
    features: tuple
    weights: tuple
    labels: tuple
    n_children: int
    children: tuple = field(repr=False)

    @property
    def title(self):
        """Number and size, in words."""
        noun = "label" if self.n_labels == 1 else "labels"
        return f"cluster {self.node}, {self.n_labels} {noun}"

    @property
    def labels_text(self):
        """Names of labels, and dots if there are more."""
        return ", ".join(self.labels) + (", ..." if len(self.labels) < self.n_labels else "")


@dataclass(frozen=True, eq=False, kw_only=True)
class TreeDescription:
    """The clusters of a tree, as `describe_tree` returns them. Prints as an indented tree.

    Attributes
    ----------
    level_sizes : tuple of int
        Nodes of each level below the root; the last is the labels.
    clusters : tuple of ClusterDescription
        The root's children; empty if all labels are in one leaf.
    """

    level_sizes: tuple
    clusters: tuple = field(repr=False)

    @property
    def title(self):
        """Size of the tree, in words."""
        return describe_sizes(self.level_sizes)

    def to_records(self):
        """Return the clusters as a list of dicts, parents first, as `pandas.DataFrame` takes.

        Returns
        -------
        list of dict
        """
        records = []

        def add(clusters, parent):
            for each in clusters:
                fields = ("level", "node", "n_labels", "features", "weights", "labels")
                record = {"parent": parent, **{name: getattr(each, name) for name in fields}}
                records.append({**record, "n_children": each.n_children})
                add(each.children, each.node)

        add(self.clusters, None)
        return records

    def __str__(self):
        """Return the tree as indented text."""
        lines = [self.title]

        def add(clusters, n_all, indent):
            for each in clusters:
                lines.append(f"{indent}{each.title}: {', '.join(each.features)}".rstrip(": "))
                lines.append(f"{indent}  = {each.labels_text}")
                add(each.children, each.n_children, indent + "    ")
            if clusters and n_all > len(clusters):
                lines.append(f"{indent}... {n_all - len(clusters)} more")

        n_first = self.level_sizes[0] if len(self.level_sizes) > 1 else 0
        add(self.clusters, n_first, "  ")
        return "\n".join(lines)

    def _repr_html_(self):
        return tree_html(self)


def describe_tree(
    estimator,
    label_names=None,
    feature_names=None,
    *,
    max_depth=2,
    max_children=None,
    n_features=5,
    n_labels=5,
    tree=0,
):
    """Describe the clusters of a fitted tree by their features and labels.

    Parameters
    ----------
    estimator : XRLinearClassifier, Pipeline or search
        Fitted; as for `explain`.
    label_names : array-like of str of shape (n_labels,), default=None
        By column of `y`. None takes `classes_`, which are the column numbers of an indicator.
    feature_names : array-like of str of shape (n_features,), default=None
        As for `explain`.
    max_depth : int or None, default=2
        Levels of clusters that are described, from the root down; None for all.
    max_children : int or None, default=None
        Most clusters described below each, the first ones. None for all.
    n_features : int, default=5
        Features shown of each cluster.
    n_labels : int, default=5
        Labels shown of each cluster, the most frequent ones.
    tree : int, default=0
        Which tree of an ensemble.

    Returns
    -------
    TreeDescription
        Prints as text, shows as HTML in a notebook, and has the clusters as data.

    Raises
    ------
    TypeError
        If the estimator is not such a classifier.
    ValueError
        If a number is out of range, or names are not as many as what they name.

    See Also
    --------
    explain : The path of one row.
    LabelTreeDisplay : The same as a picture.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.inspection import describe_tree
    >>> texts = ["sparse matrix", "sparse solver", "fourier transform", "wavelet transform"]
    >>> topics = ["matrix", "solver", "fourier", "wavelet"]
    >>> tree = XRLinearClassifier(max_leaf_size=2, random_state=0)
    >>> model = make_pipeline(TfidfVectorizer(), tree).fit(texts, topics)
    >>> print(describe_tree(model, n_features=1))
    4 labels in clusters: 2
      cluster 0, 2 labels: transform
        = fourier, wavelet
      cluster 1, 2 labels: sparse
        = matrix, solver
    """
    bounds = {"max_depth": max_depth, "max_children": max_children}
    numbers = {name: value for name, value in bounds.items() if value is not None}
    for name, value in {**numbers, "n_features": n_features, "n_labels": n_labels}.items():
        least = 1 if name in bounds else 0
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be an integer from {least} up; got {value!r}.")
    classifier, steps = find_classifier(estimator)
    trees = trees_of(classifier)
    if not isinstance(tree, Integral) or not 0 <= tree < len(trees):
        raise ValueError(f"tree must be from 0 to {len(trees) - 1}; got {tree!r}.")
    describer = _Describer(
        trees[tree],
        LabelNames(label_names, classifier.classes_),
        FeatureNames(feature_names, classifier, steps),
        n_features,
        n_labels,
        max_children,
    )
    sizes = trees[tree].hierarchy.level_sizes
    depth = min(len(sizes) - 1, np.inf if max_depth is None else max_depth)
    return TreeDescription(level_sizes=sizes, clusters=describer.children_of(0, 0, depth))


class _Describer:
    def __init__(self, model, label_names, feature_names, n_features, n_labels, max_children):
        self.model = model
        self.label_names = label_names
        self.feature_names = feature_names
        self.n_features = n_features
        self.n_labels = n_labels
        self.max_children = max_children
        linear = model.matcher.levels
        self.n_given = model.hierarchy.n_levels - 1 - len(linear)
        self.weights = [LevelWeights(level) for level in linear]

    def children_of(self, level, node, depth):
        # Describe the clusters below a node of a level (0 the root), down to a depth.
        if level == depth:
            return ()
        first, last = self.model.hierarchy.child_indptrs[level][node : node + 2].tolist()
        chunk = None
        if level >= self.n_given:
            chunk = self.weights[level - self.n_given].of_chunk(node)
        end = last if self.max_children is None else min(last, first + self.max_children)
        return tuple(
            self._cluster(level + 1, n, chunk, n - first, depth) for n in range(first, end)
        )

    def _cluster(self, level, node, chunk, place, depth):
        hierarchy = self.model.hierarchy
        first, last = positions_below(hierarchy, level, node)
        features, weights = np.empty(0, dtype=np.int32), np.empty(0)
        if chunk is not None:
            features, weights, _ = chunk.of_child(place)
            best = np.argsort(-weights, kind="stable")[: self.n_features]
            best = best[weights[best] > 0]
            features, weights = features[best], weights[best]
        n_children = 0
        if level < hierarchy.n_levels - 1:
            n_children = int(np.diff(hierarchy.child_indptrs[level][node : node + 2])[0])
        labels = frequent_labels(self.model, level, node, self.n_labels)
        return ClusterDescription(
            level=level,
            node=node,
            n_labels=last - first,
            features=self.feature_names.of(features),
            weights=tuple(weights.tolist()),
            labels=self.label_names.of(labels),
            n_children=n_children,
            children=self.children_of(level, node, depth),
        )

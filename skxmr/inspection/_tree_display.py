"""Plot of a label tree."""

from typing import NamedTuple

import numpy as np

from skxmr.inspection._axes import BLUE, GRAY, axes_or_new, shorten_and_escape
from skxmr.inspection._tree_description import count_more_clusters, describe_tree

# Area of the dot of the root, and minimum area of the dot of a cluster, in square points.
ROOT_AREA, MIN_AREA = 120, 6
# Width that the texts need right of the dots, in levels.
TEXT_WIDTH = 7


class TreeLine(NamedTuple):
    """One line of the plot: the root, a cluster, or the number of clusters that are not shown.

    Attributes
    ----------
    depth : int
        Level of the cluster; 0 for the root.
    n_labels : int
        Number of labels; 0 if the line is not a cluster.
    title : str
        First text of the line.
    labels : str
        Second text, below the first; may be empty.
    parent : int or None
        Index of the parent's line; None for the root.
    """

    depth: int
    n_labels: int
    title: str
    labels: str
    parent: int | None


class LabelTreeDisplay:
    """Plot the clusters of a tree, one line per cluster with its features and frequent labels.

    Parameters
    ----------
    description : TreeDescription
        Result of `describe_tree`.

    Attributes
    ----------
    nodes_ : matplotlib PathCollection
        Dots of the clusters; their areas are proportional to the number of labels.
    texts_ : list of matplotlib Text
        Texts of the clusters.
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    describe_tree : Return the description as text and data.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.inspection import LabelTreeDisplay
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(max_leaf_size=10, random_state=0).fit(X, Y)
    >>> display = LabelTreeDisplay.from_estimator(model)  # doctest: +SKIP
    """

    def __init__(self, description):
        self.description = description

    @classmethod
    def from_estimator(
        cls,
        estimator,
        label_names=None,
        feature_names=None,
        *,
        max_depth=2,
        max_children=4,
        n_features=5,
        n_labels=3,
        tree=0,
        ax=None,
    ):
        """Describe the tree of a fitted estimator and plot it.

        Parameters
        ----------
        estimator : XRLinearClassifier, Pipeline or search
            Fitted estimator. For a fitted search, the best estimator is used.
        label_names : array-like of str of shape (n_labels,), default=None
            Names of the labels, by column of `y`. If None, `classes_`.
        feature_names : array-like of str of shape (n_features,), default=None
            Names of the features of the classifier, see `describe_tree`.
        max_depth : int or None, default=2
            Number of levels of clusters to plot, starting below the root. If None, all levels.
        max_children : int or None, default=4
            Maximum number of clusters to plot per parent, the first ones. If None, all clusters;
            each takes one line.
        n_features : int, default=5
            Number of features per cluster, those with the largest positive weights.
        n_labels : int, default=3
            Number of labels per cluster, those with the most training rows.
        tree : int, default=0
            Index of the tree, for an ensemble of trees.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : LabelTreeDisplay
            Display of the tree, already plotted.
        """
        description = describe_tree(
            estimator,
            label_names,
            feature_names,
            max_depth=max_depth,
            max_children=max_children,
            n_features=n_features,
            n_labels=n_labels,
            tree=tree,
        )
        return cls(description).plot(ax=ax)

    def plot(self, *, ax=None):
        """Plot the tree.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created whose height fits the lines.

        Returns
        -------
        self : LabelTreeDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        tree = self.description
        lines = [TreeLine(0, tree.level_sizes[-1], tree.title, "", None)]
        _append_lines(lines, tree.clusters, tree.n_root_clusters, 0)
        depths = np.array([line.depth for line in lines])
        sizes = np.array([line.n_labels for line in lines])
        rows = np.arange(len(lines))
        ax = axes_or_new(ax, "LabelTreeDisplay.plot", (9, 0.5 + 0.4 * len(lines)))
        for row, line in enumerate(lines):
            if line.parent is not None:
                parent_depth = lines[line.parent].depth
                x = [parent_depth, parent_depth, line.depth]
                ax.plot(x, [line.parent, row, row], color="0.7", linewidth=1, zorder=1)
        areas = np.where(sizes > 0, np.maximum(ROOT_AREA * sizes / max(sizes), MIN_AREA), 0)
        self.nodes_ = ax.scatter(depths, rows, s=areas, color=BLUE, zorder=2)
        self.texts_ = []
        for row, line in enumerate(lines):
            style = {
                "xy": (line.depth, row),
                "textcoords": "offset points",
                "annotation_clip": False,
            }
            title = shorten_and_escape(line.title, 90)
            title_offset = (9, 1 if line.labels else -4)
            self.texts_.append(
                ax.annotate(title, xytext=title_offset, va="bottom", fontsize=9, **style)
            )
            if line.labels:
                labels = shorten_and_escape(line.labels, 105)
                self.texts_.append(
                    ax.annotate(labels, xytext=(9, -1), va="top", fontsize=8, color=GRAY, **style)
                )
        ax.set_ylim(len(lines) - 0.4, -0.6)
        ax.set_xlim(-0.15, max(depths) + TEXT_WIDTH)
        ax.set_axis_off()
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _append_lines(lines, clusters, n_clusters, parent):
    # Append the lines of clusters and their descendants; `parent` is the index of a line.
    depth = lines[parent].depth + 1
    for cluster in clusters:
        features = f": {', '.join(cluster.features)}" if cluster.features else ""
        title = cluster.title + features
        lines.append(TreeLine(depth, cluster.n_labels, title, cluster.labels_text, parent))
        _append_lines(lines, cluster.children, cluster.n_children, len(lines) - 1)
    if clusters and n_clusters > len(clusters):
        title = count_more_clusters(n_clusters - len(clusters))
        lines.append(TreeLine(depth, 0, title, "", parent))

"""A tree of clusters as a picture."""

import numpy as np

from skxmr.inspection._axes import FIRST, GREY, axes_for, plain
from skxmr.inspection._tree_description import describe_tree


class LabelTreeDisplay:
    """Clusters of a tree, a line each: its features, and below them its most frequent labels.

    Parameters
    ----------
    description : TreeDescription
        What `describe_tree` returned.

    Attributes
    ----------
    nodes_ : matplotlib PathCollection
        The dots, whose areas go with the numbers of labels.
    texts_ : list of matplotlib Text
        What is said of clusters.
    ax_ : matplotlib Axes
        Where they are.
    figure_ : matplotlib Figure
        The figure around.

    See Also
    --------
    describe_tree : The same as text and data.

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
        """Describe the tree of a fitted estimator and draw it.

        Parameters
        ----------
        estimator, label_names, feature_names, max_depth, n_features, n_labels, tree
            As for `describe_tree`.
        max_children : int or None, default=4
            Most clusters drawn below each, the first ones: a line each. None for all.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        LabelTreeDisplay
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
        """Draw the tree.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure of a height to hold all lines.

        Returns
        -------
        self : LabelTreeDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        tree = self.description
        lines, edges = [(0, 0, tree.level_sizes[-1], tree.title, "")], []
        n_first = tree.level_sizes[0] if len(tree.level_sizes) > 1 else 0
        _add_lines(lines, edges, tree.clusters, n_first, 0)
        depth, place, size, *_ = (np.array(column) for column in zip(*lines, strict=True))
        ax = axes_for(ax, "LabelTreeDisplay.plot", (9, 0.5 + 0.4 * len(lines)))
        for above, below in edges:
            corner = [depth[above], depth[above], depth[below]]
            ax.plot(corner, [above, below, below], color="0.7", linewidth=1, zorder=1)
        # Lines of size 0 are not clusters: they say how many are left out.
        area = np.where(size > 0, np.maximum(120 * size / max(size), 6), 0)
        self.nodes_ = ax.scatter(depth, place, s=area, color=FIRST, zorder=2)
        self.texts_ = []
        for x, y, _, head, labels in lines:
            style = {"textcoords": "offset points", "annotation_clip": False}
            up = 1 if labels else -4
            self.texts_.append(
                ax.annotate(plain(head, 90), (x, y), (9, up), va="bottom", fontsize=9, **style)
            )
            if labels:
                style.update(va="top", fontsize=8, color=GREY)
                self.texts_.append(ax.annotate(plain(labels, 105), (x, y), (9, -1), **style))
        ax.set_ylim(len(lines) - 0.4, -0.6)
        # Text starts beside the dots and needs most of the width.
        ax.set_xlim(-0.15, max(depth) + 7)
        ax.set_axis_off()
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _add_lines(lines, edges, clusters, n_all, above):
    # (depth, place, size, head, labels) of clusters below the line `above`, and of theirs.
    depth = lines[above][0] + 1
    for each in clusters:
        edges.append((above, len(lines)))
        features = f": {', '.join(each.features)}" if each.features else ""
        lines.append((depth, len(lines), each.n_labels, each.title + features, each.labels_text))
        _add_lines(lines, edges, each.children, each.n_children, len(lines) - 1)
    if clusters and n_all > len(clusters):
        edges.append((above, len(lines)))
        lines.append((depth, len(lines), 0, f"{n_all - len(clusters)} more clusters", ""))

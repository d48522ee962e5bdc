"""The standard matcher: linear models on every level of the tree, searched with a beam."""

import numpy as np

from skxmr._core.node_scores import NodeScores
from skxmr._core.row_search import RowScores
from skxmr._linear import search_row


class RecursiveLinearMatcher:
    """Score clusters level by level, and keep the best `beam_width` of each level.

    The recursive linear model of Prabhu et al. (2018), "Parabel", WWW, and Yu et al. (2022),
    "PECOS", JMLR 23(98): one linear model per node, trained against its siblings. The score of a
    cluster joins the transformed margins on its path.

    Parameters
    ----------
    levels : list of LevelModel
        Models of the levels of clusters, from the root's children to the leaf clusters; empty if
        the tree has a single leaf.
    """

    def __init__(self, levels):
        self.levels = levels

    def with_levels(self, levels):
        """Return a matcher with these levels."""
        return RecursiveLinearMatcher(levels)

    def match(self, X, beam_width, transforms, node_filters=None):
        """Return the best leaf clusters of each row.

        Parameters
        ----------
        X : Rows
            Rows to match.
        beam_width : int or None
            Number of clusters kept on each level; None keeps all.
        transforms : tuple of LevelTransform
            Transform of each level.
        node_filters : list of NodeFilter or None
            Clusters of each level that may be visited. None allows all.

        Returns
        -------
        NodeScores
            Leaf clusters, best first within each row.
        """
        beam = NodeScores.root(X.n_rows)
        filters = node_filters or [None] * len(self.levels)
        for level, transform, node_filter in zip(self.levels, transforms, filters, strict=True):
            beam = level.expand(
                X, beam, beam_width or 0, transform, best_first=True, node_filter=node_filter
            )
        return beam

    def match_row(self, x, beam_width, transforms, node_filters=None):
        """Return the `RowScores` of the best leaf clusters of one `SparseRow`."""
        max_kept = [beam_width or 0] * len(self.levels)
        root = RowScores.root()
        return search_row(
            self.levels, transforms, x, root, max_kept, True, node_filters=node_filters
        )

    def score(self, X, paths, transforms):
        """Score given leaf clusters, without a beam.

        Parameters
        ----------
        X : Rows
            Rows to score.
        paths : list of LevelPaths
            Nodes to visit on each level, including the level of the labels.
        transforms : tuple of LevelTransform
            Transform of each level of clusters.

        Returns
        -------
        NodeScores
            The parents of the last level, which are leaf clusters.
        """
        scored = np.zeros((2, len(paths[0].parents)), dtype=np.float32)  # scores and margins
        for level, path, transform in zip(self.levels, paths[:-1], transforms, strict=True):
            parents = NodeScores(path.indptr, path.parents, *scored)
            scored = level.score_children(X, parents, path.wanted, transform)
        return NodeScores(paths[-1].indptr, paths[-1].parents, *scored)

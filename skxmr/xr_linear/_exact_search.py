"""Exact search: the best labels of all labels, without scoring all of them.

The score of a node is a product of powers of probabilities, so no node has a higher score than the
nodes above it. If k labels with a score of at least t are known, the best k labels are therefore
below clusters that have a score of at least t.

First, a beam search finds k labels for each row. Let t be the lowest score of these. If all
clusters that the beam dropped have scores below t, the result is exact; this is true for most rows.
For the other rows, a second search visits all clusters with a score of at least t. It does not
score the leaf clusters of the beam again.
"""

from typing import NamedTuple

import numpy as np

from skxmr._core.node_scores import NodeScores, join_rows
from skxmr._core.row_search import RowScores
from skxmr._core.threads import BLOCK_SCORES
from skxmr._core.topk import best_of_rows
from skxmr._linear import search_row
from skxmr.xr_linear._tree_filter import TreeFilter

# Beam width of the first search: k + MORE_CLUSTERS, but at most MAX_BEAM_WIDTH. With 2, the search
# was the fastest or at most 5 % slower than with 0, 1, 3 or 5, for k = 1, 5 and 10, on WordNet,
# Debian, YSO titles, and generated data of 50,000 and 670,000 labels (November 2026).
MORE_CLUSTERS = 2
MAX_BEAM_WIDTH = 20


class ExactSearch(NamedTuple):
    """Search of the k best labels of a tree of linear models.

    Attributes
    ----------
    cluster_levels : list of LevelModel
        Levels from the root's children to the leaf clusters.
    label_level : LevelModel
        Level of the labels.
    cluster_transforms : list of LevelTransform
        Transforms of the levels of clusters; not "identity", which has no bound.
    label_transform : LevelTransform
        Transform of the level of the labels.
    offsets : ndarray of float32 or None
        Offsets of the labels.
    k : int
        Number of labels per row, at least 1.
    tree_filter : TreeFilter or None
        Labels that may be returned, and clusters above them. None allows all.
    """

    cluster_levels: list
    label_level: object
    cluster_transforms: list
    label_transform: object
    offsets: np.ndarray | None
    k: int
    tree_filter: TreeFilter | None = None

    def rank(self, X, best_first):
        """Return the `NodeScores` of the rows `X`, best first or sorted by label."""
        ranking, beam, worst, is_exact = self._search_beam(X)
        if not is_exact.all():
            rows = np.flatnonzero(~is_exact)
            search = self
            if self.tree_filter is not None:
                search = self._replace(tree_filter=self.tree_filter.take(rows))
            found = search._search_above(X.take(rows), worst[rows], beam.take(rows))
            found = best_of_rows(*ranking.take(rows).join(found), self.k, True)
            ranking = replace_rows(ranking, rows, NodeScores(*found))
        return ranking if best_first else NodeScores(*best_of_rows(*ranking, 0, False))

    def rank_row(self, x):
        """Return the `RowScores` of one `SparseRow`, best first."""
        ranking = self._search_row(x, self._beam_width())
        has_k = ranking.size == self.k
        if ranking.max_dropped == -np.inf or (has_k and ranking.max_dropped < ranking.last_score):
            return ranking
        return self._search_row(x, 0, ranking.last_score if has_k else -np.inf)

    def _search_row(self, x, beam_width, min_score=-np.inf):
        return search_row(
            [*self.cluster_levels, self.label_level],
            [*self.cluster_transforms, self.label_transform],
            x,
            RowScores.root(),
            [*[beam_width] * len(self.cluster_levels), self.k],
            True,
            self.offsets,
            min_score,
            self._node_filters(),
        )

    def _node_filters(self):
        n_levels = len(self.cluster_levels) + 1
        return [None] * n_levels if self.tree_filter is None else self.tree_filter.levels

    def _cluster_levels(self):
        filters = self._node_filters()[:-1]
        return zip(self.cluster_levels, self.cluster_transforms, filters, strict=True)

    def _beam_width(self):
        # At least as many clusters as have k labels if they have half the mean size.
        indptr = self.label_level.arrays["child_indptr"]
        n_needed = -(-2 * self.k * (len(indptr) - 1) // int(indptr[-1]))
        return max(min(self.k + MORE_CLUSTERS, MAX_BEAM_WIDTH), n_needed)

    def _search_beam(self, X):
        # Returns the ranking, best first; the leaf clusters of the beam; and for each row, the
        # score of its k-th label and whether the ranking is exact.
        beam_width = self._beam_width()
        nodes = NodeScores.root(X.n_rows)
        max_dropped = np.full(X.n_rows, -np.inf, dtype=np.float32)
        for level, transform, node_filter in self._cluster_levels():
            nodes = level.expand(
                X, nodes, beam_width, transform, best_first=True, node_filter=node_filter
            )
            is_full = np.diff(nodes.indptr) == beam_width
            lowest = nodes.scores[nodes.indptr[1:][is_full] - 1]
            max_dropped[is_full] = np.maximum(max_dropped[is_full], lowest)
        ranking = self.label_level.expand(
            X,
            nodes,
            self.k,
            self.label_transform,
            True,
            self.offsets,
            node_filter=self._node_filters()[-1],
        )
        worst = self._find_worst(ranking)
        return ranking, nodes, worst, (max_dropped < worst) | (max_dropped == -np.inf)

    def _find_worst(self, ranking):
        # The score of the k-th label of each row; -inf if there are fewer labels.
        has_k = np.diff(ranking.indptr) == self.k
        worst = np.full(ranking.n_rows, -np.inf, dtype=np.float32)
        worst[has_k] = ranking.scores[ranking.indptr[1:][has_k] - 1]
        return worst

    def _search_above(self, X, min_scores, beam):
        # Returns labels with a score of at least `min_scores` below leaf clusters that are not in
        # the beam. All clusters may have to be visited, so there are fewer rows per block.
        n_clusters = max(len(level.arrays["child_ids"]) for level in self.cluster_levels)
        size = max(1, BLOCK_SCORES // n_clusters)
        blocks = []
        for start in range(0, X.n_rows, size):
            stop = min(start + size, X.n_rows)
            search = self
            if self.tree_filter is not None:
                search = self._replace(tree_filter=self.tree_filter.take(np.arange(start, stop)))
            block = X.block(start, stop), min_scores[start:stop], beam.block(start, stop)
            blocks.append(search._search_block_above(*block))
        return NodeScores(*join_rows(blocks))

    def _search_block_above(self, X, min_scores, beam):
        nodes = NodeScores.root(X.n_rows)
        for level, transform, node_filter in self._cluster_levels():
            nodes = level.expand(
                X,
                nodes,
                0,
                transform,
                best_first=True,
                min_scores=min_scores,
                node_filter=node_filter,
            )
        return self.label_level.expand(
            X,
            nodes.without(beam),
            self.k,
            self.label_transform,
            True,
            self.offsets,
            min_scores,
            self._node_filters()[-1],
        )


def replace_rows(ranking, rows, replacements):
    """Return a ranking in which the rows with the given numbers are those of another one."""
    positions = np.arange(ranking.n_rows)
    positions[rows] = ranking.n_rows + np.arange(len(rows))
    return NodeScores(*join_rows([ranking, replacements])).take(positions)

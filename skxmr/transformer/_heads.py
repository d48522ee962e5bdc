"""Linear models of clusters over embeddings: dense weights, beam search, nothing of torch."""

import numpy as np

from skxmr._core.arrays import offsets_of
from skxmr._core.score_forms import join_rows
from skxmr._core.score_rule import LEAST_SCORE
from skxmr._core.threads import BLOCK_SCORES
from skxmr._core.topk import best_of_rows
from skxmr._core.transforms import SHAPES, LevelTransform, join_scores
from skxmr._core.validation import as_public_csr

# What a margin counts, by the loss that it was trained with.
SCORES = {"squared_hinge": "l3-hinge", "log_loss": "sigmoid"}


class ClusterHeads:
    """One linear model for each node of a tree of clusters, over dense embeddings.

    A cluster's score is the product, along its path, of what the margins m of its nodes count:
    exp(-max(0, 1 - m)^3) for squared hinge, 1 / (1 + exp(-m)) for logistic loss. It so joins the
    scores of linear levels below, which are made the same way.

    Parameters
    ----------
    weights : list of ndarray of shape (n_nodes, n_dimensions), float32
        By level, from the root's children down; nodes in the order of the hierarchy.
    intercepts : list of ndarray of shape (n_nodes,), float32
        By level.
    hierarchy : LabelHierarchy
        The tree; its labels are the clusters that are told apart.
    loss : {"squared_hinge", "log_loss"}
        What the models were trained with.
    """

    def __init__(self, weights, intercepts, hierarchy, loss):
        self.weights = weights
        self.intercepts = intercepts
        self.hierarchy = hierarchy
        self.loss = loss

    def predict_proba(self, E, beam_width=10):
        """Score clusters by a beam search.

        Parameters
        ----------
        E : ndarray of shape (n_rows, n_dimensions), float32
            Embeddings.
        beam_width : int or None, default=10
            Nodes kept on each level, and clusters kept of a row. Larger is slower and finds more;
            None keeps all.

        Returns
        -------
        sparse matrix of shape (n_rows, n_clusters), float32
            CSR, indices sorted, values in (0, 1].
        """
        indptr, ids, scores = self.search(E, beam_width)
        values = np.maximum(np.exp(scores), LEAST_SCORE)
        return as_public_csr(indptr, ids, values, (len(E), self.hierarchy.n_labels))

    def search(self, E, beam_width, n_levels=None):
        """Return the beam on a level, the last if None, as CSR arrays (indptr, ids, log scores).

        Ids rise; on the hierarchy's last level they are labels, not positions.
        """
        n_levels = self.hierarchy.n_levels if n_levels is None else n_levels
        indptrs = self.hierarchy.child_indptrs[:n_levels]
        widest = max((int(np.diff(indptr).max()) for indptr in indptrs), default=1)
        sizes = self.hierarchy.level_sizes[:n_levels]
        most = max((min((beam_width or size) * widest, size) for size in sizes), default=1)
        # A block has the embeddings of its rows beside their scores.
        size = max(1, BLOCK_SCORES // (most + E.shape[1]))
        starts = range(0, max(len(E), 1), size)
        return join_rows([self._search(E[s : s + size], beam_width, n_levels) for s in starts])

    def _search(self, E, beam_width, n_levels):
        shape = SHAPES[SCORES[self.loss]]
        indptr = np.arange(len(E) + 1, dtype=np.int64)
        ids = np.zeros(len(E), dtype=np.int32)
        scores = np.zeros(len(E), dtype=np.float32)
        for level in range(n_levels):
            child_indptr = self.hierarchy.child_indptrs[level]
            rows = np.repeat(np.arange(len(E)), np.diff(indptr))
            starts, counts = child_indptr[ids], np.diff(child_indptr)[ids]
            bounds = offsets_of(counts)
            margins = self._margins(E, rows, ids, bounds, level)
            within = np.arange(bounds[-1]) - np.repeat(bounds[:-1], counts)
            children = (np.repeat(starts, counts) + within).astype(np.int32)
            joined = join_scores(np.repeat(scores, counts), margins, LevelTransform(shape))
            if level == self.hierarchy.n_levels - 1:
                children = self.hierarchy.label_order[children]
            indptr, ids, scores = best_of_rows(
                bounds[indptr], children, joined, beam_width or 0, False
            )
        return indptr, ids, scores

    def _margins(self, E, rows, parents, bounds, level):
        # Of all children of each pair (row, parent), pair after pair: a product for each parent.
        child_indptr = self.hierarchy.child_indptrs[level]
        margins = np.empty(bounds[-1], dtype=np.float32)
        order = np.argsort(parents, kind="stable")
        cuts = np.flatnonzero(np.diff(parents[order])) + 1
        for pairs in np.split(order, cuts):
            if not len(pairs):
                continue
            first, last = child_indptr[parents[pairs[0]] : parents[pairs[0]] + 2]
            products = E[rows[pairs]] @ self.weights[level][first:last].T
            products += self.intercepts[level][first:last]
            margins[bounds[pairs][:, None] + np.arange(last - first)] = products
        return margins

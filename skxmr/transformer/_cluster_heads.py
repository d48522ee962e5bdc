"""Heads of an encoder: linear models of clusters over embeddings, without torch.

A head is one level of linear models, one model per node.
"""

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from skxmr._core.arrays import as_public_csr, offsets_of
from skxmr._core.node_scores import NodeScores, join_rows
from skxmr._core.rows import Rows
from skxmr._core.score_rule import MIN_SCORE
from skxmr._core.threads import BLOCK_SCORES
from skxmr._core.topk import best_of_rows
from skxmr._core.transforms import SHAPES, LevelTransform, join_scores
from skxmr.indexing import LabelHierarchy
from skxmr.xr_linear import XRLinearClassifier

# Transform from margins to scores, for each loss of the heads.
SCORE_TRANSFORMS = {"squared_hinge": "l3-hinge", "log_loss": "sigmoid"}
# Parameters of the linear classifier that fits the heads, for each loss. Embeddings have few
# features, so no weight is dropped.
LINEAR_PARAMETERS = {
    "squared_hinge": {"weight_threshold": 0.0},
    "log_loss": {
        "weight_threshold": 0.0,
        "C": 10.0,
        "relevance_norm": None,
        "positive_weight": 1.0,
    },
}


class ClusterHeads:
    """One linear model per node of a tree of clusters, over dense embeddings.

    The score of a cluster is the product of the scores of the nodes on its path. The score of a
    node with margin m is exp(-max(0, 1 - m)^3) for the squared hinge loss and 1 / (1 + exp(-m)) for
    the logistic loss. `XRLinearClassifier` computes scores of its levels in this way too, so both
    can be multiplied.

    Parameters
    ----------
    weights : list of ndarray of shape (n_nodes, n_dimensions), float32
        Weights of each level, from the root's children down. Nodes are in the hierarchy's order.
    intercepts : list of ndarray of shape (n_nodes,), float32
        Intercepts of each level.
    hierarchy : LabelHierarchy
        Tree of clusters. Its labels are the clusters.
    loss : {"squared_hinge", "log_loss"}
        Loss that the models were trained with.
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
            Embeddings of unit length.
        beam_width : int or None, default=10
            Number of nodes kept per row on each level, and of clusters returned per row. A larger
            number is slower and finds more. None keeps all.

        Returns
        -------
        sparse matrix of shape (n_rows, n_clusters), float32
            Scores in (0, 1] as CSR with sorted indices.
        """
        indptr, ids, log_scores, _ = self.search(E, beam_width)
        scores = np.maximum(np.exp(log_scores), MIN_SCORE)
        return as_public_csr(indptr, ids, scores, (len(E), self.hierarchy.n_labels))

    def search(self, E, beam_width, n_levels=None):
        """Return the beam after `n_levels` levels (None: all) as `NodeScores`, sorted by id.

        An id is the position of a node in its level. On the last level of the hierarchy it is the
        number of a cluster.
        """
        n_levels = self.hierarchy.n_levels if n_levels is None else n_levels
        child_indptrs = self.hierarchy.child_indptrs[:n_levels]
        level_sizes = self.hierarchy.level_sizes[:n_levels]
        max_children = max((int(np.diff(indptr).max()) for indptr in child_indptrs), default=1)
        scores_per_row = max(
            (min((beam_width or size) * max_children, size) for size in level_sizes), default=1
        )
        # A block of rows needs memory for the scores and for the embeddings.
        block_size = max(1, BLOCK_SCORES // (scores_per_row + E.shape[1]))
        starts = range(0, max(len(E), 1), block_size)
        blocks = [self._search_block(E[s : s + block_size], beam_width, n_levels) for s in starts]
        return NodeScores(*join_rows(blocks))

    def _search_block(self, E, beam_width, n_levels):
        shape = SHAPES[SCORE_TRANSFORMS[self.loss]]
        beam = NodeScores.root(len(E))
        for level in range(n_levels):
            child_indptr = self.hierarchy.child_indptrs[level]
            rows = np.repeat(np.arange(len(E)), np.diff(beam.indptr))
            starts, counts = child_indptr[beam.ids], np.diff(child_indptr)[beam.ids]
            offsets = offsets_of(counts)
            margins = self._margins(E, rows, beam.ids, offsets, level)
            within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
            children = (np.repeat(starts, counts) + within).astype(np.int32)
            parent_scores = np.repeat(beam.scores, counts)
            parent_margins = np.repeat(beam.margins, counts)
            scored = join_scores(parent_scores, parent_margins, margins, LevelTransform(shape))
            if level > 0 or self.hierarchy.n_labels > 1:
                # As in `XRLinearClassifier`, an only child has the score of its parent.
                is_only = np.repeat(counts == 1, counts)
                for values, inherited in zip(scored, (parent_scores, parent_margins), strict=True):
                    np.copyto(values, inherited, where=is_only)
            if level == self.hierarchy.n_levels - 1:
                children = self.hierarchy.label_order[children]
            beam = NodeScores(
                *best_of_rows(offsets[beam.indptr], children, *scored, beam_width or 0, False)
            )
        return beam

    def _margins(self, E, rows, parents, offsets, level):
        """Return the margins of all children of each pair (row, parent), one pair after the other.

        Pairs are grouped by parent: one matrix product per parent.
        """
        child_indptr = self.hierarchy.child_indptrs[level]
        margins = np.empty(offsets[-1], dtype=np.float32)
        order = np.argsort(parents, kind="stable")
        cuts = np.flatnonzero(np.diff(parents[order])) + 1
        for pairs in np.split(order, cuts):
            if not len(pairs):
                continue
            first, last = child_indptr[parents[pairs[0]] : parents[pairs[0]] + 2]
            products = E[rows[pairs]] @ self.weights[level][first:last].T
            products += self.intercepts[level][first:last]
            margins[offsets[pairs][:, None] + np.arange(last - first)] = products
        return margins


def fit_cluster_heads(E, M, hierarchy, loss, seed):
    """Fit the heads of all levels on fixed embeddings, with teacher-forced negatives.

    Parameters
    ----------
    E : ndarray of shape (n_rows, n_dimensions), float32
        Embeddings of unit length.
    M : csr_array of shape (n_rows, n_clusters)
        Indicator of the labels of `hierarchy`.
    hierarchy : LabelHierarchy
        Tree of clusters.
    loss : {"squared_hinge", "log_loss"}
        Loss of the models.
    seed : int
        Seed of the order in which the solver visits rows.

    Returns
    -------
    ClusterHeads
    """
    linear = XRLinearClassifier(
        label_tree=hierarchy,
        loss=loss,
        score_transform=SCORE_TRANSFORMS[loss],
        random_state=seed,
        **LINEAR_PARAMETERS[loss],
    )
    with warnings.catch_warnings():
        # Rankings do not change if the solver stops a few sweeps before it converges.
        warnings.simplefilter("ignore", ConvergenceWarning)
        linear.fit(sp.csr_array(E), M)
    n_levels = hierarchy.n_levels
    child_ids = [np.arange(size) for size in hierarchy.level_sizes[:-1]] + [hierarchy.label_order]
    weights, intercepts = [], []
    for level in range(n_levels):
        model = linear._model.levels[level]
        n_parents = len(hierarchy.child_indptrs[level]) - 1
        intercepts.append(np.array(model.arrays["intercepts"]))
        dense = _dense_weights(model, n_parents, child_ids[level], intercepts[-1])
        weights.append(dense / np.float32(linear._row_length))
    return ClusterHeads(weights, intercepts, hierarchy, loss)


def flat_hierarchy(n_clusters):
    """Return the tree with a single level: all clusters are children of the root."""
    return LabelHierarchy([[0, n_clusters]], np.arange(n_clusters))


def upper_levels(hierarchy, n_levels):
    """Return the first levels of a tree. Its labels are the nodes of the last of them, in order."""
    nodes = np.arange(hierarchy.level_sizes[n_levels - 1])
    return LabelHierarchy(hierarchy.child_indptrs[:n_levels], nodes)


def _dense_weights(model, n_parents, child_ids, intercepts):
    """Return the weights of a `LevelModel` as an array of shape (n_children, n_features).

    Row f of the identity matrix has the margin weight[f] + intercept.
    """
    n_rows = model.n_features
    identity = Rows(
        np.arange(n_rows + 1, dtype=np.int64),
        np.arange(n_rows, dtype=np.int32),
        np.ones(n_rows, dtype=np.float32),
        n_rows,
    )
    zeros = np.zeros(n_rows * n_parents, dtype=np.float32)
    all_parents = NodeScores(
        np.arange(n_rows + 1, dtype=np.int64) * n_parents,
        np.tile(np.arange(n_parents, dtype=np.int32), n_rows),
        zeros,
        zeros,
    )
    children = model.expand(identity, all_parents, 0, LevelTransform(SHAPES["identity"]))
    by_id = np.empty((len(child_ids), n_rows), dtype=np.float32)
    by_id[children.ids.reshape(n_rows, -1)[0]] = children.margins.reshape(n_rows, -1).T
    return by_id[child_ids] - intercepts[:, None]

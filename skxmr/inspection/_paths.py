"""Follow the path of one row through a tree, from the root to one label."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from skxmr._core.node_scores import NodeScores
from skxmr._core.score_forms import UNSCORED_LOG
from skxmr._core.transforms import LOG_PROBABILITY, SHAPES, LevelTransform, join_scores
from skxmr._linear.level_weights import LevelWeights

NO_FEATURES = {
    "features": np.empty(0, dtype=np.int32),
    "values": np.empty(0),
    "weights": np.empty(0),
    "contributions": np.empty(0),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class PathStep:
    """One step on the path to a label: a cluster, or the label itself.

    Attributes
    ----------
    level : int
        Level of the tree: 1 for the children of the root; the last level has the labels.
    node : int
        Number of the cluster on its level. On the last level, the column of the label.
    name : str
        Name of the label, or the size of the cluster and its most frequent labels.
    source : {"linear", "parent", "matcher", "ranker"}
        Source of the score: a linear model; the parent, if the node is its only child; or a custom
        matcher or ranker. Only linear models have a margin, an intercept and contributions.
    margin : float or None
        Output of the linear model: `intercept` plus the sum of `contributions`.
    intercept : float or None
        Intercept of the linear model.
    features, values, weights, contributions : ndarray
        Index, value in the row, weight in the model, and contribution (value times weight, in
        float64) of each feature that is nonzero in both the row and the model. The largest
        absolute contribution comes first.
    names : tuple of str
        Names of `features`.
    own_score : float
        Score of this step alone: the transformed margin, or the output of the custom estimator.
    joint_score : float
        Score of the path from the root to this step: the product of the scores of its steps, those
        of clusters to the power `path_weight`. The beam, and finally the ranking, order nodes by
        this score.
    lift : float
        Factor, at most 1, that decreases the scores of frequent labels. 1 for the rarest labels,
        or if `propensity_weight` is 0.
    sibling_rank : int or None
        Rank among the children of the same parent, starting at 1. None if there is no score. For a
        custom matcher: among all clusters of its level.
    n_siblings : int
        Number of children of the parent, including this node. For a custom matcher: among all
        clusters of its level.
    beam_rank : int or None
        Rank among all nodes that the search scored on this level, starting at 1. None if the
        search did not score this node.
    n_scored : int
        Number of nodes that the search scored on this level.
    kept : bool
        Whether the beam kept this cluster. For a label, whether the search scored it.
    """

    level: int
    node: int
    name: str = ""
    source: str = "linear"
    margin: float | None = None
    intercept: float | None = None
    features: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)
    weights: np.ndarray = field(repr=False)
    contributions: np.ndarray = field(repr=False)
    names: tuple = field(repr=False, default=())
    own_score: float
    joint_score: float
    lift: float = 1.0
    sibling_rank: int | None
    n_siblings: int
    beam_rank: int | None
    n_scored: int
    kept: bool


class ScoredNodes(NamedTuple):
    """Scored nodes of one level for one row.

    Attributes
    ----------
    ids : ndarray of int32
        Nodes; on the last level, columns of labels.
    scores : ndarray of float32
        Path scores, before `ScoreForm.shown`.
    margins : ndarray of float32
        Sums of the margins on the paths.
    """

    ids: np.ndarray
    scores: np.ndarray
    margins: np.ndarray

    @classmethod
    def single(cls, node, score):
        """Return the scores of a single node, whose path has the margin 0."""
        return cls(
            np.array([node], dtype=np.int32),
            np.array([score], dtype=np.float32),
            np.zeros(1, dtype=np.float32),
        )

    @classmethod
    def of_row(cls, nodes):
        """Return the scores of `NodeScores` of a single row."""
        return cls(*nodes[1:])

    def as_matrix(self):
        """Return these scores as `NodeScores` of one row."""
        return NodeScores(np.array([0, len(self.ids)], dtype=np.int64), *self)

    def of(self, node):
        """Return the scores of one node; UNSCORED_LOG if it was not scored."""
        is_node = self.ids == node
        if not is_node.any():
            return ScoredNodes.single(node, UNSCORED_LOG)
        return ScoredNodes(*(values[is_node] for values in self))

    def score_of(self, node):
        """Return the score of a node; UNSCORED_LOG if it was not scored."""
        return self.of(node).scores[0]

    def rank_of(self, node):
        """Return the rank of a node, starting at 1; None if it was not scored."""
        matches = np.flatnonzero(self.ids == node)
        if not len(matches):
            return None
        best_first = np.lexsort((self.ids, -self.margins, -self.scores))
        return 1 + int(np.flatnonzero(best_first == matches[0])[0])


def follow_path(model, row, label, beam_width, score_params):
    """Return the list of `PathStep` from the root to a label, without names.

    On each level, the children of the path's node are scored once more without the beam, so that
    the step has a score where the search did not score it.

    Parameters
    ----------
    model : TreeModel
        Fitted tree.
    row : Rows
        The single row to explain.
    label : int
        Column of the label.
    beam_width : int or None
        Beam width of the search.
    score_params : ScoreParams
        Rule that turns margins into scores.
    """
    rule = model.score_rule(score_params)
    *cluster_transforms, label_transform = rule.transforms
    form, hierarchy, linear_levels = rule.form, model.hierarchy, model.matcher.levels
    nodes = _path_nodes(hierarchy, label)
    n_custom_levels = len(cluster_transforms) - len(linear_levels)
    steps = []
    beam = parent = ScoredNodes.single(0, 0.0)
    if n_custom_levels:
        matcher = model.matcher.with_levels([])  # the custom matcher without the levels below it
        node, transforms = nodes[n_custom_levels - 1], cluster_transforms[:n_custom_levels]
        scored = ScoredNodes.of_row(matcher.match(row, None, transforms))
        beam = ScoredNodes.of_row(matcher.match(row, beam_width, transforms))
        steps.append(
            PathStep(
                level=n_custom_levels,
                node=node,
                source="matcher",
                own_score=_shown_alone(scored.score_of(node), LOG_PROBABILITY, form),
                **NO_FEATURES,
                **_ranks(node, scored, scored, form),
                n_siblings=hierarchy.level_sizes[n_custom_levels - 1],
                kept=node in beam.ids,
            )
        )
        parent = scored.of(node)
    for level, transform, depth in zip(
        linear_levels,
        cluster_transforms[n_custom_levels:],
        range(n_custom_levels, len(cluster_transforms)),
        strict=True,
    ):
        node = nodes[depth]
        siblings = ScoredNodes.of_row(level.expand(row, parent.as_matrix(), 0, transform))
        scored = ScoredNodes.of_row(level.expand(row, beam.as_matrix(), 0, transform))
        beam = ScoredNodes.of_row(
            level.expand(row, beam.as_matrix(), beam_width or 0, transform, best_first=True)
        )
        steps.append(
            PathStep(
                level=depth + 1,
                node=node,
                **_linear_model_score(level, row, parent.ids[0], node, transform, form),
                **_ranks(node, siblings, scored, form),
                n_siblings=len(siblings.ids),
                kept=node in beam.ids,
            )
        )
        parent = siblings.of(node)
    siblings = ScoredNodes.of_row(model.ranker.rank(row, parent.as_matrix(), label_transform))
    scored = ScoredNodes.of_row(model.ranker.rank(row, beam.as_matrix(), label_transform))
    ranks = _ranks(label, siblings, scored, form)
    cluster, position = parent.ids[0], nodes[-1]
    if model.ranker.levels:
        (level,) = model.ranker.levels
        score = _linear_model_score(level, row, cluster, position, label_transform, form)
    else:
        score = _custom_ranker_score(model.ranker, row, cluster, label, label_transform, form)
    steps.append(
        PathStep(
            level=hierarchy.n_levels,
            node=label,
            **score,
            **ranks,
            lift=float(np.exp(label_transform.offset_weight * model.ranker.offsets[position])),
            n_siblings=len(siblings.ids),
            kept=ranks["beam_rank"] is not None,
        )
    )
    return steps


def _path_nodes(hierarchy, label):
    # The cluster of each level above a label, and the position of the label in label_order.
    nodes = [int(np.flatnonzero(hierarchy.label_order == label)[0])]
    for indptr in hierarchy.child_indptrs[:0:-1]:
        nodes.append(int(np.searchsorted(indptr, nodes[-1], side="right")) - 1)
    return nodes[::-1]


def _ranks(node, siblings, scored, form):
    return {
        "joint_score": float(form.shown(siblings.score_of(node))),
        "sibling_rank": siblings.rank_of(node),
        "beam_rank": scored.rank_of(node),
        "n_scored": len(scored.ids),
    }


def _custom_ranker_score(ranker, row, cluster, label, transform, form):
    without_offsets = LevelTransform(transform.shape, weight=transform.weight)
    parent = ScoredNodes.single(cluster, 0.0).as_matrix()
    alone = ScoredNodes.of_row(ranker.rank(row, parent, without_offsets))
    own_score = _shown_alone(alone.score_of(label), transform.shape, form)
    return {"source": "ranker", "own_score": own_score, **NO_FEATURES}


def _linear_model_score(level, row, parent, node, transform, form):
    n_siblings = np.diff(level.arrays["child_indptr"][parent : parent + 2])
    if level.only_children_inherit and n_siblings == 1:
        own_score = _shown_alone(np.float32(0.0), transform.shape, form)
        return {"source": "parent", "own_score": own_score, **NO_FEATURES}
    child = node - int(level.arrays["child_indptr"][parent])
    features, weights, intercept = LevelWeights(level).of_chunk(parent).of_child(child)
    in_row = np.isin(features, row.indices)
    features, weights = features[in_row], weights[in_row]
    values = row.data[np.searchsorted(row.indices, features)].astype(np.float64)
    contributions = weights * values
    order = np.argsort(-np.abs(contributions), kind="stable")
    margin = intercept + float(contributions.sum())
    zero = np.zeros(1, dtype=np.float32)
    (score,), _ = join_scores(
        zero, zero, np.array([margin], dtype=np.float32), LevelTransform(transform.shape)
    )
    return {
        "margin": margin,
        "intercept": intercept,
        "features": features[order],
        "values": values[order],
        "weights": weights[order],
        "contributions": contributions[order],
        "own_score": _shown_alone(score, transform.shape, form),
    }


def _shown_alone(score, shape, form):
    # The score of a single level is a margin (shape "identity") or a logarithm.
    return float(score if shape == SHAPES["identity"] or form.shows_logs else np.exp(score))

"""Follow one row along the path of the tree that leads to one label."""

from dataclasses import dataclass, field

import numpy as np

from skxmr._core.score_forms import UNSCORED_LOG
from skxmr._core.transforms import LOG_PROBABILITY, SHAPES, LevelTransform, join_scores
from skxmr._linear.level_weights import LevelWeights

_NO_FEATURES = {
    "features": np.empty(0, dtype=np.int32),
    "values": np.empty(0),
    "weights": np.empty(0),
    "contributions": np.empty(0),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class PathStep:
    """One step of a path: a cluster, or the label itself, among its siblings.

    Attributes
    ----------
    level : int
        Level of the tree: 1 is the root's children, the last the labels.
    node : int
        Number of the cluster on its level; column of the label on the last.
    name : str
        The label's name, or what the cluster holds.
    source : {"linear", "matcher", "ranker"}
        What scored it: a linear model, or an estimator of the user's own, which has a score but
        no margin, intercept and contributions to show.
    margin : float or None
        Value of the linear model: `intercept` plus all `contributions`.
    intercept : float or None
        What the model says of a row without features.
    features, values, weights, contributions : ndarray
        Features that both the row and the model have, the largest contribution in size first; a
        contribution is value times weight, in float64.
    names : tuple of str
        Names of `features`.
    own_score : float
        The transformed margin, or what the user's estimator gave.
    joint_score : float
        The score of the path down to here: what the beam, and in the end the ranking, goes by.
    lift : float
        Times what the score of a label was lifted for its rarity; 1 unless `propensity_weight`.
    sibling_rank, n_siblings : int or None, int
        Place among the children of the same parent, 1 the best. None if there is no score.
    beam_rank, n_scored : int or None, int
        Place among all that the beam scored on this level. None if the beam did not come here.
    kept : bool
        Whether the search goes on from here; of a label, whether it is ranked.
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


def nodes_on_path(hierarchy, label):
    """Return the node of each level above a label, and the label's place in the tree."""
    nodes = [int(np.flatnonzero(hierarchy.label_order == label)[0])]
    for indptr in hierarchy.child_indptrs[:0:-1]:
        nodes.append(int(np.searchsorted(indptr, nodes[-1], side="right")) - 1)
    return nodes[::-1]


def follow_path(model, x, label, beam_width, scoring):
    """Return the steps from the root to a label, without names.

    Parameters
    ----------
    model : TreeModel
        The tree.
    x : tuple
        (indices, data) of the row.
    label : int
        Column of the label.
    beam_width : int or None
        Clusters kept on each level.
    scoring : Scoring
        How margins become scores.

    Returns
    -------
    list of PathStep
    """
    rule = model.score_rule(scoring)
    *above, last = rule.transforms
    form, hierarchy = rule.form, model.hierarchy
    nodes = nodes_on_path(hierarchy, label)
    n_given = len(above) - len(model.matcher.levels)
    steps = []
    beam, parent = _one(0, 0.0), _one(0, 0.0)
    if n_given:
        step, beam, parent = _matched(
            model.matcher.with_levels([]), x, nodes[n_given - 1], beam_width, above[:n_given], form
        )
        steps.append(PathStep(level=n_given, n_siblings=hierarchy.level_sizes[n_given - 1], **step))
    for level, transform, depth in zip(
        model.matcher.levels, above[n_given:], range(n_given, len(above)), strict=True
    ):
        siblings = level.expand_row(x, parent, 0, transform)
        scored = level.expand_row(x, beam, 0, transform)
        beam = level.expand_row(x, beam, beam_width or 0, transform)
        node = nodes[depth]
        steps.append(
            PathStep(
                level=depth + 1,
                **_linear(level, x, parent[0][0], node, transform, form),
                **_places(node, siblings, scored, form),
                node=node,
                kept=bool(np.isin(node, beam[0])),
            )
        )
        parent = _one(node, _score_of(node, *siblings))
    siblings = model.ranker.rank_row(x, parent, last, 0)
    scored = model.ranker.rank_row(x, beam, last, 0)
    places = _places(label, siblings, scored, form)
    if model.ranker.levels:
        (level,) = model.ranker.levels
        own = _linear(level, x, parent[0][0], nodes[-1], last, form)
    else:
        alone = model.ranker.rank_row(x, _one(parent[0][0], 0.0), LevelTransform(last.shape), 0)
        own_score = _shown(_score_of(label, *alone), last.shape, form)
        own = {"source": "ranker", "own_score": own_score, **_NO_FEATURES}
    kept = places["beam_rank"] is not None
    lift = float(np.exp(last.offset_weight * model.ranker.offsets[nodes[-1]]))
    level = hierarchy.n_levels
    steps.append(PathStep(level=level, node=label, lift=lift, kept=kept, **own, **places))
    return steps


def _matched(matcher, x, node, beam_width, transforms, form):
    # The step of a matcher of the user's own, the beam after it and the node with its score.
    scored = matcher.match_row(x, None, transforms)
    beam = matcher.match_row(x, beam_width, transforms)
    own = matcher.match_row(x, None, [LevelTransform(LOG_PROBABILITY)] * len(transforms))
    places = _places(node, scored, scored, form)
    del places["n_siblings"]
    step = {
        "node": node,
        "source": "matcher",
        "own_score": _shown(_score_of(node, *own), LOG_PROBABILITY, form),
        "kept": bool(np.isin(node, beam[0])),
        **_NO_FEATURES,
        **places,
    }
    score = _score_of(node, *scored)
    return step, beam, _one(node, score)


def _linear(level, x, parent, node, transform, form):
    chunk = LevelWeights(level).of_chunk(parent)
    child = node - int(level.arrays["child_indptr"][parent])
    features, weights, intercept = chunk.of_child(child)
    features, at, at_row = np.intersect1d(features, x[0], assume_unique=True, return_indices=True)
    weights, values = weights[at], x[1][at_row].astype(np.float64)
    contributions = weights * values
    order = np.argsort(-np.abs(contributions), kind="stable")
    margin = intercept + float(contributions.sum())
    zero = np.zeros(1, dtype=np.float32)
    own = join_scores(zero, np.array([margin], dtype=np.float32), LevelTransform(transform.shape))
    return {
        "margin": margin,
        "intercept": intercept,
        "features": features[order],
        "values": values[order],
        "weights": weights[order],
        "contributions": contributions[order],
        "own_score": _shown(own[0], transform.shape, form),
    }


def _places(node, siblings, scored, form):
    joint = _score_of(node, *siblings)
    return {
        "joint_score": float(form.shown(joint)),
        "sibling_rank": place_of(node, *siblings),
        "n_siblings": len(siblings[0]),
        "beam_rank": place_of(node, *scored),
        "n_scored": len(scored[0]),
    }


def place_of(node, ids, scores):
    """Return the place of a node by falling score, from 1; None if it is not there."""
    found = np.flatnonzero(ids == node)
    if not len(found):
        return None
    score = scores[found[0]]
    return 1 + int(np.count_nonzero((scores > score) | ((scores == score) & (ids < node))))


def _score_of(node, ids, scores):
    found = np.flatnonzero(ids == node)
    return scores[found[0]] if len(found) else UNSCORED_LOG


def _one(node, score):
    return np.array([node], dtype=np.int32), np.array([score], dtype=np.float32)


def _shown(score, shape, form):
    # The score of a single level: a margin, or a logarithm.
    return float(score if shape == SHAPES["identity"] or form.shows_logs else np.exp(score))

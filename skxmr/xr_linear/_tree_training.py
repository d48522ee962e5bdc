"""Train stages two and three of one tree: which rows, at what cost, in which order."""

from typing import Any, NamedTuple

import numpy as np

from skxmr._core.levels import by_level
from skxmr._core.progress import NO_PROGRESS
from skxmr._core.score_rule import Scoring
from skxmr._core.validation import MAX_SEED
from skxmr._linear import LevelProblem, Solver, fit_levels
from skxmr._linear.relevance import target_costs
from skxmr.matching import (
    RecursiveLinearMatcher,
    beam_rows,
    count_matched_levels,
    fit_matcher,
    needs_beam,
    pattern_arrays,
    training_rows,
)
from skxmr.ranking import OneVsAllRanker, fit_ranker, rarity_offsets
from skxmr.xr_linear._tree_model import TreeModel


class TrainingOptions(NamedTuple):
    """How the levels of a tree are trained.

    Attributes
    ----------
    solver : Solver
        What each linear model minimises.
    negatives : str, matrix or sequence
        Which rows a cluster trains on; see `negative_sampling`.
    max_negatives : int or None
        Most rows that the beam may pass to a cluster in training.
    beam_width : int or None
        Clusters that the beam passes a row to in training.
    scoring : Scoring
        Scores of that beam.
    relevance : ndarray of float32 or None
        Of each positive.
    relevance_norm : {"l1", "l2", "max"} or None
        How it is normalised by row.
    row_costs : ndarray of float32 or None
        Weight of each row.
    matcher, matcher_level : estimator or None, int
        A matcher of the user's own, and the level of clusters that it tells.
    ranker : estimator or None
        A ranker of the user's own.
    max_weights_per_label : int or None
        Most weights that are kept of each label's model.
    n_jobs : int or None
        As in joblib.
    """

    solver: Solver
    negatives: Any = "tfn"
    max_negatives: int | None = None
    beam_width: int | None = 10
    scoring: Scoring = Scoring()
    relevance: np.ndarray | None = None
    relevance_norm: str | None = None
    row_costs: np.ndarray | None = None
    matcher: Any = None
    matcher_level: int = -1
    ranker: Any = None
    max_weights_per_label: int | None = None
    n_jobs: int | None = None


def training_options(classifier, scoring, negatives, relevance, row_costs):
    """Return the options of a classifier's parameters; the others as checked."""
    same = ("max_negatives", "beam_width", "relevance_norm", "matcher", "matcher_level", "ranker")
    # With a folder a level's weights are never all in memory: they are bounded as they are made.
    streamed = classifier.model_dir is not None
    return TrainingOptions(
        Solver(**{name: getattr(classifier, name) for name in Solver._fields}),
        negatives,
        scoring=scoring,
        relevance=relevance,
        row_costs=row_costs,
        max_weights_per_label=classifier.max_weights_per_label if streamed else None,
        n_jobs=classifier.n_jobs,
        **{name: getattr(classifier, name) for name in same},
    )


def train_tree(X, Y, hierarchy, random_state, options, store=None, progress=NO_PROGRESS):
    """Train the models of a tree's clusters and labels.

    Parameters
    ----------
    X : tuple
        (indptr, indices, data, n_features) of the training rows.
    Y : csr_array of shape (n_samples, n_labels)
        Canonical indicator.
    hierarchy : LabelHierarchy
        The tree.
    random_state : RandomState
        Seeds the solver.
    options : TrainingOptions
        How.
    store : FolderStore or None
        Where weights go as they are made; None keeps them in memory.
    progress : Progress
        Told of stages and levels.

    Returns
    -------
    TreeModel
    """
    seeds = [int(s) for s in random_state.randint(MAX_SEED, size=hierarchy.n_levels)]
    names = [np.arange(size, dtype=np.int32) for size in hierarchy.level_sizes[:-1]]
    names.append(hierarchy.label_order)
    targets = hierarchy.node_targets(Y, options.relevance)
    weights, n_jobs = options.row_costs, options.n_jobs
    n_matched = count_matched_levels(options.matcher, options.matcher_level, hierarchy.level_sizes)
    first = RecursiveLinearMatcher([])
    if n_matched:
        M, seed = targets[n_matched - 1], seeds[n_matched - 1]
        with progress.stage() as said:
            first = fit_matcher(options.matcher, X, M, seed=seed, sample_weight=weights)
            said.append(f"matcher: {M.shape[1]:,} clusters")
        progress.skip_levels(n_matched)

    def fit(problems, first_level):
        settings = {"row_costs": weights, "n_jobs": n_jobs, "progress": progress}
        return fit_levels(
            X, problems, options.solver, first_level=first_level, store=store, **settings
        )

    # Only the clusters of the beam are scored in training, so it does not matter what labels are.
    rule = options.scoring.rule((True,) * n_matched + (False,) * (hierarchy.n_levels - n_matched))
    levels, waiting = [], []
    wanted = by_level(options.negatives, hierarchy.n_levels)
    matrices = {id(each): each for each in wanted if not isinstance(each, str)}
    nodes = {key: hierarchy.node_targets(pairs) for key, pairs in matrices.items()}
    own = [nodes.get(id(each)) for each in wanted]
    for level in range(n_matched, hierarchy.n_levels):
        beam = None
        if level and needs_beam(wanted[level]):
            levels += fit(waiting, level - len(waiting))
            waiting = []
            with progress.stage() as said:
                beam = beam_rows(
                    first.with_levels(levels),
                    X,
                    hierarchy.level_sizes[level - 1],
                    options.beam_width,
                    rule.transforms[:level],
                    options.max_negatives,
                    n_jobs,
                )
                said.append(f"beam search of the training rows: {Y.shape[0]:,} rows")
        rows = _every_row(Y.shape[0])
        if level:
            pairs = own[level][level - 1] if own[level] else None
            rows = training_rows(wanted[level], targets[level - 1], pairs, beam)
        costs = None
        if options.relevance is not None:
            costs = target_costs(targets[level], options.relevance_norm)
        children = hierarchy.child_indptrs[level]
        positives = pattern_arrays(targets[level])
        most = options.max_weights_per_label if level == hierarchy.n_levels - 1 else None
        problem = LevelProblem(rows, positives, children, names[level], seeds[level], costs, most)
        waiting.append(problem)
    offsets = rarity_offsets(Y, hierarchy.label_order, weights)
    if options.ranker is not None:
        with progress.stage() as said:
            ranker = fit_ranker(
                options.ranker, X, waiting.pop(), offsets, n_jobs=n_jobs, sample_weight=weights
            )
            said.append(f"ranker: {Y.shape[1]:,} labels")
        levels += fit(waiting, hierarchy.n_levels - 1 - len(waiting))
        return TreeModel(first.with_levels(levels), ranker, hierarchy)
    *clusters, labels = levels + fit(waiting, hierarchy.n_levels - len(waiting))
    return TreeModel(first.with_levels(clusters), OneVsAllRanker(labels, offsets), hierarchy)


def _every_row(n_samples):
    return np.array([0, n_samples], dtype=np.int64), np.arange(n_samples, dtype=np.int32)

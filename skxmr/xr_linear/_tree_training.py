"""Training of the linear models of one tree: training rows, costs and order of the levels."""

from typing import Any, NamedTuple

import numpy as np

from skxmr._core.levels import expand_to_levels
from skxmr._core.node_rows import NodeRows
from skxmr._core.progress import NO_PROGRESS
from skxmr._core.score_rule import ScoreParams
from skxmr._core.validation import MAX_SEED
from skxmr._linear import LevelProblem, Solver, fit_levels, hash_clusters, hash_rows
from skxmr._linear.relevance import target_costs
from skxmr.matching import (
    RecursiveLinearMatcher,
    count_matched_levels,
    find_beam_rows,
    fit_matcher,
    needs_beam,
    select_training_rows,
)
from skxmr.ranking import OneVsAllRanker, compute_rarity_offsets, fit_ranker
from skxmr.xr_linear._tree_model import TreeModel


class TrainingOptions(NamedTuple):
    """Options for training the levels of a tree.

    Attributes
    ----------
    solver : Solver
        Objective of each linear model.
    negatives : str, matrix or sequence
        Selection of the training rows of a cluster; see `skxmr.matching`.
    beam_width : int or None
        Number of clusters that the beam search routes a training row to.
    score_params : ScoreParams
        Parameters of the scores of this beam search.
    relevance : ndarray of float32 or None
        Relevance of each positive.
    relevance_norm : {"l1", "l2", "max"} or None
        Norm by which the relevance of each row is scaled.
    row_weights : ndarray of float32 or None
        Multiplier of the cost of errors on each row.
    matcher : classifier or None
        Custom matcher.
    matcher_level : int
        Level of the clusters that the custom matcher predicts.
    ranker : classifier or None
        Custom ranker.
    n_jobs : int or None
        Number of workers, as in joblib.
    """

    solver: Solver
    negatives: Any = "tfn"
    beam_width: int | None = 10
    score_params: ScoreParams = ScoreParams()
    relevance: np.ndarray | None = None
    relevance_norm: str | None = None
    row_weights: np.ndarray | None = None
    matcher: Any = None
    matcher_level: int = -1
    ranker: Any = None
    n_jobs: int | None = None


def make_training_options(classifier, score_params, negatives, relevance, row_weights):
    """Return the options of a classifier; the other arguments are the validated ones of `fit`."""
    return TrainingOptions(
        Solver(**{name: getattr(classifier, name) for name in Solver._fields}),
        negatives=negatives,
        beam_width=classifier.beam_width,
        # A power of all cluster scores does not change their order, so it does not change the beam.
        score_params=score_params._replace(path_weight=1.0),
        relevance=relevance,
        relevance_norm=classifier.relevance_norm,
        row_weights=row_weights,
        matcher=classifier.matcher,
        matcher_level=classifier.matcher_level,
        ranker=classifier.ranker,
        n_jobs=classifier.n_jobs,
    )


def train_tree(X, Y, hierarchy, seed, options, store=None, progress=NO_PROGRESS, previous=None):
    """Train the models of all clusters and labels of a tree.

    Parameters
    ----------
    X : TrainingRows
        Training rows.
    Y : csr_array of shape (n_samples, n_labels)
        Canonical indicator.
    hierarchy : LabelHierarchy
        The tree.
    seed : int
        Seed of the solver and of random negatives.
    options : TrainingOptions
        Options.
    store : FolderStore or None
        Storage of finished weights; None keeps them in memory.
    progress : Progress
        Receiver of stages and levels.
    previous : PreviousTree or None
        Model whose weights are kept where the training data have not changed.

    Returns
    -------
    TreeModel
    """
    training = _TreeTraining(X, Y, hierarchy, seed, options, store, progress, previous)
    return training.run()


class _TreeTraining:
    """The training of one tree.

    Levels that do not need a beam search are collected and trained together. A level that needs
    one is trained after all levels above it.
    """

    def __init__(self, X, Y, hierarchy, seed, options, store, progress, previous):
        self.X, self.Y, self.hierarchy, self.seed = X, Y, hierarchy, seed
        self.options, self.store, self.progress = options, store, progress
        self.previous = previous
        n_levels = hierarchy.n_levels
        # Counted from the labels, so that a level above the others does not change their seeds.
        self.seeds = [(seed + n_levels - level) % MAX_SEED for level in range(n_levels)]
        self.row_hashes = hash_rows(*X, options.row_weights)
        self.key = options.solver.key
        self.targets = hierarchy.node_targets(Y, options.relevance)
        self.negatives = expand_to_levels(options.negatives, n_levels)
        # For each level with a matrix of negatives, its `node_targets`: one matrix (row, node) per
        # level of the tree. Each matrix is converted only once.
        matrices = {id(each): each for each in self.negatives if not isinstance(each, str)}
        converted = {key: hierarchy.node_targets(matrix) for key, matrix in matrices.items()}
        self.custom_pairs = [converted.get(id(each)) for each in self.negatives]
        self.matcher = RecursiveLinearMatcher([])  # a custom matcher may replace it
        self.n_matched = count_matched_levels(
            options.matcher, options.matcher_level, hierarchy.level_sizes
        )
        self.levels = []  # trained
        self.pending = []  # problems of the following levels

    def run(self):
        """Train all levels, and return the `TreeModel`."""
        if self.n_matched:
            self._fit_matcher()
        n_levels = self.hierarchy.n_levels
        for level in range(self.n_matched, n_levels):
            problem = self._make_problem(level)  # may train the pending levels
            self.pending.append(problem)
        offsets = compute_rarity_offsets(
            self.Y, self.hierarchy.label_order, self.options.row_weights
        )
        if self.options.ranker is None:
            self._train_pending()
            *clusters, labels = self.levels
            ranker = OneVsAllRanker(labels, offsets)
        else:
            ranker = self._fit_ranker(self.pending.pop(), offsets)
            self._train_pending()
            clusters = self.levels
        matcher = self.matcher.with_levels(clusters)
        return TreeModel(matcher, ranker, self.hierarchy, self.seed, self.key)

    def _make_problem(self, level):
        # The `LevelProblem` of a level. If it needs a beam search, trains the levels above.
        positives, hierarchy = self.targets[level], self.hierarchy
        costs = None
        if self.options.relevance is not None:
            costs = target_costs(positives, self.options.relevance_norm)
        if level == 0:
            rows = NodeRows.root(self.X.n_rows)
        else:
            beam = self._search(level) if needs_beam(self.negatives[level]) else None
            pairs = self.custom_pairs[level]
            pairs = None if pairs is None else pairs[level - 1]
            rows = select_training_rows(
                self.negatives[level], self.targets[level - 1], pairs, beam, self.seeds[level]
            )
        # Except for the only label of all, which is trained against the rows without labels.
        only_children_inherit = level > 0 or hierarchy.n_labels > 1
        n_children = np.diff(hierarchy.child_indptrs[level])
        if only_children_inherit and np.any(n_children == 1):
            rows = rows.without(n_children == 1)
        is_last = level == hierarchy.n_levels - 1
        child_ids = np.arange(hierarchy.level_sizes[level], dtype=np.int32)
        targets = NodeRows.from_csc(positives)
        child_indptr = hierarchy.child_indptrs[level]
        key = (self.key + self.seeds[level]) % 2**64
        fingerprints = hash_clusters(self.row_hashes, *rows, child_indptr, *targets, costs, key)
        kept = None
        if self.previous is not None:
            kept = self.previous.keep(
                level,
                hierarchy.n_levels,
                fingerprints,
                np.diff(child_indptr),
                self.options.solver.weight_dtype,
            )
        return LevelProblem(
            rows,
            targets,
            child_indptr,
            hierarchy.label_order if is_last else child_ids,
            self.seeds[level],
            fingerprints,
            costs,
            only_children_inherit,
            kept,
        )

    def _search(self, level):
        # Rows that the trained levels above route to each cluster.
        self._train_pending()
        n_levels = self.hierarchy.n_levels
        # Only clusters are scored, so the ranker does not matter here.
        rule = self.options.score_params.make_rule(
            (True,) * self.n_matched + (False,) * (n_levels - self.n_matched)
        )
        with self.progress.stage("beam search of the training rows") as stage:
            beam = find_beam_rows(
                self.matcher.with_levels(self.levels),
                self.X,
                self.hierarchy.level_sizes[level - 1],
                self.options.beam_width,
                rule.transforms[:level],
                self.options.n_jobs,
            )
            stage.result = f"{self.X.n_rows:,} rows"
        return beam

    def _train_pending(self):
        self.levels += fit_levels(
            self.X,
            self.pending,
            self.options.solver,
            first_level=self.n_matched + len(self.levels),
            store=self.store,
            row_weights=self.options.row_weights,
            n_jobs=self.options.n_jobs,
            progress=self.progress,
        )
        self.pending = []

    def _fit_matcher(self):
        level = self.n_matched - 1
        positives, options = self.targets[level], self.options
        with self.progress.stage("matcher") as stage:
            self.matcher = fit_matcher(
                options.matcher,
                self.X,
                positives,
                seed=self.seeds[level],
                sample_weight=options.row_weights,
            )
            stage.result = f"{positives.shape[1]:,} clusters"
        self.progress.skip_levels(self.n_matched)

    def _fit_ranker(self, problem, offsets):
        options = self.options
        with self.progress.stage("ranker") as stage:
            ranker = fit_ranker(
                options.ranker,
                self.X,
                problem,
                offsets,
                n_jobs=options.n_jobs,
                sample_weight=options.row_weights,
            )
            stage.result = f"{self.Y.shape[1]:,} labels"
        return ranker

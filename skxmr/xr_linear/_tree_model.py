"""A trained tree: a matcher, followed by a ranker."""

from functools import cached_property

import numpy as np

from skxmr._linear import prune_level
from skxmr.xr_linear._exact_search import ExactSearch
from skxmr.xr_linear._label_paths import LabelPaths
from skxmr.xr_linear._path_margins import read_margins


class TreeModel:
    """Rank labels with one tree.

    Parameters
    ----------
    matcher : RecursiveLinearMatcher or EstimatorMatcher
        Finds leaf clusters.
    ranker : OneVsAllRanker or EstimatorRanker
        Scores the labels of leaf clusters.
    hierarchy : LabelHierarchy
        The tree on which both were trained.
    seed : int or None
        Seed of the training; None for files of versions that did not store it.
    key : int or None
        `Solver.key` of the training.
    """

    def __init__(self, matcher, ranker, hierarchy, seed=None, key=None):
        self.seed = seed
        self.key = key
        self.matcher = matcher
        self.ranker = ranker
        self.hierarchy = hierarchy
        # By level, whether a custom estimator provides probabilities instead of margins.
        n_replaced = hierarchy.n_levels - 1 - len(matcher.levels)
        self._has_probabilities = (
            *(True,) * n_replaced,
            *(False,) * len(matcher.levels),
            not ranker.uses_margins,
        )

    @cached_property
    def label_paths(self):
        """The `LabelPaths` of the tree."""
        return LabelPaths(self.hierarchy)

    def __getstate__(self):
        """Return the attributes, without those that follow from the others."""
        return {name: value for name, value in vars(self).items() if name != "label_paths"}

    @property
    def models(self):
        """The trees of the model: this one."""
        return [self]

    @property
    def levels(self):
        """Linear models, from the root's children to the labels."""
        return [*self.matcher.levels, *self.ranker.levels]

    def score_rule(self, score_params):
        """Return the `ScoreRule` of this tree for given `ScoreParams`."""
        return score_params.make_rule(self._has_probabilities)

    def score_form(self, score_params):
        """Return the `ScoreForm` of the scores of `rank`."""
        return self.score_rule(score_params).form

    def max_clusters(self, beam_width):
        """Return the maximum number of clusters kept per row and level."""
        return min(beam_width or self.hierarchy.n_leaves, self.hierarchy.n_leaves)

    def max_scores(self, beam_width, k=0):
        """Return the maximum number of labels per row of a ranking; `k` as in `rank`."""
        indptr = self.hierarchy.child_indptrs[-1]
        max_leaf_size = int((indptr[1:] - indptr[:-1]).max())
        n_labels = min(self.max_clusters(beam_width) * max_leaf_size, self.hierarchy.n_labels)
        return min(k, n_labels) if k else n_labels

    def rank(self, X, beam_width, score_params, k=0, best_first=False, filters=None):
        """Rank the labels of each row.

        Parameters
        ----------
        X : Rows
            Rows to rank.
        beam_width : int or None
            Number of clusters kept on each level; None keeps all.
        score_params : ScoreParams
            Parameters of the score.
        k : int
            Maximum number of labels per row; 0 keeps all labels of the leaf clusters.
        best_first : bool
            Whether each row is sorted best first instead of by label.
        filters : list of TreeFilter or None
            Labels that may be returned: the filter of each tree, here of one. None allows all.

        Returns
        -------
        NodeScores
            Labels.
        """
        search = self._exact_search(score_params, k, filters) if beam_width is None and k else None
        if search is not None:
            return search.rank(X, best_first)
        *cluster_transforms, label_transform = self.score_rule(score_params).transforms
        if filters is None:
            clusters = self.matcher.match(X, beam_width, cluster_transforms)
            return self.ranker.rank(X, clusters, label_transform, k, best_first)
        *cluster_filters, label_filter = filters[0].levels
        clusters = self.matcher.match(X, beam_width, cluster_transforms, cluster_filters)
        return self.ranker.rank(X, clusters, label_transform, k, best_first, label_filter)

    def rank_row(self, x, beam_width, score_params, k, filters=None):
        """Return the `RowScores` of one `SparseRow`, best first."""
        search = self._exact_search(score_params, k, filters) if beam_width is None else None
        if search is not None:
            return search.rank_row(x)
        *cluster_transforms, label_transform = self.score_rule(score_params).transforms
        if filters is None:
            clusters = self.matcher.match_row(x, beam_width, cluster_transforms)
            return self.ranker.rank_row(x, clusters, label_transform, k)
        *cluster_filters, label_filter = filters[0].levels
        clusters = self.matcher.match_row(x, beam_width, cluster_transforms, cluster_filters)
        return self.ranker.rank_row(x, clusters, label_transform, k, label_filter)

    def _exact_search(self, score_params, k, filters=None):
        # The `ExactSearch`, or None if scores have no bound or a custom estimator needs all rows.
        rule = self.score_rule(score_params)
        if rule.form.is_margin or len(self.levels) < self.hierarchy.n_levels:
            return None
        *cluster_transforms, label_transform = rule.transforms
        return ExactSearch(
            self.matcher.levels,
            self.ranker.level,
            cluster_transforms,
            label_transform,
            self.ranker.used_offsets(label_transform),
            k,
            None if filters is None else filters[0],
        )

    def candidate_scorer(self, score_params):
        """Return a function (X, indptr, labels) -> scores of given labels.

        All clusters above the labels are visited. Data that depend only on the tree are computed
        once, for any number of blocks of rows.
        """
        self.check_linear("score_candidates")
        *cluster_transforms, label_transform = self.score_rule(score_params).transforms
        finder = self.label_paths

        def score(X, indptr, labels):
            paths, order = finder.find(indptr, labels)
            clusters = self.matcher.score(X, paths, cluster_transforms)
            scores = np.empty(len(labels), dtype=np.float32)
            scores[order], _ = self.ranker.score(X, clusters, paths[-1].wanted, label_transform)
            return scores

        return score

    def path_margins(self, X, indptr, labels):
        """Return the `PathMargins` of given labels of each row."""
        self.check_linear("tune_prediction")
        finder = self.label_paths
        return read_margins(self.levels, X, indptr, labels, self.ranker.offsets, finder)

    def check_linear(self, function):
        """Raise a ValueError, which names a function, if a custom estimator replaces a level."""
        if len(self.levels) < self.hierarchy.n_levels:
            raise ValueError(
                f"{function} needs linear models on all levels; this classifier has a custom "
                "matcher or ranker. Use the scores of predict_proba instead."
            )

    def prune(self, weight_threshold=0.0, max_weights_per_label=None):
        """Return the tree with fewer weights; see `prune_level`.

        Only the models of labels have a maximum number of weights. The model of a cluster
        represents many labels and needs more.
        """
        if not self.levels:
            raise ValueError("prune needs linear models; this classifier has none.")
        matcher = self.matcher
        if weight_threshold > 0:
            levels = [prune_level(level, weight_threshold) for level in matcher.levels]
            matcher = matcher.with_levels(levels)
        ranker = self.ranker.prune(weight_threshold, max_weights_per_label)
        return TreeModel(matcher, ranker, self.hierarchy, self.seed, self.key)

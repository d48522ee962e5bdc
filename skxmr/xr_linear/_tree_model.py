"""A fitted tree: the matcher and the ranker, one after the other."""

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import offsets_of
from skxmr._linear import prune_level


class TreeModel:
    """Rank labels by one tree.

    Parameters
    ----------
    matcher : RecursiveLinearMatcher or EstimatorMatcher
        Finds leaf clusters.
    ranker : OneVsAllRanker or EstimatorRanker
        Scores their labels.
    hierarchy : LabelHierarchy
        The tree that both were trained on.
    """

    def __init__(self, matcher, ranker, hierarchy):
        self.matcher = matcher
        self.ranker = ranker
        self.hierarchy = hierarchy
        # Levels that a matcher takes the place of, and labels that a ranker does.
        n_given = hierarchy.n_levels - 1 - len(matcher.levels)
        self._given = (
            (True,) * n_given + (False,) * len(matcher.levels) + (not ranker.takes_margins,)
        )

    @property
    def levels(self):
        """The linear models, from the root's children to the labels."""
        return [*self.matcher.levels, *self.ranker.levels]

    def most_clusters(self, beam_width):
        """Return the most clusters that a row keeps on a level."""
        return min(beam_width or self.hierarchy.n_leaves, self.hierarchy.n_leaves)

    def most_scores(self, beam_width, k=0):
        """Return the most labels that a row may be given, `k` at most if it is not 0."""
        indptr = self.hierarchy.child_indptrs[-1]
        widest = int((indptr[1:] - indptr[:-1]).max())
        most = min(self.most_clusters(beam_width) * widest, self.hierarchy.n_labels)
        return min(k, most) if k else most

    def score_form(self, scoring):
        """Return what the scores of `rank` are: a `ScoreForm`."""
        return scoring.rule(self._given).form

    def rank(self, X, beam_width, scoring, k=0, best_first=False):
        """Return (indptr, labels, scores) of the rows X; see `OneVsAllRanker.rank`.

        The beam keeps `beam_width` clusters a level, all if None; `scoring` is a `Scoring`.
        """
        rule = scoring.rule(self._given)
        *above, own = rule.transforms
        indptr, ids, scores = self.matcher.match(X, beam_width, above)
        return self.ranker.rank(X, (indptr, ids, rule.start(scores)), own, k, best_first)

    def rank_row(self, x, beam_width, scoring, k):
        """Return the (labels, scores) of one row (indices, data), best first."""
        rule = scoring.rule(self._given)
        *above, own = rule.transforms
        ids, scores = self.matcher.match_row(x, beam_width, above)
        return self.ranker.rank_row(x, (ids, rule.start(scores)), own, k)

    def candidate_scorer(self, scoring):
        """Make a function (X, indptr, labels) -> scores of given labels, with all their clusters.

        What depends on the tree alone is made once, for any number of blocks of rows.
        """
        if len(self.levels) < self.hierarchy.n_levels:
            raise ValueError(
                "score_candidates needs linear models on all levels; a matcher or ranker given to "
                "the classifier has none. Look the candidates up in predict_proba."
            )
        rule = scoring.rule(self._given)
        *above, own = rule.transforms
        child_indptrs = self.hierarchy.child_indptrs
        parents = [
            np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
            for indptr in child_indptrs
        ]
        position = np.empty(self.hierarchy.n_labels, dtype=np.int32)
        position[self.hierarchy.label_order] = np.arange(len(position), dtype=np.int32)

        def score(X, indptr, labels):
            # Labels by rising position, so that those of a cluster are neighbours in a row.
            places = np.arange(len(labels))
            by_position = sp.csr_array(
                (places, position[labels], indptr), shape=(len(indptr) - 1, len(position))
            )
            by_position.sort_indices()
            paths = _climb(indptr, by_position.indices.astype(np.int32, copy=False), parents)
            clusters = rule.start(self.matcher.score(X, paths, above))
            pair_indptr, pair_ids, *wanted = paths[-1]
            scores = np.empty(len(labels), dtype=np.float32)
            scores[by_position.data] = self.ranker.score(
                X, (pair_indptr, pair_ids, clusters), wanted, own
            )
            return scores

        return score

    def pruned(self, weight_threshold=0.0, max_weights_per_label=None):
        """Return the tree with fewer weights; see `prune_level`.

        The number is bounded for labels only: a cluster stands for many labels and needs more.
        """
        if not self.levels:
            raise ValueError("There are no linear models to prune beside a matcher and a ranker.")
        matcher = self.matcher
        if weight_threshold > 0:
            levels = [prune_level(level, weight_threshold) for level in matcher.levels]
            matcher = matcher.with_levels(levels)
        ranker = self.ranker.pruned(weight_threshold, max_weights_per_label)
        return TreeModel(matcher, ranker, self.hierarchy)


def _climb(indptr, nodes, parents):
    # The pairs to visit, level by level from the root, so that given nodes of the last level are
    # reached: for each level what RecursiveLinearMatcher.score calls a path.
    paths = []
    starts = indptr[:-1][np.diff(indptr) > 0]
    for parent_of in reversed(parents):
        above = parent_of[nodes]
        first = np.ones(len(nodes), dtype=bool)
        first[1:] = above[1:] != above[:-1]
        first[starts] = True
        before = offsets_of(first)
        indptr = before[indptr]
        wanted_indptr = np.append(np.flatnonzero(first), len(nodes))
        paths.append((indptr, above[first], wanted_indptr, nodes))
        nodes = above[first]
        starts = before[starts]
    return paths[::-1]

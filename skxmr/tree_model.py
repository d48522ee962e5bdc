"""A fitted tree: the matcher and the ranker, one after the other."""


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

    @property
    def levels(self):
        """The linear models, from the root's children to the labels."""
        return [*self.matcher.levels, *self.ranker.levels]

    def most_scores(self, beam_width):
        """Return the most labels that a row may be given."""
        indptr = self.hierarchy.child_indptrs[-1]
        widest = int((indptr[1:] - indptr[:-1]).max())
        return min(beam_width * widest, self.hierarchy.n_labels)

    def rank(self, X, beam_width, k=0, best_first=False):
        """Return (indptr, labels, log scores) of the rows X; see `OneVsAllRanker.rank`."""
        return self.ranker.rank(X, self.matcher.match(X, beam_width), k, best_first)

    def rank_row(self, x, beam_width, k):
        """Return the (labels, log scores) of one row (indices, data), best first."""
        return self.ranker.rank_row(x, self.matcher.match_row(x, beam_width), k)

"""The standard ranker: a linear model for each label, trained inside its leaf cluster."""


class OneVsAllRanker:
    """Score the labels of given clusters with one-vs-all linear models.

    Stage three of Yu et al. (2022), "PECOS", JMLR 23(98): a label learns to tell its rows from
    those of the labels in the same cluster, its hardest negatives. A label's score is its own
    transformed margin times the score of its cluster, kept as a logarithm.

    Parameters
    ----------
    level : LevelModel
        Models of the labels; children are named by label.
    """

    def __init__(self, level):
        self.level = level

    @property
    def levels(self):
        """The linear models, as a list."""
        return [self.level]

    def rank(self, X, clusters, k=0, best_first=False):
        """Score the labels of each row's clusters.

        Parameters
        ----------
        X : tuple
            (indptr, indices, data, n_features) of the rows.
        clusters : tuple
            (indptr, ids, log scores) of the clusters of each row, as a matcher returns them.
        k : int
            Most labels kept a row; 0 keeps all labels of the clusters.
        best_first : bool
            Order each row by falling score, not by rising label.

        Returns
        -------
        tuple
            (indptr int64, labels int32, log scores float32): a CSR matrix (row, label).
        """
        return self.level.expand(X, clusters, k, best_first)

    def rank_row(self, x, clusters, k):
        """Return the (labels, log scores) of one row (indices, data), best first."""
        return self.level.expand_row(x, clusters, k, True)

"""The standard matcher: a linear model on each level of the tree, searched with a beam."""

import numpy as np


class RecursiveLinearMatcher:
    """Score clusters level by level, keeping the best `beam_width` of each.

    The recursive linear model of Prabhu et al. (2018), "Parabel", WWW, and Yu et al. (2022),
    "PECOS", JMLR 23(98): one linear model for each node, trained against its siblings. A
    cluster's score is the product of the transformed margins on its path, kept as a logarithm.

    Parameters
    ----------
    levels : list of LevelModel
        Models of the levels of clusters, from the root's children to the leaf clusters; empty if
        the tree has one leaf.
    """

    def __init__(self, levels):
        self.levels = levels

    def followed_by(self, levels):
        """Return a matcher with more levels below."""
        return RecursiveLinearMatcher([*self.levels, *levels])

    def match(self, X, beam_width):
        """Return the best leaf clusters of each row.

        Parameters
        ----------
        X : tuple
            (indptr, indices, data, n_features) of the rows.
        beam_width : int
            Clusters kept on each level.

        Returns
        -------
        tuple
            (indptr int64, ids int32, log scores float32): a CSR matrix (row, leaf cluster), ids
            rising in each row.
        """
        n_rows = len(X[0]) - 1
        beam = (
            np.arange(n_rows + 1, dtype=np.int64),
            np.zeros(n_rows, dtype=np.int32),
            np.zeros(n_rows, dtype=np.float32),
        )
        for level in self.levels:
            beam = level.expand(X, beam, beam_width)
        return beam

    def match_row(self, x, beam_width):
        """Return the (ids, log scores) of the best leaf clusters of one row (indices, data)."""
        beam = (np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.float32))
        for level in self.levels:
            beam = level.expand_row(x, beam, beam_width)
        return beam

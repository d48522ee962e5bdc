"""The standard matcher: a linear model on each level of the tree, searched with a beam."""

import numpy as np

from skxmr.linear import LevelModel


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

    @classmethod
    def fit(cls, X, rows, targets, child_indptrs, *, seeds, **settings):
        """Train the levels of clusters.

        Parameters
        ----------
        X : tuple
            (indptr, indices, data, n_features) of the training rows.
        rows, targets : list of tuple
            For each level of clusters the rows that its parents train on, and the positive rows
            of its nodes, as (indptr, indices).
        child_indptrs : list of ndarray
            For each level of clusters the children of each parent.
        seeds : list of int
            A seed for each level.
        **settings
            What `LevelModel.fit` takes.

        Returns
        -------
        RecursiveLinearMatcher
        """
        return cls(
            [
                LevelModel.fit(
                    X,
                    *level,
                    np.arange(level[2][-1], dtype=np.int32),
                    seed=seed,
                    **settings,
                )
                for *level, seed in zip(rows, targets, child_indptrs, seeds, strict=True)
            ]
        )

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

"""The standard matcher: a linear model on each level of the tree, searched with a beam."""

import numpy as np


class RecursiveLinearMatcher:
    """Score clusters level by level, keeping the best `beam_width` of each.

    The recursive linear model of Prabhu et al. (2018), "Parabel", WWW, and Yu et al. (2022),
    "PECOS", JMLR 23(98): one linear model for each node, trained against its siblings. A
    cluster's score joins the transformed margins on its path, as the transforms say.

    Parameters
    ----------
    levels : list of LevelModel
        Models of the levels of clusters, from the root's children to the leaf clusters; empty if
        the tree has one leaf.
    """

    def __init__(self, levels):
        self.levels = levels

    def with_levels(self, levels):
        """Return a matcher with other levels."""
        return RecursiveLinearMatcher(levels)

    def match(self, X, beam_width, transforms):
        """Return the best leaf clusters of each row.

        Parameters
        ----------
        X : tuple
            (indptr, indices, data, n_features) of the rows.
        beam_width : int or None
            Clusters kept on each level; None keeps all.
        transforms : tuple
            Of each level, by `ScoreRule`.

        Returns
        -------
        tuple
            (indptr int64, ids int32, scores float32): a CSR matrix (row, leaf cluster), ids rising
            in each row.
        """
        n_rows = len(X[0]) - 1
        beam = (
            np.arange(n_rows + 1, dtype=np.int64),
            np.zeros(n_rows, dtype=np.int32),
            np.zeros(n_rows, dtype=np.float32),
        )
        for level, transform in zip(self.levels, transforms, strict=True):
            beam = level.expand(X, beam, beam_width or 0, transform)
        return beam

    def match_row(self, x, beam_width, transforms):
        """Return the (ids, scores) of the best leaf clusters of one row (indices, data)."""
        beam = (np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.float32))
        for level, transform in zip(self.levels, transforms, strict=True):
            beam = level.expand_row(x, beam, beam_width or 0, transform)
        return beam

    def score(self, X, paths, transforms):
        """Score given clusters, without a beam.

        Parameters
        ----------
        X, transforms
            As for `match`.
        paths : list of tuple
            For each level, that of the labels too, (indptr int64, parents int32, wanted_indptr
            int64, wanted int32): the parents of each row, and the children wanted of each of
            these. The children wanted of a level are the parents of the next.

        Returns
        -------
        ndarray of float32
            Scores of the leaf clusters: the parents of the last level.
        """
        scores = np.zeros(len(paths[0][1]), dtype=np.float32)
        for level, path, transform in zip(self.levels, paths[:-1], transforms, strict=True):
            indptr, parents, *wanted = path
            scores = level.score_children(X, (indptr, parents, scores), wanted, transform)
        return scores

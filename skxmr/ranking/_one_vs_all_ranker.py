"""The standard ranker: a linear model for each label, trained inside its leaf cluster."""

import numpy as np

from skxmr._linear import prune_level
from skxmr.metrics import label_propensities


class OneVsAllRanker:
    """Score the labels of given clusters with one-vs-all linear models.

    Stage three of Yu et al. (2022), "PECOS", JMLR 23(98): a label learns to tell its rows from
    those of the labels in the same cluster, its hardest negatives. A label's score joins its own
    transformed margin to the score of its cluster.

    Rare labels may be lifted as the labels of the beam are ranked, by the inverse of the propensity
    that Jain, Prabhu, Varma (2016), "Extreme Multi-label Loss Functions", KDD, re-rank with.

    Parameters
    ----------
    level : LevelModel
        Models of the labels; children are named by label.
    offsets : ndarray of shape (n_labels,), float32
        Added to a label's score, times the transform's weight; as `rarity_offsets` makes them.
    """

    takes_margins = True

    def __init__(self, level, offsets):
        self.level = level
        self.offsets = offsets

    @property
    def levels(self):
        """The linear models, as a list."""
        return [self.level]

    def pruned(self, weight_threshold, max_weights):
        """Return the ranker with fewer weights; see `prune_level`."""
        return OneVsAllRanker(prune_level(self.level, weight_threshold, max_weights), self.offsets)

    def rank(self, X, clusters, transform, k=0, best_first=False):
        """Score the labels of each row's clusters.

        Parameters
        ----------
        X : Rows
            Rows to rank.
        clusters : NodeScores
            Leaf clusters of each row, as a matcher returns them.
        transform : LevelTransform
            Transform of the level of the labels.
        k : int
            Maximum number of labels kept per row; 0 keeps all labels of the clusters.
        best_first : bool
            Whether each row is sorted by falling score instead of by label.

        Returns
        -------
        NodeScores
            Labels.
        """
        return self.level.expand(X, clusters, k, transform, best_first, self._offsets(transform))

    def rank_row(self, x, clusters, transform, k):
        """Return the (labels, scores) of one row (indices, data), best first."""
        return self.level.expand_row(x, clusters, k, transform, True, self._offsets(transform))

    def score(self, X, clusters, wanted, transform):
        """Return the scores of given labels; see `LevelModel.score_children`."""
        return self.level.score_children(X, clusters, wanted, transform, self._offsets(transform))

    def _offsets(self, transform):
        return self.offsets if transform.offset_weight else None


def rarity_offsets(Y, label_order, sample_weight=None):
    """Return log(least propensity / propensity): 0 for the rarest label, less for others.

    Parameters
    ----------
    Y : csr_array of shape (n_samples, n_labels)
        Training labels.
    label_order : ndarray of shape (n_labels,)
        Label at each position of the result.
    sample_weight : ndarray of shape (n_samples,) or None
        Number of times that each row counts. Weights that sum to less than 3 cannot be counts of
        rows; they are ignored.

    Returns
    -------
    ndarray of shape (n_labels,), float32
        Labels without a row, for which nothing was learned, are not lifted: they have the least
        offset. All 0 for fewer than three rows, from which no propensities follow.
    """
    seen = np.bincount(Y.indices, minlength=Y.shape[1]) > 0
    if Y.shape[0] < 3 or not seen.any():
        return np.zeros(Y.shape[1], dtype=np.float32)
    if sample_weight is not None and sample_weight.sum() < 3:
        sample_weight = None
    propensities = label_propensities(Y, sample_weight=sample_weight)
    offsets = np.log(propensities[seen].min() / propensities)
    offsets[~seen] = offsets[seen].min()
    return offsets[label_order].astype(np.float32)

"""The standard ranker: a linear model for each label, trained within its leaf cluster."""

import numpy as np

from skxmr._linear import prune_level, search_row
from skxmr.metrics import MIN_PROPENSITY_ROWS, label_propensities


class OneVsAllRanker:
    """Score the labels of given clusters with one-vs-all linear models.

    Stage three of Yu et al. (2022), "PECOS", JMLR 23(98): the model of a label is trained to
    separate its rows from the rows of the other labels in its cluster, which are its hardest
    negatives. The score of a label joins its transformed margin to the score of its cluster.

    Offsets decrease the scores of frequent labels, so that rare labels rank higher: a score is
    multiplied by (minimum propensity / propensity) ** weight. Jain, Prabhu, Varma (2016), "Extreme
    Multi-label Loss Functions", KDD, rank predictions again with the inverse propensity; here it
    acts while the labels of the beam are ranked.

    Parameters
    ----------
    level : LevelModel
        Models of the labels. The ids of the children are label numbers.
    offsets : ndarray of shape (n_labels,), float32
        Value added to the score of each label, multiplied by the offset weight of the transform; in
        tree order. See `compute_rarity_offsets`.

    Attributes
    ----------
    uses_margins : bool
        Whether a label's score comes from a margin.
    """

    uses_margins = True

    def __init__(self, level, offsets):
        self.level = level
        self.offsets = offsets

    @property
    def levels(self):
        """The linear models, as a list of one level."""
        return [self.level]

    def prune(self, weight_threshold, max_weights):
        """Return the ranker with fewer weights; see `prune_level`."""
        return OneVsAllRanker(prune_level(self.level, weight_threshold, max_weights), self.offsets)

    def rank(self, X, clusters, transform, k=0, best_first=False, node_filter=None):
        """Score the labels in the clusters of each row.

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
            Whether each row is sorted by decreasing score instead of by label.
        node_filter : NodeFilter or None
            Labels that may be returned. None allows all.

        Returns
        -------
        NodeScores
            Labels.
        """
        return self.level.expand(
            X,
            clusters,
            k,
            transform,
            best_first,
            self.used_offsets(transform),
            node_filter=node_filter,
        )

    def rank_row(self, x, clusters, transform, k, node_filter=None):
        """Return the `RowScores` of one `SparseRow`, best first."""
        offsets = self.used_offsets(transform)
        filters = None if node_filter is None else [node_filter]
        return search_row(
            [self.level], [transform], x, clusters, [k], True, offsets, node_filters=filters
        )

    def score(self, X, clusters, wanted, transform):
        """Return scores and margins of given labels; see `LevelModel.score_children`."""
        return self.level.score_children(
            X, clusters, wanted, transform, self.used_offsets(transform)
        )

    def used_offsets(self, transform):
        """Return the offsets, or None if the transform does not use them."""
        return self.offsets if transform.offset_weight else None


def compute_rarity_offsets(Y, label_order, sample_weight=None):
    """Return log(minimum propensity / propensity) of each label.

    The offset of the rarest label is 0. More frequent labels have lower offsets.

    Parameters
    ----------
    Y : csr_array of shape (n_samples, n_labels)
        Training labels.
    label_order : ndarray of shape (n_labels,)
        Label at each position of the result.
    sample_weight : ndarray of shape (n_samples,) or None
        Number of times that each row is counted. Weights with a sum below MIN_PROPENSITY_ROWS
        cannot be counts, so they are ignored.

    Returns
    -------
    ndarray of shape (n_labels,), float32
        Labels without positive rows get the minimum offset, because nothing was learned about them.
        If there are fewer than MIN_PROPENSITY_ROWS rows, all offsets are 0.
    """
    has_rows = np.bincount(Y.indices, minlength=Y.shape[1]) > 0
    if Y.shape[0] < MIN_PROPENSITY_ROWS or not has_rows.any():
        return np.zeros(Y.shape[1], dtype=np.float32)
    if sample_weight is not None and sample_weight.sum() < MIN_PROPENSITY_ROWS:
        sample_weight = None
    propensities = label_propensities(Y, sample_weight=sample_weight)
    offsets = np.log(propensities[has_rows].min() / propensities)
    offsets[~has_rows] = offsets[has_rows].min()
    return offsets[label_order].astype(np.float32)

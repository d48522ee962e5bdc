"""Stage 2 at prediction: fine-tuned encoders as the matcher of a linear classifier."""

import copy

import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.preprocessing import normalize

from skxmr._core.row_length import mean_row_length
from skxmr._core.rows import canonical_rows, in_float32
from skxmr.matching import find_varying_columns


class ClusterScorer(ClassifierMixin, BaseEstimator):
    """Matcher that averages the cluster scores of fine-tuned encoders and of linear models.

    The rows of X are those of `join_features`, which contain the embeddings. All models are
    trained before: `fit` does nothing, and a clone shares the models.

    Parameters
    ----------
    heads : list of ClusterHeads
        Heads of each encoder, all over the same clusters.
    widths : list of int
        Number of columns of each encoder's embeddings. They are the last columns of X, in this
        order.
    linear : XRLinearClassifier or None
        Linear models of the clusters, fitted on the same rows. They count as much as all encoders
        together. None averages the encoders only.
    columns : ndarray of int
        Clusters to score.
    beam_width : int or None
        Beam width of the search through the heads. None keeps all clusters.
    """

    def __init__(self, heads, widths, linear, columns, beam_width):
        self.heads = heads
        self.widths = widths
        self.linear = linear
        self.columns = columns
        self.beam_width = beam_width

    def __sklearn_clone__(self):
        # The models are large and never change, so a clone shares them.
        return copy.copy(self)

    def fit(self, X, y):
        """Return the scorer unchanged."""
        return self

    def predict_proba(self, X):
        """Return the mean scores as CSR of shape (n_rows, n_columns)."""
        scores, start = [], X.shape[1] - sum(self.widths)
        for heads, width in zip(self.heads, self.widths, strict=True):
            # Heads expect unit length. Embeddings in X have the length `embedding_weight`.
            E = normalize(X[:, start : start + width].toarray(), copy=False)
            scores.append(sp.csr_array(heads.predict_proba(E, self.beam_width)))
            start += width
        P = sum(scores[1:], scores[0]) / len(scores)
        if self.linear is not None:
            P = (P + sp.csr_array(self.linear.predict_proba(X))) / 2
        return P[:, self.columns]


def set_encoder_matcher(classifier, X, clusters, encoders, with_linear):
    """Set the fine-tuned encoders as the matcher of a linear classifier, with their tree.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Unfitted classifier. Its parameters are changed.
    X : csr_matrix of shape (n_samples, n_features)
        Output of `join_features`.
    clusters : LabelClusters
        Clusters that the encoders were trained on.
    encoders : list of TransformerMatcher
        Fitted encoders.
    with_linear : bool
        Whether to also train linear models of the clusters, and average both.
    """
    linear = None
    if with_linear:
        linear = clone(classifier).set_params(
            label_tree=clusters.cluster_hierarchy,
            label_features="pifa",
            branching_factor=None,
            max_leaf_size=None,
            negatives="tfn",
            ranker=None,
            score_transform="l3-hinge",
            propensity_weight=0.0,
            path_weight=1.0,
            sparse_output=True,
        )
        # `classifier` divides the rows of its matcher by their mean length. These rows are divided
        # already, so `linear` does not divide them again.
        rows = canonical_rows(X)
        linear.fit(
            in_float32(rows, length=mean_row_length(rows)).to_rows().to_csr(), clusters.targets
        )
    classifier.set_params(
        label_tree=clusters.label_hierarchy,
        label_features="pifa",
        branching_factor=None,
        max_leaf_size=None,
        matcher=ClusterScorer(
            [encoder.heads_ for encoder in encoders],
            [encoder.heads_.weights[0].shape[1] for encoder in encoders],
            linear,
            find_varying_columns(clusters.targets.tocsc()),
            encoders[0].beam_width,
        ),
        matcher_level=clusters.cluster_hierarchy.n_levels,
    )

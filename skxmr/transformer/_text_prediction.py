"""How a fitted classifier of texts answers: its linear models do, on rows made of the texts."""

import copy

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skxmr.transformer._joint_features import join_features
from skxmr.transformer._texts import check_texts

# Parameters of the linear classifier that act at prediction.
PREDICTION_PARAMETERS = (
    "beam_width",
    "score_transform",
    "propensity_weight",
    "sparse_output",
    "n_jobs",
)


class TextPredictionMixin:
    """The prediction methods of a classifier of texts.

    It has `vectorizer_`, `encoders_` and `classifier_`, and the parameters `classifier` and
    `embedding_weight`.
    """

    def transform(self, texts):
        """Return the rows that `classifier_` works on.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            One text a row.

        Returns
        -------
        csr_matrix of shape (n_samples, n_features), float32
            The vectoriser's row, of length 1, then the embeddings, together of length
            `embedding_weight` as it was in the fit.
        """
        check_is_fitted(self, "classifier_")
        texts = check_texts(texts)
        X = self.vectorizer_.transform(texts)
        E = side_by_side([encoder.transform(texts) for encoder in self.encoders_])
        return join_features(X, E, self._embedding_weight)

    def predict_topk(self, texts, k=10):
        """Return the best labels of each text in order.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            One text a row.
        k : int, default=10
            Number of labels wanted.

        Returns
        -------
        indices : ndarray of shape (n_samples, k), int32
            Columns of `y` (places in `classes_`), best first; -1 where the beam held fewer than k.
        scores : ndarray of shape (n_samples, k), float32
            As `XRLinearClassifier.predict_topk` gives them.
        """
        return self._linear().predict_topk(self.transform(texts), k)

    def predict_proba(self, texts):
        """Return a score between 0 and 1 for labels.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            One text a row.

        Returns
        -------
        scores : sparse CSR or ndarray of shape (n_samples, n_classes), float32
            As `XRLinearClassifier.predict_proba` gives them.
        """
        return self._linear().predict_proba(self.transform(texts))

    def decision_function(self, texts):
        """Return a score for labels: higher is more likely.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            One text a row.

        Returns
        -------
        scores : sparse CSR or ndarray of shape (n_samples, n_classes) or (n_samples,), float32
            As `XRLinearClassifier.decision_function` gives them.
        """
        return self._linear().decision_function(self.transform(texts))

    def predict(self, texts):
        """Return the labels whose score is at least one half, or the best class.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            One text a row.

        Returns
        -------
        y : sparse CSR or ndarray of shape (n_samples, n_labels) or (n_samples,)
            In the form and dtype of the `y` that was fitted.
        """
        return self._linear().predict(self.transform(texts))

    def score_candidates(self, texts, candidates):
        """Score given labels of each text, and no others.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            One text a row.
        candidates : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Labels to score: the stored entries of a sparse matrix, or what is not 0 in an array.

        Returns
        -------
        scores : sparse CSR of shape (n_samples, n_labels), float32
            The entries of `candidates` with scores in (0, 1].

        Raises
        ------
        ValueError
            As `XRLinearClassifier.score_candidates`: also where transformers score the clusters.
        """
        return self._linear().score_candidates(self.transform(texts), candidates)

    def _linear(self):
        # The linear models, with those parameters of `classifier` that act at prediction.
        check_is_fitted(self, "classifier_")
        if self.classifier is None:
            return self.classifier_
        now = copy.copy(self.classifier_)
        return now.set_params(**{p: getattr(self.classifier, p) for p in PREDICTION_PARAMETERS})


def side_by_side(blocks):
    """Join the embeddings of several encoders; those of one are not copied."""
    return blocks[0] if len(blocks) == 1 else np.hstack(blocks)

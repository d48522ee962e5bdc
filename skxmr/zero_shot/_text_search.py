"""Search of labels by the similarity of their texts and a row, with an expanded query."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from skxmr._core.arrays import csr_of, offsets_of
from skxmr._core.mixed_matrix import MixedMatrix
from skxmr._core.score_forms import pad_ranked_rows
from skxmr._core.topk import best_of_rows
from skxmr.matching import ExactIndex

# Number of predicted labels whose texts expand a query. Recall@3 of labels without rows, in
# percent, with only the texts of 5, 10 and 30 predicted labels (5 % of the labels, November 2026):
#   Debian:  TF-IDF 7.3, 7.5, 7.6;    MiniLM 10.4, 10.8, 10.9
#   WordNet: TF-IDF 23.5, 37.2, 37.0; MiniLM 28.9, 44.9, 45.7
N_EXPANSION_LABELS = 10
# Weight of each predicted label, times its precision. Recall@3 of labels without rows, in percent,
# with the weights 0, 0.125, 0.25, 0.5 and 1 (5 % of the labels, November 2026):
#   Debian:  TF-IDF 19.5, 21.4, 21.9, 21.3, 18.2; MiniLM 23.6, 26.1, 27.0, 26.2, 22.3
#   WordNet: TF-IDF 25.4, 31.0, 43.6, 51.7, 49.7; MiniLM 28.9, 40.2, 52.9, 60.8, 61.0
# The mean over labels, in which frequent labels do not count more, falls from 0.25 on:
#   Debian:  TF-IDF 33.8, 34.9, 33.6, 30.9, 25.8; MiniLM 35.3, 35.4, 34.9, 30.6, 26.1
#   WordNet: TF-IDF 62.0, 61.4, 59.8, 56.3, 42.3; MiniLM 70.0, 71.0, 70.0, 58.0, 39.9
EXPANSION_WEIGHT = 0.25


class LabelTextSearch:
    """Find the labels whose texts are most similar to a row and to the labels predicted for it.

    The query is the unit vector of the row, plus the unit vectors of the texts of the best
    predicted labels, each times `EXPANSION_WEIGHT` and the precision of its score. The sum over the
    predicted labels is the convex combination of semantic embeddings of Norouzi et al. (2014),
    "Zero-Shot Learning by Convex Combination of Semantic Embeddings", ICLR. To add it to the row is
    the query expansion of Rocchio (1971), "Relevance feedback in information retrieval".

    Parameters
    ----------
    vectors : {csr_array, ndarray} of shape (n_texts, n_features), float32
        Vectors of the texts of labels, from `read_vectors`.
    columns : ndarray of shape (n_texts,), int32
        Label of each text.
    is_new : ndarray of shape (n_texts,), bool
        Labels to search. The texts of the other labels expand queries.
    n_labels : int
        Number of labels.

    Attributes
    ----------
    new_columns : ndarray of shape (n_new,), int32
        Labels that are searched.
    is_new_label : ndarray of shape (n_labels,), bool
        Whether each label is searched.
    """

    def __init__(self, vectors, columns, is_new, n_labels):
        self.vectors = vectors
        self.columns = columns
        self.is_new = is_new
        self.n_labels = n_labels
        self.new_columns = columns[is_new]
        self.is_new_label = np.zeros(n_labels, dtype=bool)
        self.is_new_label[self.new_columns] = True
        self._unit_vectors = normalize(vectors)
        self._index = ExactIndex(_as_index_rows(vectors[is_new])) if len(self.new_columns) else None
        # Position of the text of each label; labels without a text, and new labels, have none.
        self._text_of_label = np.full(n_labels, -1)
        self._text_of_label[columns[~is_new]] = np.flatnonzero(~is_new)

    def search(self, rows, labels, precision, k):
        """Return the labels with the most similar texts.

        Parameters
        ----------
        rows : {csr_array, ndarray} of shape (n_rows, n_features), float32
            Result of `read_vectors`.
        labels : ndarray of shape (n_rows, any), int32
            Predicted labels, best first; -1 if there are no more.
        precision : ndarray of float32
            Probability that each is correct.
        k : int
            Number of labels per row.

        Returns
        -------
        labels : ndarray of shape (n_rows, k), int32
            New labels, best first; -1 if fewer texts have something in common with the query.
        similarities : ndarray of shape (n_rows, k), float32
            Cosine of the text and the query, in (0, 1]; -inf if the label is -1.
        """
        if self._index is None:
            shape = (len(labels), 0)
            return np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.float32)
        S = self._index.query(_as_index_rows(self._expand(rows, labels, precision)), k)
        indptr, ids = S.indptr.astype(np.int64), S.indices.astype(np.int32, copy=False)
        ranked = best_of_rows(indptr, ids, S.data, np.zeros_like(S.data), k, True)
        found, similarities = pad_ranked_rows(*ranked[:3], k)
        found[found >= 0] = self.new_columns[found[found >= 0]]
        return found, similarities

    def _expand(self, rows, labels, precision):
        labels, precision = labels[:, :N_EXPANSION_LABELS], precision[:, :N_EXPANSION_LABELS]
        texts = np.where(labels >= 0, self._text_of_label[labels], -1)
        has_text = texts >= 0
        weights = csr_of(
            offsets_of(np.count_nonzero(has_text, axis=1)),
            texts[has_text],
            np.float32(EXPANSION_WEIGHT) * precision[has_text],
            (len(labels), self.vectors.shape[0]),
        )
        texts = weights @ self._unit_vectors
        if sp.issparse(texts):
            # scipy adds in another order, which rounds differently, if an index is not sorted.
            texts.sort_indices()
        return normalize(rows) + texts


def read_vectors(rows):
    """Return rows in float32 as a csr_array or an ndarray; a `MixedMatrix` becomes a csr_array."""
    if isinstance(rows, MixedMatrix):
        rows = rows.tocsr()
    if sp.issparse(rows):
        rows = sp.csr_array(rows, dtype=np.float32, copy=True)
        rows.sum_duplicates()
        return rows
    return np.asarray(rows, dtype=np.float32)


def _as_index_rows(rows):
    # The rounding of a dense product in float32 depends on the number of rows.
    return rows if sp.issparse(rows) else rows.astype(np.float64)

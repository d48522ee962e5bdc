"""The default weight of the path, from the frequencies of the labels and the size of the clusters.

The model of a label is trained within its cluster. Among the labels of different clusters, its
score needs the scores of the clusters for one thing above all: which labels are frequent. If all
labels are about equally frequent, the scores of clusters mainly add errors, most if labels have few
rows. Then the score of the label itself should count more. This does not hold for small clusters:
there, the model of a label has been compared with few other labels.

Let m be the mean number of rows per label, r the root of its mean square, and s the mean number of
labels per leaf cluster. The weight is r / (3 min(m, 30)) * sqrt(64 / min(s, 64)), at least 0.4 and
at most 1. The constants were found in November 2026 on held-out rows of 102 data sets: real ones,
parts of them with fewer rows, shorter texts or without frequent labels, and generated ones. Where
the weight was below 0.9, the mean of P@1, P@3 and P@5 rose by 0.4 points on average. The length of
the texts and the similarity of the rows of a label had no influence; see doc/ranking_attempts.md.
"""

import numpy as np

MIN_WEIGHT = 0.4
SKEW_OF_WEIGHT_1 = 3.0  # r / m from which on the weight is 1
MANY_ROWS = 30.0  # with more rows per label, models of clusters are good enough
MANY_LABELS = 64.0  # with more labels per leaf cluster, the weight does not decrease further


def choose_path_weight(Y, row_weights, hierarchies):
    """Return the weight of the path for training labels; for several trees, the mean.

    Parameters
    ----------
    Y : csr_array of shape (n_samples, n_labels)
        Indicator.
    row_weights : ndarray of shape (n_samples,) or None
        Number of times that each row is counted.
    hierarchies : list of LabelHierarchy
        The trees.

    Returns
    -------
    float
        Number from `MIN_WEIGHT` to 1.
    """
    weights = None
    if row_weights is not None:
        weights = np.repeat(row_weights.astype(np.float64), np.diff(Y.indptr))
    n_rows = np.bincount(Y.indices, weights=weights)
    n_rows = n_rows[n_rows > 0]
    mean, root_mean_square = n_rows.mean(), np.sqrt(np.mean(np.square(n_rows, dtype=np.float64)))
    by_rows = root_mean_square / (SKEW_OF_WEIGHT_1 * min(mean, MANY_ROWS))
    leaf_sizes = np.array([tree.n_labels / tree.n_leaves for tree in hierarchies])
    by_tree = by_rows * np.sqrt(MANY_LABELS / np.minimum(leaf_sizes, MANY_LABELS))
    return float(np.mean(np.clip(by_tree, MIN_WEIGHT, 1.0)))

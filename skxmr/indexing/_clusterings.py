"""The parameter `clustering` of `HierarchicalLabelTree`: a table of its values, and checks."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_array

from skxmr._core.native_threads import limit_threads
from skxmr.indexing._balanced_tree import (
    build_balanced_hierarchy,
    build_random_hierarchy,
    plan_branching,
)
from skxmr.indexing._huffman_tree import build_huffman_hierarchy
from skxmr.indexing._splitters import CustomClusterer, KMeansBisector, KMeansSplitter
from skxmr.indexing._unbalanced_tree import build_unbalanced_hierarchy


class ClusteringTask(NamedTuple):
    """Input of a clustering: rows, and parameters of `HierarchicalLabelTree`.

    `Z` contains the label features in float32, of unit length for spherical clusterings.
    `frequencies` is None unless the clustering needs them.
    """

    Z: Any
    frequencies: np.ndarray | None
    clustering: Any
    balanced: bool
    branching_factor: int
    max_leaf_size: int
    max_iter: int
    seed: int
    n_jobs: int | None


class Clustering(NamedTuple):
    """An algorithm that groups labels into a tree.

    Attributes
    ----------
    build : callable
        Function of a `ClusteringTask` that returns a `LabelHierarchy` and the maximum number of
        iterations of a split, at least 1.
    spherical : bool
        Whether rows and centers are scaled to unit length.
    balanced_values : tuple of bool
        Values of the parameter `balanced` that the algorithm supports.
    balanced_reason : str
        Reason why it does not support both; part of an error message.
    needs_frequencies : bool
        Whether it uses the frequencies of labels.
    uses_label_features : bool
        Whether it uses the label features.
    """

    build: Any
    spherical: bool = False
    balanced_values: tuple = (True, False)
    balanced_reason: str = ""
    needs_frequencies: bool = False
    uses_label_features: bool = True


def _build_by_kmeans(task, spherical):
    bisector = KMeansBisector.of(task.Z, spherical, task.max_iter)
    if task.balanced:
        return _build_balanced(task, bisector)
    splitter = KMeansSplitter(task.Z, spherical, task.max_iter)
    return _build_unbalanced(task, splitter, bisector)


def _build_by_custom_clusterer(task):
    clusterer = CustomClusterer(task.clustering, task.Z)
    with limit_threads():
        if task.balanced:
            return _build_balanced(task, clusterer)
        bisector = KMeansBisector.of(task.Z, False, task.max_iter)
        return _build_unbalanced(task, clusterer, bisector)


def _build_balanced(task, bisector):
    n_labels = task.Z.shape[0]
    branching = plan_branching(n_labels, task.branching_factor, task.max_leaf_size)
    return build_balanced_hierarchy(
        n_labels, branching, bisector=bisector, seed=task.seed, n_jobs=task.n_jobs
    )


def _build_unbalanced(task, splitter, bisector):
    return build_unbalanced_hierarchy(
        task.Z.shape[0],
        task.branching_factor,
        task.max_leaf_size,
        splitter=splitter,
        bisector=bisector,
        seed=task.seed,
        n_jobs=task.n_jobs,
    )


def _build_random(task):
    hierarchy = build_random_hierarchy(
        task.Z.shape[0], task.branching_factor, task.max_leaf_size, seed=task.seed
    )
    return hierarchy, 1


def _build_huffman(task):
    hierarchy = build_huffman_hierarchy(task.frequencies, task.branching_factor, task.max_leaf_size)
    return hierarchy, 1


CLUSTERINGS = {
    "spherical-kmeans": Clustering(lambda task: _build_by_kmeans(task, True), spherical=True),
    "kmeans": Clustering(lambda task: _build_by_kmeans(task, False)),
    "random": Clustering(
        _build_random,
        balanced_values=(True,),
        balanced_reason="makes parts of equal size",
        uses_label_features=False,
    ),
    "huffman": Clustering(
        _build_huffman,
        balanced_values=(False,),
        balanced_reason="puts frequent labels near the root",
        needs_frequencies=True,
        uses_label_features=False,
    ),
}


def find_clustering(value):
    """Return the `Clustering` of a value of the parameter: a name of the table or an estimator."""
    return CLUSTERINGS[value] if isinstance(value, str) else Clustering(_build_by_custom_clusterer)


def check_clustering(clustering, balanced):
    """Check the parameters `clustering` and `balanced` of `HierarchicalLabelTree`.

    Raises a ValueError if an estimator has no parameter `n_clusters`, or if the clustering does not
    support this value of `balanced`.
    """
    if not isinstance(clustering, str) and (
        isinstance(clustering, type) or "n_clusters" not in clustering.get_params(deep=False)
    ):
        raise ValueError(
            "clustering must be a name or an instance of a clusterer with the parameter "
            f"n_clusters; got {clustering!r}."
        )
    found = find_clustering(clustering)
    if balanced not in found.balanced_values:
        raise ValueError(
            f"balanced must be {found.balanced_values[0]} for clustering={clustering!r}, which "
            f"{found.balanced_reason}; got {balanced}."
        )


def check_frequencies(clustering, frequencies, n_labels):
    """Return label frequencies as float64, or None if the clustering does not use them.

    Parameters
    ----------
    clustering : str or estimator
        Parameter of `HierarchicalLabelTree`.
    frequencies : array-like of shape (n_labels,) or None
        Weights of labels.
    n_labels : int
        Number of labels.

    Returns
    -------
    ndarray of shape (n_labels,) or None

    Raises
    ------
    ValueError
        If frequencies are missing, are not used, or are not one finite number, at least 0, per
        label.
    """
    if not find_clustering(clustering).needs_frequencies:
        if frequencies is not None:
            raise ValueError(
                f"frequencies must be None for clustering={clustering!r}; got "
                f"{type(frequencies).__name__}. Only clustering='huffman' uses frequencies."
            )
        return None
    if frequencies is None:
        raise ValueError(
            f"frequencies must be one number per label for clustering={clustering!r}; got None."
        )
    values = check_array(frequencies, ensure_2d=False, dtype=np.float64, input_name="frequencies")
    if values.shape != (n_labels,):
        raise ValueError(
            f"frequencies must have shape ({n_labels},), one number per label; got shape "
            f"{values.shape}."
        )
    if values.min() < 0:
        raise ValueError(f"frequencies must be at least 0; got {values.min()}.")
    return values

"""The clusterings that a label tree can be made by, in one table."""

from typing import NamedTuple

import numpy as np
from sklearn.utils import check_array

from skxmr.indexing._clusterer import ClustererSplitter
from skxmr.indexing._hierarchical_clustering import (
    KMeansBisector,
    balanced_hierarchy,
    random_hierarchy,
)
from skxmr.indexing._huffman import huffman_hierarchy
from skxmr.indexing._unbalanced_clustering import KMeansSplitter, unbalanced_hierarchy


class TreeTask(NamedTuple):
    """What a clustering works on: the rows, ready, and parameters of `HierarchicalLabelTree`."""

    Z: object
    frequencies: object
    clustering: object
    balanced: bool
    branching_factor: int
    max_leaf_size: int
    max_iter: int
    seed: int
    n_jobs: object

    @property
    def size(self):
        """Number of labels, and the most of them and of clusters in a cluster."""
        return self.Z.shape[0], self.branching_factor, self.max_leaf_size


def _kmeans(task, spherical):
    bisector = KMeansBisector.of(task.Z, spherical, task.max_iter)
    workers = {"bisector": bisector, "seed": task.seed, "n_jobs": task.n_jobs}
    if task.balanced:
        return balanced_hierarchy(*task.size, **workers)
    splitter = KMeansSplitter(task.Z, spherical, task.max_iter)
    return unbalanced_hierarchy(*task.size, splitter=splitter, **workers)


def _clusterer(task):
    splitter = ClustererSplitter(task.clustering, task.Z)
    workers = {"seed": task.seed, "n_jobs": task.n_jobs}
    if task.balanced:
        return balanced_hierarchy(*task.size, bisector=splitter, **workers)
    bisector = KMeansBisector.of(task.Z, False, task.max_iter)
    return unbalanced_hierarchy(*task.size, splitter=splitter, bisector=bisector, **workers)


class Clustering(NamedTuple):
    """A way to make a tree.

    Attributes
    ----------
    build : callable
        From a `TreeTask` to the tree and the most rounds of a split, at least 1.
    spherical : bool
        Whether rows and centres are scaled to unit length.
    balanced : bool or None
        The one value of `balanced` that it can do; None for both.
    reason : str
        Why it can do only one.
    needs_frequencies : bool
        Whether it goes by the frequencies of labels.
    sees_rows : bool
        Whether it looks at the representations of labels at all.
    """

    build: object
    spherical: bool = False
    balanced: object = None
    reason: str = ""
    needs_frequencies: bool = False
    sees_rows: bool = True


CLUSTERINGS = {
    "spherical-kmeans": Clustering(lambda task: _kmeans(task, True), spherical=True),
    "kmeans": Clustering(lambda task: _kmeans(task, False)),
    "random": Clustering(
        lambda task: (random_hierarchy(*task.size, seed=task.seed), 1),
        balanced=True,
        reason="draws parts of equal size",
        sees_rows=False,
    ),
    "huffman": Clustering(
        lambda task: (huffman_hierarchy(task.frequencies, *task.size[1:]), 1),
        balanced=False,
        reason="puts frequent labels near the root",
        needs_frequencies=True,
        sees_rows=False,
    ),
}


def clustering_of(value):
    """Return the `Clustering` of a parameter `clustering`: a name of the table or an estimator."""
    return CLUSTERINGS[value] if isinstance(value, str) else Clustering(_clusterer)


def check_clustering(clustering, balanced):
    """Refuse an estimator without `n_clusters`, and a `balanced` that a clustering cannot do.

    Parameters
    ----------
    clustering, balanced
        Parameters of `HierarchicalLabelTree`.

    Raises
    ------
    ValueError
        If so.
    """
    if not isinstance(clustering, str) and (
        isinstance(clustering, type) or "n_clusters" not in clustering.get_params(deep=False)
    ):
        raise ValueError(
            f"clustering={clustering!r} must be an instance of a clusterer with the parameter "
            "n_clusters, which is set for each split."
        )
    able = clustering_of(clustering)
    if able.balanced is not None and able.balanced != balanced:
        raise ValueError(
            f"clustering={clustering!r} {able.reason}: it needs balanced={able.balanced}; got "
            f"{balanced}."
        )


def check_frequencies(clustering, frequencies, n_labels):
    """Return frequencies as float64, or None for a clustering that makes no use of them.

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
        If they are missing, have no use, or do not hold one finite number, at least 0, a label.
    """
    if not clustering_of(clustering).needs_frequencies:
        if frequencies is not None:
            raise ValueError(
                "frequencies must be None: only clustering='huffman' makes use of them; "
                f"clustering is {clustering!r}."
            )
        return None
    if frequencies is None:
        raise ValueError(f"clustering={clustering!r} needs frequencies, one a label; got None.")
    values = check_array(frequencies, ensure_2d=False, dtype=np.float64, input_name="frequencies")
    if values.shape != (n_labels,):
        raise ValueError(
            f"frequencies must have shape ({n_labels},), one a label; got {values.shape}."
        )
    if values.min() < 0:
        raise ValueError(f"frequencies must be at least 0; got {values.min()}.")
    return values

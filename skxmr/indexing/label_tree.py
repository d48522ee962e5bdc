"""The tree of label clusters as a scikit-learn transformer."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skxmr._core.validation import (
    FLOATS,
    MAX_CHILDREN,
    MAX_SEED,
    as_public_csr,
    set_seen,
    validate_fit_data,
)
from skxmr.indexing.hierarchical_clustering import cluster_hierarchy
from skxmr.indexing.label_features import as_float32_rows


class HierarchicalLabelTree(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Tree of label clusters by recursive balanced k-means.

    Rows are labels: `fit` takes one representation for each label and groups them into clusters of
    at most `max_leaf_size` labels, the clusters into clusters of at most `branching_factor`, up to
    one root. Each split gives its parts sizes that differ by at most one, by recursive balanced
    2-means [1]_, and each level of the tree is made of several such splits [2]_.

    Parameters
    ----------
    branching_factor : int, default=16
        Most children of a cluster, from 2 up. Larger makes a shallower tree: often better and
        slower at prediction, where all children of a cluster in the beam are scored.
    max_leaf_size : int, default=100
        Most labels of a leaf cluster. Smaller trains faster and leaves more to the beam search.
    clustering : {"spherical-kmeans", "kmeans"}, default="spherical-kmeans"
        Spherical k-means scales rows and centres to unit length, as fits TF-IDF and embeddings.
    max_iter : int, default=20
        Most rounds of a split; it ends earlier once no row changes sides. A wide split counts
        them on a sample of its rows, and adds two over all.
    sparse_output : bool, default=True
        Whether `transform` returns a sparse array. A sparse one needs no room for zeros; pandas
        and polars output need False.
    random_state : int, RandomState instance or None, default=None
        Seeds the first centres. The same seed gives the same tree for any `n_jobs`.
    n_jobs : int or None, default=None
        Threads for splits, as in joblib.

    Attributes
    ----------
    hierarchy_ : LabelHierarchy
        The fitted tree.
    labels_ : ndarray of shape (n_labels,), int32
        Leaf cluster of each training row; balanced, so a row may lie elsewhere than `predict`,
        which follows the nearest centres, would place it.
    n_leaves_ : int
        Number of leaf clusters.
    n_levels_ : int
        Number of levels below the root, the labels included.
    cluster_centers_ : list of ndarray or csr_array of shape (n_clusters, n_features)
        Centres of the clusters of each level, sparse if the fitted rows were.
    n_iter_ : int
        Most rounds that a split took; 1 if all labels fit in one leaf.
    n_features_in_ : int
        Number of features of a label.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features, where the fitted data had them.

    See Also
    --------
    XRLinearClassifier : The classifier that uses such a tree.
    LabelHierarchy : The tree as arrays.

    References
    ----------
    .. [1] Y. Prabhu, A. Kag, S. Harsola, R. Agrawal, M. Varma (2018). "Parabel: Partitioned Label
       Trees for Extreme Classification with Application to Dynamic Search Advertising". WWW.
    .. [2] H.-F. Yu, K. Zhong, J. Zhang, W.-C. Chang, I. S. Dhillon (2022). "PECOS: Prediction for
       Enormous and Correlated Output Spaces". JMLR 23(98).

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr import HierarchicalLabelTree
    >>> Z = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]])
    >>> tree = HierarchicalLabelTree(branching_factor=2, max_leaf_size=2, random_state=0).fit(Z)
    >>> tree.hierarchy_
    LabelHierarchy(level_sizes=(2, 4))
    >>> bool(tree.labels_[0] == tree.labels_[1] != tree.labels_[2] == tree.labels_[3])
    True
    """

    _parameter_constraints = {
        "branching_factor": [Interval(Integral, 2, MAX_CHILDREN, closed="both")],
        "max_leaf_size": [Interval(Integral, 1, MAX_CHILDREN, closed="both")],
        "clustering": [StrOptions({"spherical-kmeans", "kmeans"})],
        "max_iter": [Interval(Integral, 1, 2**31 - 1, closed="both")],
        "sparse_output": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [None, Integral],
    }

    def __init__(
        self,
        branching_factor=16,
        max_leaf_size=100,
        *,
        clustering="spherical-kmeans",
        max_iter=20,
        sparse_output=True,
        random_state=None,
        n_jobs=None,
    ):
        self.branching_factor = branching_factor
        self.max_leaf_size = max_leaf_size
        self.clustering = clustering
        self.max_iter = max_iter
        self.sparse_output = sparse_output
        self.random_state = random_state
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, Z, y=None):
        """Group the rows of Z into a tree.

        Parameters
        ----------
        Z : {array-like, sparse matrix} of shape (n_labels, n_features)
            A representation of each label; computed with in float32.
        y : None
            Ignored; here for pipelines.

        Returns
        -------
        self : HierarchicalLabelTree
            The fitted tree.

        Raises
        ------
        ValueError
            If a parameter is out of its range, or Z has no rows, no features, or values that are
            not finite.
        """
        Z, seen = validate_fit_data(self, Z, accept_sparse="csr", dtype=FLOATS)
        Z = self._rows(Z)
        self.hierarchy_, self.n_iter_ = self._cluster(Z)
        self.labels_ = self.hierarchy_.leaf_of_label.copy()
        self.n_leaves_ = self.hierarchy_.n_leaves
        self.n_levels_ = self.hierarchy_.n_levels
        self.cluster_centers_ = self._centers(Z)
        set_seen(self, seen)
        return self

    def fit_hierarchy(self, Z):
        """Group rows that are ready as `fit` does, but return the tree alone.

        Saves the centres, which only `transform` and `predict` need, and a copy of the rows.
        Changes nothing in `self`.

        Parameters
        ----------
        Z : csr_array of shape (n_labels, n_features)
            Unit rows in float32, as `positive_instance_features` makes them.

        Returns
        -------
        LabelHierarchy
            Equal to the `hierarchy_` of a fit.
        """
        self._validate_params()
        return self._cluster(Z)[0]

    def predict(self, Z):
        """Route rows down the nearest centres to a leaf cluster.

        Parameters
        ----------
        Z : {array-like, sparse matrix} of shape (n_rows, n_features)
            Representations in the space of the fitted ones.

        Returns
        -------
        leaves : ndarray of shape (n_rows,), int32
            Leaf cluster of each row.
        """
        check_is_fitted(self)
        Z = validate_data(self, Z, accept_sparse="csr", dtype=FLOATS, reset=False)
        return self._route(self._rows(Z))

    def transform(self, Z):
        """Route rows to leaf clusters, one-hot.

        Parameters
        ----------
        Z : {array-like, sparse matrix} of shape (n_rows, n_features)
            Representations in the space of the fitted ones; labels never seen are placed too.

        Returns
        -------
        memberships : sparse CSR or ndarray of shape (n_rows, n_leaves)
            One 1 in each row, in the dtype of `Z` (float64 if that is not floating).
        """
        check_is_fitted(self)
        Z = validate_data(self, Z, accept_sparse="csr", dtype=FLOATS, reset=False)
        leaves = self._route(self._rows(Z))
        memberships = as_public_csr(
            np.arange(len(leaves) + 1),
            leaves,
            np.ones(len(leaves), dtype=Z.dtype),
            (len(leaves), self.n_leaves_),
        )
        return memberships if self.sparse_output else memberships.toarray()

    def fit_transform(self, Z, y=None):
        """Fit to Z, then transform it.

        Parameters
        ----------
        Z : {array-like, sparse matrix} of shape (n_labels, n_features)
            A representation of each label.
        y : None
            Ignored; here for pipelines.

        Returns
        -------
        memberships : sparse CSR or ndarray of shape (n_labels, n_leaves)
            The nearest leaf of each row, as `transform` finds it; `labels_` has the balanced one.
        """
        return self.fit(Z).transform(Z)

    @property
    def _n_features_out(self):
        return self.n_leaves_

    def set_output(self, *, transform=None):
        """Choose the container of `transform`.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            Anything but "default" needs ``sparse_output=False``: a sparse result fits no frame.

        Returns
        -------
        self : HierarchicalLabelTree
            The transformer.

        Raises
        ------
        ValueError
            If a frame is asked for while `sparse_output` is True.
        """
        if transform not in (None, "default") and self.sparse_output:
            raise ValueError(
                f"set_output(transform={transform!r}) needs sparse_output=False: the sparse "
                "memberships cannot be put in a data frame."
            )
        return super().set_output(transform=transform)

    def _rows(self, Z):
        # In the precision given: squares of small values vanish in float32. Z itself is left alone.
        if self.clustering == "spherical-kmeans":
            Z = normalize(Z, norm="l2", axis=1, copy=True)
        return as_float32_rows(Z)

    def _cluster(self, Z):
        return cluster_hierarchy(
            Z,
            self.branching_factor,
            self.max_leaf_size,
            spherical=self.clustering == "spherical-kmeans",
            max_iter=self.max_iter,
            seed=int(check_random_state(self.random_state).randint(MAX_SEED)),
            n_jobs=self.n_jobs,
        )

    def _centers(self, Z):
        # From the leaves up: the sum over a cluster is the sum over its children.
        parents = self.hierarchy_.to_parents()
        sums, sizes, centers = Z, np.ones(Z.shape[0]), []
        for parent, n_clusters in zip(
            parents[:0:-1], self.hierarchy_.level_sizes[-2::-1], strict=True
        ):
            members = sp.csr_array(
                (np.ones(len(parent), dtype=np.float32), (parent, np.arange(len(parent)))),
                shape=(n_clusters, len(parent)),
            )
            sums = members @ sums
            sizes = members @ sizes
            if self.clustering == "spherical-kmeans":
                centers.append(normalize(sums, norm="l2", axis=1, copy=True))
            else:
                scale = (1.0 / sizes).astype(np.float32)
                centers.append(
                    sp.csr_array(sp.diags_array(scale) @ sums)
                    if sp.issparse(sums)
                    else sums * scale[:, None]
                )
        return centers[::-1]

    def _route(self, Z):
        # Nearest child centre, level by level, for the rows of each node together.
        node = np.zeros(Z.shape[0], dtype=np.int32)
        for indptr, centers in zip(
            self.hierarchy_.child_indptrs[:-1], self.cluster_centers_, strict=True
        ):
            if self.clustering == "kmeans":
                squares = centers.multiply(centers) if sp.issparse(centers) else centers**2
                offset = -0.5 * np.asarray(squares.sum(axis=1), dtype=np.float32).ravel()
            else:
                offset = np.zeros(centers.shape[0], dtype=np.float32)
            order = np.argsort(node, kind="stable")
            edges = np.searchsorted(node[order], np.arange(len(indptr)))
            below = np.empty_like(node)
            for parent in np.flatnonzero(np.diff(edges)):
                children = slice(indptr[parent], indptr[parent + 1])
                # Products with all children are dense: a block of rows at a time.
                size = max(1, 2**22 // (children.stop - children.start))
                for start in range(edges[parent], edges[parent + 1], size):
                    rows = order[start : min(start + size, edges[parent + 1])]
                    near = Z[rows] @ centers[children].T
                    near = near.toarray() if sp.issparse(near) else near
                    below[rows] = indptr[parent] + np.argmax(near + offset[children], axis=1)
            node = below
        return node

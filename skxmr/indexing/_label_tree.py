"""HierarchicalLabelTree: group labels into a tree of clusters, as a scikit-learn transformer."""

from numbers import Integral

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skxmr._core.arrays import as_public_csr
from skxmr._core.validation import (
    MAX_CHILDREN,
    MAX_SEED,
    N_JOBS,
    set_input_attributes,
    validate_fit_rows,
    validate_rows,
)
from skxmr.indexing._clusterings import (
    CLUSTERINGS,
    ClusteringTask,
    check_clustering,
    check_frequencies,
    find_clustering,
)
from skxmr.indexing._normalization import as_float32_rows
from skxmr.indexing._routing import compute_level_centers, route_rows


class HierarchicalLabelTree(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Group labels into a tree of clusters by recursive clustering.

    Rows are labels: `fit` takes one vector per label. Each leaf cluster has at most
    `max_leaf_size` labels, and each other cluster has at most `branching_factor` children. By
    default all clusters of a level have sizes that differ by at most one: recursive balanced
    2-means [1]_ divides the labels, and several rounds of it give one level of the tree [2]_.

    Parameters
    ----------
    branching_factor : int, default=16
        Maximum number of children per cluster, at least 2. A larger value gives a tree with fewer
        levels. This often improves the ranking, but slows down prediction, which scores all
        children of the clusters in the beam.
    max_leaf_size : int, default=100
        Maximum number of labels per leaf cluster. A smaller value makes training faster, but more
        decisions depend on the beam search.
    clustering : {"spherical-kmeans", "kmeans", "random", "huffman"} or clusterer, \
            default="spherical-kmeans"
        Algorithm that splits a cluster:

        - "spherical-kmeans" scales rows and centers to unit length. It suits TF-IDF and embeddings.
        - "kmeans" uses rows unchanged.
        - "random" ignores the rows: a fast baseline.
        - "huffman" uses only the `frequencies` passed to `fit`: frequent labels get short
          paths [4]_. It needs ``balanced=False``.
        - A scikit-learn clusterer with the parameter `n_clusters` is cloned for each split. Its
          `n_clusters` is set, and so is its `random_state` if that is None. It receives the rows
          unchanged, in float32, and sparse if the rows passed to `fit` are sparse. BLAS and OpenMP
          use one thread per split; `n_jobs` splits run in parallel.

        k-means finds the centers on a sample if a cluster is large. With ``balanced=True``, more
        than 8,192 rows are cut on a sample of 4,096. With ``balanced=False``, the sample has 4,096
        rows, or 64 per center if that is more.
    balanced : bool, default=True
        Whether the parts of a split have sizes that differ by at most one.

        True cuts clusters in two repeatedly. A custom clusterer is asked for two clusters, and the
        rows nearest to the center of the other cluster move there until the sizes are right.

        False keeps the clusters that the clustering finds, and splits each into `branching_factor`
        clusters until it has at most `max_leaf_size` labels. Single-child clusters extend leaves
        that are finished early. Clusters that the clustering does not divide, or that are still too
        large one level below the depth of a balanced tree, are cut evenly. This is slower, and
        suits trees with few levels and many children per cluster, such as
        ``branching_factor=100`` [3]_.
    max_iter : int, default=20
        Maximum number of iterations of a k-means split. A split stops earlier if no row changes
        its cluster. A split on a sample counts the iterations on the sample, and adds up to two
        over all rows. Ignored by other clusterings.
    sparse_output : bool, default=True
        Whether `transform` returns a sparse matrix. Output as a pandas or polars data frame needs
        False.
    random_state : int, RandomState instance or None, default=None
        Seed of the splits. The same seed gives the same tree for any `n_jobs`.
    n_jobs : int or None, default=None
        Number of threads, as in joblib.

    Attributes
    ----------
    hierarchy_ : LabelHierarchy
        Fitted tree.
    labels_ : ndarray of shape (n_labels,), int32
        Leaf cluster of each training row. `predict` may return a different leaf, because it follows
        the nearest centers: balanced splits move rows away from the nearest center, and some
        clusterings do not use centers.
    n_leaves_ : int
        Number of leaf clusters.
    n_levels_ : int
        Number of levels below the root, including the labels.
    cluster_centers_ : list of ndarray or csr_array of shape (n_clusters, n_features)
        Centers of the clusters of each level; sparse if the training rows were sparse. float32 for
        spherical k-means, else float64.
    n_iter_ : int
        Maximum number of iterations of a k-means split; 1 if there was no such split.
    n_features_in_ : int
        Number of features per label.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if the training data had names.

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
    .. [3] S. Khandagale, H. Xiao, R. Babbar (2020). "Bonsai: Diverse and Shallow Trees for Extreme
       Multi-label Classification". Machine Learning 109.
    .. [4] K. Jasinska, K. Dembczynski, R. Busa-Fekete, K. Pfannschmidt, T. Klerx, E. Huellermeier
       (2016). "Extreme F-measure Maximization Using Sparse Probability Estimates". ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr import HierarchicalLabelTree
    >>> Z = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]])
    >>> tree = HierarchicalLabelTree(branching_factor=2, max_leaf_size=2, random_state=0).fit(Z)
    >>> tree.hierarchy_
    LabelHierarchy(level_sizes=(2, 4))
    >>> tree.labels_
    array([1, 1, 0, 0], dtype=int32)
    >>> tree.predict([[0.8, 0.1]])
    array([1], dtype=int32)
    """

    _parameter_constraints = {
        "branching_factor": [Interval(Integral, 2, MAX_CHILDREN, closed="both")],
        "max_leaf_size": [Interval(Integral, 1, MAX_CHILDREN, closed="both")],
        "clustering": [StrOptions(set(CLUSTERINGS)), HasMethods(["fit_predict", "get_params"])],
        "balanced": ["boolean"],
        "max_iter": [Interval(Integral, 1, 2**31 - 1, closed="both")],
        "sparse_output": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        branching_factor=16,
        max_leaf_size=100,
        *,
        clustering="spherical-kmeans",
        balanced=True,
        max_iter=20,
        sparse_output=True,
        random_state=None,
        n_jobs=None,
    ):
        self.branching_factor = branching_factor
        self.max_leaf_size = max_leaf_size
        self.clustering = clustering
        self.balanced = balanced
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
    def fit(self, Z, y=None, *, frequencies=None):
        """Group the rows of Z into a tree.

        Parameters
        ----------
        Z : {array-like, sparse matrix} of shape (n_labels, n_features)
            Label features, one row per label. Converted to float32.
        y : None
            Ignored; present for compatibility with pipelines.
        frequencies : array-like of shape (n_labels,) or None, default=None
            Number of occurrences of each label, or another weight. Required for
            ``clustering="huffman"``; must be None for other clusterings.

        Returns
        -------
        self : HierarchicalLabelTree
            Fitted tree.

        Raises
        ------
        ValueError
            If a parameter is invalid, if parameters cannot be combined, or if Z has no rows, no
            features, or values that are not finite.
        """
        Z, input_attributes = validate_fit_rows(self, Z, "Z")
        frequencies = check_frequencies(self.clustering, frequencies, Z.shape[0])
        Z = self._prepare_rows(Z)
        self.hierarchy_, self.n_iter_ = self._build_hierarchy(Z, frequencies)
        self.labels_ = self.hierarchy_.leaf_of_label.copy()
        self.n_leaves_ = self.hierarchy_.n_leaves
        self.n_levels_ = self.hierarchy_.n_levels
        self.cluster_centers_ = compute_level_centers(self.hierarchy_, Z, self._is_spherical)
        set_input_attributes(self, input_attributes)
        return self

    def fit_hierarchy(self, Z, *, frequencies=None):
        """Group rows as `fit` does, and return only the tree.

        This is faster than `fit` and needs less memory: it does not validate or copy Z, and does
        not compute the centers that `transform` and `predict` need. `self` is not modified.

        Parameters
        ----------
        Z : {ndarray, csr_array} of shape (n_labels, n_features), float32
            Label features with rows of unit length, such as the result of
            `positive_instance_features`.
        frequencies : array-like of shape (n_labels,) or None, default=None
            See `fit`.

        Returns
        -------
        LabelHierarchy
            Equal to `hierarchy_` after `fit`.

        Raises
        ------
        ValueError
            If a parameter is invalid or if parameters cannot be combined.
        """
        self._validate_params()
        frequencies = check_frequencies(self.clustering, frequencies, Z.shape[0])
        hierarchy, _ = self._build_hierarchy(Z, frequencies)
        return hierarchy

    def predict(self, Z):
        """Return the leaf cluster of each row: on each level, follow the nearest center.

        Parameters
        ----------
        Z : {array-like, sparse matrix} of shape (n_rows, n_features)
            Label features with the same columns as the training rows.

        Returns
        -------
        leaves : ndarray of shape (n_rows,), int32
            Leaf cluster of each row.
        """
        check_is_fitted(self)
        Z = validate_rows(self, Z, "Z")
        return self._route_rows(Z)

    def transform(self, Z):
        """Return the leaf clusters of rows in one-hot encoding.

        Rows may be new labels: they are assigned as `predict` does.

        Parameters
        ----------
        Z : {array-like, sparse matrix} of shape (n_rows, n_features)
            Label features with the same columns as the training rows.

        Returns
        -------
        memberships : sparse CSR or ndarray of shape (n_rows, n_leaves)
            A single 1 in each row, in the dtype of `Z` (float64 if `Z` is not floating point).
        """
        check_is_fitted(self)
        Z = validate_rows(self, Z, "Z")
        leaves = self._route_rows(Z)
        memberships = as_public_csr(
            np.arange(len(leaves) + 1),
            leaves,
            np.ones(len(leaves), dtype=Z.dtype),
            (len(leaves), self.n_leaves_),
        )
        return memberships if self.sparse_output else memberships.toarray()

    def fit_transform(self, Z, y=None, *, frequencies=None):
        """Fit to Z, then transform it.

        Parameters
        ----------
        Z : {array-like, sparse matrix} of shape (n_labels, n_features)
            Label features, one row per label.
        y : None
            Ignored; present for compatibility with pipelines.
        frequencies : array-like of shape (n_labels,) or None, default=None
            See `fit`.

        Returns
        -------
        memberships : sparse CSR or ndarray of shape (n_labels, n_leaves)
            Nearest leaf cluster of each row, as `transform` returns it. The clusters of the fitted
            tree are in `labels_`.
        """
        return self.fit(Z, frequencies=frequencies).transform(Z)

    @property
    def _n_features_out(self):
        return self.n_leaves_

    def set_output(self, *, transform=None):
        """Set the container that `transform` returns.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            Container of the output. "pandas" and "polars" need ``sparse_output=False``.

        Returns
        -------
        self : HierarchicalLabelTree
            This tree.

        Raises
        ------
        ValueError
            If `transform` is a data frame and `sparse_output` is True.
        """
        if transform not in (None, "default") and self.sparse_output:
            raise ValueError(
                "transform must be None or 'default' if the output is sparse; got "
                f"{transform!r}. Set sparse_output=False for output as a data frame."
            )
        return super().set_output(transform=transform)

    @property
    def _is_spherical(self):
        return find_clustering(self.clustering).spherical

    @property
    def _needs_frequencies(self):
        return find_clustering(self.clustering).needs_frequencies

    def _validate_params(self):
        super()._validate_params()
        check_clustering(self.clustering, self.balanced)

    def _prepare_rows(self, Z):
        # Normalized in the precision of Z: squares of small values underflow in float32.
        if self._is_spherical:
            Z = normalize(Z, norm="l2", axis=1, copy=True)
        return as_float32_rows(Z)

    def _build_hierarchy(self, Z, frequencies):
        """Return the tree and the maximum number of iterations of a split."""
        task = ClusteringTask(
            Z,
            frequencies,
            clustering=self.clustering,
            balanced=self.balanced,
            branching_factor=self.branching_factor,
            max_leaf_size=self.max_leaf_size,
            max_iter=self.max_iter,
            seed=int(check_random_state(self.random_state).randint(MAX_SEED)),
            n_jobs=self.n_jobs,
        )
        return find_clustering(self.clustering).build(task)

    def _route_rows(self, Z):
        return route_rows(
            self.hierarchy_, self.cluster_centers_, self._prepare_rows(Z), self._is_spherical
        )

"""The tree of label clusters as a scikit-learn transformer."""

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
from sklearn.utils.validation import check_is_fitted, validate_data

from skxmr._core.validation import (
    FLOATS,
    MAX_CHILDREN,
    MAX_SEED,
    as_public_csr,
    set_seen,
    validate_fit_data,
)
from skxmr.indexing._clustering import (
    CLUSTERINGS,
    TreeTask,
    check_clustering,
    check_frequencies,
    clustering_of,
)
from skxmr.indexing._label_features import as_float32_rows
from skxmr.indexing._routing import hierarchy_centers, route


class HierarchicalLabelTree(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Tree of label clusters by recursive clustering.

    Rows are labels: `fit` takes one representation for each label and groups them into clusters of
    at most `max_leaf_size` labels, the clusters into clusters of at most `branching_factor`, up to
    one root. By default each split gives its parts sizes that differ by at most one, by recursive
    balanced 2-means [1]_, and each level of the tree is made of several such splits [2]_.

    Parameters
    ----------
    branching_factor : int, default=16
        Most children of a cluster, from 2 up. Larger makes a shallower tree: often better and
        slower at prediction, where all children of a cluster in the beam are scored.
    max_leaf_size : int, default=100
        Most labels of a leaf cluster. Smaller trains faster and leaves more to the beam search.
    clustering : {"spherical-kmeans", "kmeans", "random", "huffman"} or clusterer, \
            default="spherical-kmeans"
        How a cluster is split:

        - "spherical-kmeans" scales rows and centres to unit length, as fits TF-IDF and embeddings.
        - "kmeans" takes rows as they are.
        - "random" looks at no row: a baseline, and fast.
        - "huffman" looks at the frequencies given to `fit` alone: frequent labels get short
          paths [4]_. Needs ``balanced=False``.
        - A scikit-learn clusterer with the parameter `n_clusters` is cloned for each split; its
          `n_clusters` is set, and its `random_state` where that is None. It sees the rows as they
          are, in float32, sparse where those given to `fit` are.

        k-means of very many rows finds its centres on a sample: of 4,096 where more than 8,192 are
        cut in two, and of the larger of 4,096 and 64 a centre without balance.
    balanced : bool, default=True
        Whether parts of a split have sizes that differ by at most one. They are then cut in two
        again and again; a clusterer is asked for two clusters, and rows nearest the other cluster's
        centre move to it until the sizes are right. False keeps the clusters as they are found,
        `branching_factor` at a time, until each has at most `max_leaf_size` labels, and carries
        clusters that end early down by chains of only children: slower, and good for shallow trees
        of wide clusters (``branching_factor=100``, as in Bonsai [3]_). What does not come apart, or
        is still too large one level below where a balanced tree ends, is cut evenly.
    max_iter : int, default=20
        Most rounds of a k-means split; it ends earlier once no row changes sides. A split on a
        sample counts the rounds there, and adds up to two over all rows. Other clusterings have no
        use for it.
    sparse_output : bool, default=True
        Whether `transform` returns a sparse array. A sparse one needs no room for zeros; pandas
        and polars output need False.
    random_state : int, RandomState instance or None, default=None
        Seeds splits. The same seed gives the same tree for any `n_jobs`.
    n_jobs : int or None, default=None
        Threads for splits, as in joblib.

    Attributes
    ----------
    hierarchy_ : LabelHierarchy
        The fitted tree.
    labels_ : ndarray of shape (n_labels,), int32
        Leaf cluster of each training row. It may be another than `predict`, which follows the
        nearest centres, would find: by balance, or since the clustering knows no centres.
    n_leaves_ : int
        Number of leaf clusters.
    n_levels_ : int
        Number of levels below the root, the labels included.
    cluster_centers_ : list of ndarray or csr_array of shape (n_clusters, n_features)
        Centres of the clusters of each level, sparse if the fitted rows were.
    n_iter_ : int
        Most rounds that a k-means split took; 1 if there was none.
    n_features_in_ : int
        Number of features of a label.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
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
    >>> bool(tree.labels_[0] == tree.labels_[1] != tree.labels_[2] == tree.labels_[3])
    True
    """

    _parameter_constraints = {
        "branching_factor": [Interval(Integral, 2, MAX_CHILDREN, closed="both")],
        "max_leaf_size": [Interval(Integral, 1, MAX_CHILDREN, closed="both")],
        "clustering": [StrOptions(set(CLUSTERINGS)), HasMethods(["fit_predict", "get_params"])],
        "balanced": ["boolean"],
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
            A representation of each label; computed with in float32.
        y : None
            Ignored; here for pipelines.
        frequencies : array-like of shape (n_labels,) or None, default=None
            How often each label occurs, or another weight. Needed by "huffman", refused by the
            other clusterings, which make no use of it.

        Returns
        -------
        self : HierarchicalLabelTree
            The fitted tree.

        Raises
        ------
        ValueError
            If a parameter is out of its range, parameters cannot go together, or Z has no rows, no
            features, or values that are not finite.
        """
        Z, seen = validate_fit_data(self, Z, accept_sparse="csr", dtype=FLOATS)
        frequencies = check_frequencies(self.clustering, frequencies, Z.shape[0])
        Z = self._rows(Z)
        self.hierarchy_, self.n_iter_ = self._cluster(Z, frequencies)
        self.labels_ = self.hierarchy_.leaf_of_label.copy()
        self.n_leaves_ = self.hierarchy_.n_leaves
        self.n_levels_ = self.hierarchy_.n_levels
        self.cluster_centers_ = hierarchy_centers(self.hierarchy_, Z, self._spherical)
        set_seen(self, seen)
        return self

    def fit_hierarchy(self, Z, *, frequencies=None):
        """Group rows that are ready as `fit` does, but return the tree alone.

        Saves the centres, which only `transform` and `predict` need, and a copy of the rows.
        Changes nothing in `self`.

        Parameters
        ----------
        Z : csr_array of shape (n_labels, n_features)
            Unit rows in float32, as `positive_instance_features` makes them.
        frequencies : array-like of shape (n_labels,) or None, default=None
            As for `fit`.

        Returns
        -------
        LabelHierarchy
            Equal to the `hierarchy_` of a fit.
        """
        self._validate_params()
        return self._cluster(Z, check_frequencies(self.clustering, frequencies, Z.shape[0]))[0]

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
        return self._route(Z)

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
        leaves = self._route(Z)
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
            A representation of each label.
        y : None
            Ignored; here for pipelines.
        frequencies : array-like of shape (n_labels,) or None, default=None
            As for `fit`.

        Returns
        -------
        memberships : sparse CSR or ndarray of shape (n_labels, n_leaves)
            The nearest leaf of each row, as `transform` finds it; `labels_` has the fitted one.
        """
        return self.fit(Z, frequencies=frequencies).transform(Z)

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

    @property
    def _spherical(self):
        return clustering_of(self.clustering).spherical

    @property
    def _needs_frequencies(self):
        # Whether `fit_hierarchy` must be told how often each label occurs.
        return clustering_of(self.clustering).needs_frequencies

    def _validate_params(self):
        super()._validate_params()
        check_clustering(self.clustering, self.balanced)

    def _rows(self, Z):
        # In the precision given: squares of small values vanish in float32. Z itself is left alone.
        if self._spherical:
            Z = normalize(Z, norm="l2", axis=1, copy=True)
        return as_float32_rows(Z)

    def _cluster(self, Z, frequencies):
        names = ("clustering", "balanced", "branching_factor", "max_leaf_size", "max_iter")
        task = TreeTask(
            Z,
            frequencies,
            seed=int(check_random_state(self.random_state).randint(MAX_SEED)),
            n_jobs=self.n_jobs,
            **{name: getattr(self, name) for name in names},
        )
        return clustering_of(self.clustering).build(task)

    def _route(self, Z):
        return route(self.hierarchy_, self.cluster_centers_, self._rows(Z), self._spherical)

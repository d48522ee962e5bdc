"""Models made from given weights, and the weights of a model as matrices."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from skxmr._core.arrays import as_public_csr
from skxmr._core.label_names import find_label_names
from skxmr._core.rows import as_rows
from skxmr._core.validation import MAX_CHILDREN, check_n_features
from skxmr._linear import UNTRAINED_INTERCEPT, make_level, read_weights
from skxmr.indexing import LabelHierarchy
from skxmr.matching import RecursiveLinearMatcher
from skxmr.ranking import OneVsAllRanker
from skxmr.xr_linear._ensemble import TreeEnsemble
from skxmr.xr_linear._tree_model import TreeModel


class WeightAccessMixin:
    """The methods of `XRLinearClassifier` that read and write weights."""

    @classmethod
    def from_weights(cls, hierarchy, weights, *, intercepts=None, classes=None, **parameters):
        """Make a fitted classifier from the weights of all linear models.

        The weights may come from another library, or from `level_weights` of another classifier.
        The classifier predicts like a fitted one. The numbers of rows of the labels are not known:
        it cannot be updated, `propensity_weight` must be 0, and ``path_weight="auto"`` is 1.

        Parameters
        ----------
        hierarchy : LabelHierarchy or list of LabelHierarchy
            The label tree. For an ensemble, a list with one tree per model.
        weights : list of sparse matrices, or list of such lists
            One matrix of shape (n_features, n_nodes) per level of the tree, the root's children
            first; any sparse format, converted to float32. Columns are the nodes of the level, and
            in the last matrix the labels in their order in `hierarchy`, which is that of the
            columns of an indicator. For an ensemble, a list per tree.
        intercepts : list of array-like of shape (n_nodes,), or list of such lists, default=None
            Intercepts of the nodes of each level; inf for a node without siblings that has the
            score of its parent. None is 0.
        classes : array-like of shape (n_labels,), default=None
            Different names of the labels, all str or all int. Predictions are then names. None
            gives predictions as sparse indicators.
        **parameters : dict
            Parameters of the constructor, such as `score_transform` and `beam_width`.

        Returns
        -------
        classifier : XRLinearClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If `propensity_weight` is not 0, shapes do not match the tree, a weight or an intercept
            is not a finite number, or `classes` is not one different name per label.

        See Also
        --------
        level_weights, level_intercepts : The weights of a fitted classifier.

        Examples
        --------
        >>> import scipy.sparse as sp
        >>> from skxmr import LabelHierarchy, XRLinearClassifier
        >>> tree = LabelHierarchy.from_memberships([0, 0, 1])
        >>> clusters = sp.csr_array([[1.0, -1.0], [-1.0, 1.0]])
        >>> labels = sp.csr_array([[2.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
        >>> model = XRLinearClassifier.from_weights(
        ...     tree, [clusters, labels], classes=["apple", "pear", "car"])
        >>> model.suggest([[0.0, 1.0]], k=1)
        [[('car', 1.0)]]
        """
        classifier = cls(**parameters)
        classifier._validate_params()
        if classifier.propensity_weight:
            raise ValueError(
                "propensity_weight must be 0, because the numbers of rows of the labels are not "
                f"known; got {classifier.propensity_weight!r}."
            )
        is_ensemble = isinstance(hierarchy, (list, tuple))
        hierarchies = list(hierarchy) if is_ensemble else [hierarchy]
        weights = list(weights) if is_ensemble else [weights]
        intercepts = list(intercepts or [None] * len(weights)) if is_ensemble else [intercepts]
        if not hierarchies or not len(hierarchies) == len(weights) == len(intercepts):
            raise ValueError(
                "weights and intercepts must have one entry per tree if hierarchy is a list; got "
                f"{len(hierarchies)} trees, {len(weights)} and {len(intercepts)} entries."
            )
        dtype = classifier.weight_dtype
        trees = [
            _make_tree(*tree, dtype) for tree in zip(hierarchies, weights, intercepts, strict=True)
        ]
        widths = {
            (level.n_features, tree.hierarchy.n_labels) for tree in trees for level in tree.levels
        }
        if len(widths) > 1:
            raise ValueError(
                "weights of all levels and trees must have equal numbers of features and labels; "
                f"got {sorted(widths)}."
            )
        n_features, n_labels = widths.pop()
        names = None if classes is None else _check_classes(classes, n_labels)
        classifier.n_features_in_ = n_features
        classifier.classes_ = np.arange(n_labels) if names is None else names
        classifier.hierarchy_ = trees[0].hierarchy
        classifier.n_iter_ = 0
        classifier.path_weight_ = 1.0
        classifier._target_kind = "sparse" if names is None else "names"
        classifier._target_dtype = np.dtype(np.int64 if names is None else object)
        classifier._model = trees[0] if len(trees) == 1 else TreeEnsemble(trees)
        return classifier

    def level_weights(self, level, tree=0):
        """Return the weights of the linear models of one level, without the scale of the rows.

        A margin is the product of a row of `X` and a column, plus the intercept. Rows were divided
        by one number in `fit`; the weights returned here are divided by it, too.

        Parameters
        ----------
        level : int
            Level of the tree; 0 is that of the root's children, -1 that of the labels.
        tree : int, default=0
            Number of the tree of an ensemble.

        Returns
        -------
        weights : sparse CSR of shape (n_features, n_nodes), float32
            One column per node; for the level of the labels, per entry of `classes_`.

        Raises
        ------
        ValueError
            If there is no such level or tree, or a custom estimator replaces its models.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> model = XRLinearClassifier(max_leaf_size=10, random_state=0).fit(X, Y)
        >>> model.level_weights(0).shape, model.level_weights(-1).shape
        ((2000, 10), (2000, 100))
        """
        W, _ = self._read_level(level, tree)
        if self._row_length != 1.0:
            W.data /= np.float32(self._row_length)
        return as_public_csr(W.indptr, W.indices, W.data, W.shape)

    def level_intercepts(self, level, tree=0):
        """Return the intercepts of the linear models of one level.

        Parameters
        ----------
        level : int
            Level of the tree; 0 is that of the root's children, -1 that of the labels.
        tree : int, default=0
            Number of the tree of an ensemble.

        Returns
        -------
        intercepts : ndarray of shape (n_nodes,), float32
            One number per node, in the order of the columns of `level_weights`. A node without
            siblings has the score of its parent: its intercept is inf. A label without rows was not
            trained: its intercept is -1000.

        Raises
        ------
        ValueError
            If there is no such level or tree, or a custom estimator replaces its models.
        """
        return self._read_level(level, tree)[1]

    def _read_level(self, level, tree):
        check_is_fitted(self)
        trees = self._model.models
        if not 0 <= tree < len(trees):
            raise ValueError(f"tree must be from 0 to {len(trees) - 1}; got {tree!r}.")
        trees[tree].check_linear("level_weights")
        levels = trees[tree].levels
        if not -len(levels) <= level < len(levels):
            raise ValueError(
                f"level must be from 0 to {len(levels) - 1}, or negative to count from the labels; "
                f"got {level!r}."
            )
        W, intercepts = read_weights(levels[level])
        if level % len(levels) < len(levels) - 1:
            return W, intercepts
        # From the order of the tree to the order of the labels.
        column_of = np.argsort(trees[tree].hierarchy.label_order)
        W = sp.csr_array(W[:, column_of])
        W.sort_indices()
        return W, intercepts[column_of]


def _make_tree(hierarchy, weights, intercepts, weight_dtype):
    if not isinstance(hierarchy, LabelHierarchy):
        raise ValueError(
            f"hierarchy must be a LabelHierarchy, or a list of them; got {hierarchy!r}."
        )
    n_levels = hierarchy.n_levels
    weights = list(weights)
    intercepts = [None] * n_levels if intercepts is None else list(intercepts)
    for name, values in (("weights", weights), ("intercepts", intercepts)):
        if len(values) != n_levels:
            raise ValueError(
                f"{name} must have {n_levels} entries, one per level of the hierarchy; got "
                f"{len(values)}."
            )
    levels = []
    for level, indptr in enumerate(hierarchy.child_indptrs):
        if np.diff(indptr).max() > MAX_CHILDREN:
            raise ValueError(
                f"hierarchy must have at most {MAX_CHILDREN} children per cluster; got "
                f"{np.diff(indptr).max()}."
            )
        n_nodes = hierarchy.level_sizes[level]
        W = _check_weights(weights[level], n_nodes, f"weights[{level}]")
        b = _check_intercepts(intercepts[level], hierarchy, level)
        ids = np.arange(n_nodes, dtype=np.int32)
        if level == n_levels - 1:
            ids = hierarchy.label_order
            W = W[:, ids]
        levels.append(make_level(W, b, indptr, ids, weight_dtype))
    *clusters, labels = levels
    ranker = OneVsAllRanker(labels, np.zeros(hierarchy.n_labels, dtype=np.float32))
    return TreeModel(RecursiveLinearMatcher(clusters), ranker, hierarchy)


def _check_weights(W, n_nodes, name):
    if not sp.issparse(W) or W.ndim != 2:
        raise ValueError(f"{name} must be a sparse matrix; got {type(W).__name__}.")
    if W.shape[1] != n_nodes:
        raise ValueError(
            f"{name} must have {n_nodes} columns, one per node of the level; got shape {W.shape}."
        )
    check_n_features(W.T, name)
    rows = as_rows(W, name)  # canonical, finite, without stored zeros
    return sp.csc_array(sp.csr_array((rows.data, rows.indices, rows.indptr), shape=W.shape))


def _check_intercepts(intercepts, hierarchy, level):
    # In the order of the tree.
    name = f"intercepts[{level}]"
    n_nodes, indptr = hierarchy.level_sizes[level], hierarchy.child_indptrs[level]
    if intercepts is None:
        return np.zeros(n_nodes, dtype=np.float32)
    values = np.asarray(intercepts)
    if values.shape != (n_nodes,) or values.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must have {n_nodes} numbers, one per node of the level; got shape "
            f"{values.shape} and dtype {values.dtype}."
        )
    values = values.astype(np.float32)
    if level == hierarchy.n_levels - 1:
        values = values[hierarchy.label_order]
    n_children = np.diff(indptr)
    is_only = np.repeat(n_children == 1, n_children)
    inherits = values == np.inf
    if not np.isfinite(values[~inherits]).all():
        raise ValueError(f"{name} must contain numbers, or inf; got NaN or -inf.")
    has_intercept = ~inherits & (values != UNTRAINED_INTERCEPT)
    if inherits.any() and (np.any(inherits & ~is_only) or np.any(has_intercept & is_only)):
        raise ValueError(
            f"{name} may be inf for nodes without siblings only, and then must be inf for all of "
            f"them in a level; got {np.count_nonzero(inherits)} times inf, and "
            f"{np.count_nonzero(is_only)} nodes without siblings."
        )
    return values


def _check_classes(classes, n_labels):
    names = list(classes)
    different = find_label_names([names], "classes")
    if not len(names) == len(different) == n_labels:
        raise ValueError(
            f"classes must be {n_labels} different names, one per label; got {len(names)} names, "
            f"{len(different)} of them different."
        )
    values = np.empty(n_labels, dtype=different.dtype)
    values[:] = names
    return values

"""The estimator that joins the three stages."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skxmr._core import score_forms
from skxmr._core.threads import row_blocks, run_tasks
from skxmr._core.validation import (
    FLOATS,
    MAX_CHILDREN,
    MAX_SEED,
    as_public_csr,
    as_row_arrays,
    check_targets,
    is_plain_row,
    set_seen,
    validate_fit_data,
)
from skxmr.indexing import HierarchicalLabelTree, LabelHierarchy
from skxmr.indexing.label_index import check_label_tree, index_labels
from skxmr.linear import LevelProblem, count_sweeps, fit_levels
from skxmr.matching import RecursiveLinearMatcher, teacher_forced_rows
from skxmr.matching.negative_sampling import pattern_arrays
from skxmr.ranking import OneVsAllRanker


class XRLinearClassifier(ClassifierMixin, BaseEstimator):
    """Classifier for very many labels: a label tree of one-vs-all linear models.

    Labels are represented by the features of their positive rows, grouped into a tree of
    clusters, and given a linear support vector machine (squared hinge) each, as is every cluster;
    each trains only against its siblings. Prediction descends the tree with a beam: cost grows
    with the depth of the tree, not with the number of labels [1]_ [2]_.

    Takes multilabel indicators, sparse or dense, and classes (1-D). Rows are best scaled to unit
    l2 norm, as TF-IDF vectorisers do: `C` and `weight_threshold` are meant for such rows.

    Parameters
    ----------
    branching_factor : int or None, default=None
        Most children of a cluster. Overrides the tree's own (16 where `label_tree` is None).
        Larger makes a shallower tree: often better, and slower to predict.
    max_leaf_size : int or None, default=None
        Most labels of a leaf cluster. Overrides the tree's own (100 where `label_tree` is None).
        Smaller trains faster; all labels in one leaf is plain one-vs-rest.
    label_tree : HierarchicalLabelTree, LabelHierarchy or None, default=None
        How labels are grouped: a tree estimator, cloned and fitted on the label features, a
        finished hierarchy, used as it is, or None for the default estimator.
    C : float, default=1.0
        Cost of training errors. Larger fits the training rows closer, slower, with more weights.
    tol : float, default=0.1
        Tolerance of the dual solver's stopping rule. Smaller trains longer for the same objective
        with more digits; ranking rarely gains.
    max_iter : int, default=100
        Most sweeps of the dual solver over the rows of a cluster.
    weight_threshold : float, default=0.1
        Weights smaller in size are dropped after training, 0 keeps all. Larger makes a smaller,
        faster model that sees less.
    beam_width : int, default=10
        Clusters kept on each level at prediction. Larger is slower and finds more. May be changed
        after the fit.
    sparse_output : bool or "auto", default="auto"
        Whether predictions for an indicator are sparse; "auto" makes them so if `y` was.
    n_jobs : int or None, default=None
        Threads for training and prediction, as in joblib. Results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seeds the tree and the order in which the solver visits rows.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes, or the column numbers of an indicator.
    hierarchy_ : LabelHierarchy
        The tree of labels.
    n_iter_ : int
        Largest number of sweeps that the solver took.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features, where `X` had them.

    See Also
    --------
    HierarchicalLabelTree : The tree by itself.
    sklearn.multiclass.OneVsRestClassifier : One model a label, without a tree.

    References
    ----------
    .. [1] Y. Prabhu, A. Kag, S. Harsola, R. Agrawal, M. Varma (2018). "Parabel: Partitioned Label
       Trees for Extreme Classification with Application to Dynamic Search Advertising". WWW.
    .. [2] H.-F. Yu, K. Zhong, J. Zhang, W.-C. Chang, I. S. Dhillon (2022). "PECOS: Prediction for
       Enormous and Correlated Output Spaces". JMLR 23(98).

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(max_leaf_size=10, random_state=0).fit(X, Y)
    >>> model.hierarchy_
    LabelHierarchy(level_sizes=(10, 100))
    >>> labels, scores = model.predict_topk(X[:3], k=5)
    >>> labels.shape
    (3, 5)
    """

    _parameter_constraints = {
        "branching_factor": [None, Interval(Integral, 2, MAX_CHILDREN, closed="both")],
        "max_leaf_size": [None, Interval(Integral, 1, MAX_CHILDREN, closed="both")],
        "label_tree": [None, HierarchicalLabelTree, LabelHierarchy],
        "C": [Interval(Real, 0, None, closed="neither")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, 2**31 - 1, closed="both")],
        "weight_threshold": [Interval(Real, 0, None, closed="left")],
        "beam_width": [Interval(Integral, 1, 2**31 - 1, closed="both")],
        "sparse_output": ["boolean", StrOptions({"auto"})],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        branching_factor=None,
        max_leaf_size=None,
        *,
        label_tree=None,
        C=1.0,
        tol=0.1,
        max_iter=100,
        weight_threshold=0.1,
        beam_width=10,
        sparse_output="auto",
        n_jobs=None,
        random_state=None,
    ):
        self.branching_factor = branching_factor
        self.max_leaf_size = max_leaf_size
        self.label_tree = label_tree
        self.C = C
        self.tol = tol
        self.max_iter = max_iter
        self.weight_threshold = weight_threshold
        self.beam_width = beam_width
        self.sparse_output = sparse_output
        self.n_jobs = n_jobs
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Group the labels and train the models.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; computed with in float32.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Indicator of 0 and 1, or one class a row. Rows without a label and labels without a
            row are legal: such a label keeps its column and is never ranked first.

        Returns
        -------
        self : XRLinearClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range, `X` or `y` holds values that it must not, their rows
            differ in number, or a given hierarchy has another number of labels. Nothing fitted
            before is lost.
        """
        (X, y), seen = validate_fit_data(
            self, X, y, accept_sparse="csr", dtype=FLOATS, multi_output=True
        )
        Y, classes, kind, dtype = check_targets(y)
        if kind == "classes" and self.sparse_output is True:
            raise ValueError("sparse_output=True needs y to be an indicator; got classes.")
        shape = {name: getattr(self, name) for name in ("branching_factor", "max_leaf_size")}
        check_label_tree(self.label_tree, Y.shape[1], **shape)
        rows = as_row_arrays(X, drop_zeros=True)
        random_state = check_random_state(self.random_state)
        hierarchy = index_labels(
            rows,
            Y,
            self.label_tree,
            seed=random_state.randint(MAX_SEED),
            n_jobs=self.n_jobs,
            **shape,
        )
        matcher, ranker = self._train(rows, Y, hierarchy, random_state)
        set_seen(self, seen)
        self.classes_ = classes
        self.hierarchy_ = hierarchy
        self.n_iter_ = count_sweeps([*matcher.levels, ranker.level], self.max_iter)
        self._target_kind = kind
        self._target_dtype = dtype
        self._matcher = matcher
        self._ranker = ranker
        return self

    def _train(self, rows, Y, hierarchy, random_state):
        # Stages 2 and 3: the models of the clusters, then those of the labels.
        node_targets = hierarchy.node_targets(Y)
        seeds = [int(s) for s in random_state.randint(MAX_SEED, size=hierarchy.n_levels)]
        names = [np.arange(size, dtype=np.int32) for size in hierarchy.level_sizes[:-1]]
        problems = zip(
            teacher_forced_rows(node_targets, Y.shape[0]),
            [pattern_arrays(level) for level in node_targets],
            hierarchy.child_indptrs,
            [*names, hierarchy.label_order],
            seeds,
            strict=True,
        )
        settings = ("C", "tol", "max_iter", "weight_threshold", "n_jobs")
        *clusters, labels = fit_levels(
            rows,
            [LevelProblem(*problem) for problem in problems],
            **{name: getattr(self, name) for name in settings},
        )
        return RecursiveLinearMatcher(clusters), OneVsAllRanker(labels)

    def _rows(self, X):
        check_is_fitted(self, "hierarchy_")
        self._validate_params()
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        return as_row_arrays(X)

    def _rank(self, rows, k=0, best_first=False, finish=None):
        """Search every row; return what `finish` makes of the (indptr, labels, log scores) of
        each block of rows, in order.
        """

        def rank_block(start, stop):
            indptr, indices, data, n_features = rows
            first, last = indptr[start], indptr[stop]
            block = (
                indptr[start : stop + 1] - first,
                indices[first:last],
                data[first:last],
                n_features,
            )
            clusters = self._matcher.match(block, self.beam_width)
            return finish(*self._ranker.rank(block, clusters, k, best_first))

        widest = int(np.diff(self.hierarchy_.child_indptrs[-1]).max())
        per_row = k or min(self.beam_width * widest, self.hierarchy_.n_labels)
        blocks = row_blocks(len(rows[0]) - 1, per_row, self.n_jobs)
        return run_tasks(rank_block, blocks, self.n_jobs, shared=True)

    def predict_topk(self, X, k=10):
        """Return the best labels of each row in order: the fast way to a ranking.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        k : int, default=10
            Number of labels wanted.

        Returns
        -------
        indices : ndarray of shape (n_samples, k), int32
            Columns of `y` (places in `classes_`), best first; -1 where the beam held fewer than k.
        scores : ndarray of shape (n_samples, k), float32
            Product of the transformed margins on the label's path, in (0, 1]; -inf where the index
            is -1. Equal scores are in the order of their labels.

        Raises
        ------
        ValueError
            If k is not a positive integer, or X does not fit the training data.
        """
        if not isinstance(k, Integral) or isinstance(k, bool) or not 1 <= k < 2**31:
            raise ValueError(f"k must be an integer from 1 up; got {k!r}.")
        k = int(k)
        if self._takes_plain_row(X):
            x = (X.indices, X.data)
            clusters = self._matcher.match_row(x, self.beam_width)
            labels, scores = self._ranker.rank_row(x, clusters, k)
            return score_forms.pad_ranking(
                labels[None], np.maximum(np.exp(scores), score_forms.LEAST_SCORE)[None], k
            )
        blocks = self._rank(self._rows(X), k, True, lambda *b: score_forms.rank_rows(*b, k))
        labels, scores = zip(*blocks, strict=True)
        return np.concatenate(labels), np.concatenate(scores)

    def _takes_plain_row(self, X):
        # The short way is for the plainest case; everything else, errors too, goes the long way.
        return (
            hasattr(self, "hierarchy_")
            and not hasattr(self, "feature_names_in_")
            and type(self.beam_width) is int
            and 0 < self.beam_width < 2**31
            and is_plain_row(X, self.n_features_in_)
        )

    def predict_proba(self, X):
        """Return a score between 0 and 1 for labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : sparse CSR or ndarray of shape (n_samples, n_classes), float32
            Product of the transformed margins on the label's path. Sparse: labels of the beam
            only, positive, indices sorted. Dense, indicator: all labels, just above 0 outside the
            beam. For classes each row sums to 1.
        """
        if self._returns_sparse():
            return self._sparse(X)
        logs = self._dense_logs(X)
        if self._target_kind == "classes":
            return score_forms.class_probabilities(logs)
        return score_forms.open_interval(logs)

    def decision_function(self, X):
        """Return a score for labels: higher is more likely.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : sparse CSR or ndarray of shape (n_samples, n_classes) or (n_samples,), float32
            Sparse: as `predict_proba`, since a missing entry would outrank negative scores.
            Dense, indicator: log-odds, finite, lowest outside the beam. Classes: logarithm of
            `predict_proba`; for two classes the log-odds of the second, 1-D.
        """
        if self._returns_sparse():
            return self._sparse(X)
        logs = self._dense_logs(X)
        if self._target_kind == "classes":
            return score_forms.class_log_scores(logs)
        return score_forms.log_odds(logs)

    def predict(self, X):
        """Return the labels whose score is at least one half, or the best class.

        A score is a product over levels: few labels of a deep tree reach one half, and most of
        those are right; `predict_topk` and thresholds of one's own see the rest.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : sparse CSR or ndarray of shape (n_samples, n_labels) or (n_samples,)
            In the form and dtype of the `y` that was fitted.
        """
        rows = self._rows(X)
        if self._target_kind == "classes":
            best = self._rank(rows, 1, True, lambda indptr, labels, scores: labels)
            return self.classes_[np.concatenate(best)]

        def finish(indptr, labels, scores):
            likely = np.exp(scores) >= 0.5
            edges = np.concatenate(([0], np.cumsum(likely)))[indptr]
            return edges, labels[likely], np.ones(edges[-1], dtype=np.int8)

        Y = self._joined(self._rank(rows, finish=finish))
        return (Y if self._returns_sparse() else Y.toarray()).astype(self._target_dtype)

    def _returns_sparse(self):
        check_is_fitted(self, "hierarchy_")
        if self.sparse_output == "auto" or self._target_kind == "classes":
            return self._target_kind == "sparse"
        return self.sparse_output

    def _sparse(self, X):
        return self._joined(self._rank(self._rows(X), finish=score_forms.positive_scores))

    def _joined(self, blocks):
        indptr, labels, values = score_forms.join_rows(blocks)
        return as_public_csr(indptr, labels, values, (len(indptr) - 1, len(self.classes_)))

    def _dense_logs(self, X):
        rows = score_forms.join_rows(self._rank(self._rows(X), finish=lambda *block: block))
        return score_forms.dense_rows(*rows, len(self.classes_))

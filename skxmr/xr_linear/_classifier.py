"""The estimator that joins the three stages."""

from contextlib import nullcontext
from numbers import Integral, Real
from os import PathLike

from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skxmr._core.callbacks import CallbackSupportMixin, report_progress
from skxmr._core.score_rule import COMBINATIONS, TRANSFORMS
from skxmr._core.validation import (
    FLOATS,
    MAX_CHILDREN,
    MAX_COST,
    as_row_arrays,
    check_targets,
    keep_weighted_rows,
    set_seen,
    validate_fit_data,
)
from skxmr._linear import LOSSES, WEIGHT_TYPES, count_sweeps
from skxmr._linear.relevance import NORMS, check_relevance
from skxmr.cost_estimate import CostEstimationMixin, refuse_if_too_large
from skxmr.indexing import (
    LABEL_FEATURES,
    HierarchicalLabelTree,
    LabelFeatureUnion,
    LabelHierarchy,
    check_indexing_options,
)
from skxmr.matching import check_negatives
from skxmr.xr_linear._checkpoint import UnfinishedFit
from skxmr.xr_linear._ensemble import TreeEnsemble
from skxmr.xr_linear._options import check_combination
from skxmr.xr_linear._prediction import RankingPredictionMixin
from skxmr.xr_linear._pruning import WeightPruningMixin
from skxmr.xr_linear._repr import SizeCaptionMixin
from skxmr.xr_linear._training import train_trees
from skxmr.xr_linear._tree_training import training_options


class XRLinearClassifier(
    RankingPredictionMixin,
    WeightPruningMixin,
    CostEstimationMixin,
    SizeCaptionMixin,
    CallbackSupportMixin,
    ClassifierMixin,
    BaseEstimator,
):
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
    label_tree : HierarchicalLabelTree, LabelHierarchy, None or sequence, default=None
        How labels are grouped: a tree estimator, cloned and fitted on the label features, a
        finished hierarchy, used as it is, or None for the default estimator. The trees of an
        ensemble take the entries of a sequence in turn: trees of several shapes err less alike.
    label_features : str, array-like, sparse matrix, callable or LabelFeatureUnion, default="pifa"
        What the tree sees of a label; rows are scaled to unit length. "pifa" sums the features of
        the label's rows; "pii" marks the rows themselves; "spectral" takes eigenvectors of the
        graph of labels that occur together. A matrix, such as embeddings of the labels' texts,
        has a row for each of `classes_`. A callable is given `X` (CSR, float32) and the indicator
        (CSR), must change neither, and returns such a matrix. A `LabelFeatureUnion` joins or
        averages several. Must be "pifa" beside a finished hierarchy, which needs none.
    matcher : classifier or None, default=None
        Any multilabel classifier with `predict_proba`, cloned and fitted to tell the clusters of
        one level, in place of the linear models of that level and of those above. None for
        linear models everywhere. See `skxmr.matching`.
    matcher_level : int, default=-1
        Level of clusters that `matcher` tells: 1 is the root's children, -1 the leaf clusters.
        Linear models go on below it. Nearer to the root there are fewer clusters to tell.
    ranker : classifier or None, default=None
        Any binary classifier with `predict_proba` or `decision_function`, cloned and fitted for
        each label, in place of the linear models of the labels. Slow, and large: a Python object
        for each label.
    negatives : {"tfn", "man", "tfn+man"}, matrix or sequence of these, default="tfn"
        Rows that a cluster's children train on. "tfn", teacher forced: those with a label in the
        cluster. "man", matcher aware: those that the beam search, `beam_width` wide, passes to it
        in training; truer to prediction, and several times as slow. "tfn+man": both. A matrix of
        the shape of `y`: teacher forced, and for each entry that row in the clusters of that label.
        A sequence is by level: its last is for the labels, the one before for their clusters, and
        so on; its first is for all levels above too.
    max_negatives : int or None, default=None
        Most rows that the beam passes to a cluster in training, those of the highest scores. None
        sets no bound but `beam_width` clusters a row.
    loss : {"squared_hinge", "hinge", "log_loss"}, default="squared_hinge"
        Loss of the linear models. "squared_hinge" ranks best. "log_loss" gives scores that are
        probabilities: with ``score_transform="sigmoid"``, ``relevance_norm=None``,
        ``positive_weight=1.0`` and a larger `C`.
    C : float, default=1.0
        Cost of training errors. Larger fits the training rows closer, slower, with more weights.
    positive_weight : float, default=2.0
        Times what an error on a positive row costs. Larger finds more of a label's rows and errs
        more on others'; the default makes up for what `relevance_norm` takes from positives.
    relevance_norm : {"l1", "l2", "max"} or None, default="l2"
        Norm of a row's relevance that is made 1 on every level, so that rows of many labels do
        not outweigh the others. "l1" takes most from them, and leaves the smallest models; None
        gives every positive the same cost, as one-vs-rest has.
    tol : float, default=0.1
        Tolerance of the dual solver's stopping rule. Smaller trains longer for the same objective
        with more digits; ranking rarely gains.
    max_iter : int, default=100
        Most sweeps of the dual solver over the rows of a cluster.
    weight_threshold : float, default=0.1
        Weights smaller in size are dropped after training, 0 keeps all. Larger makes a smaller,
        faster model that sees less.
    weight_dtype : {"float32", "float16", "int8"}, default="float32"
        How weights are kept, in memory and in files. "float16" takes 3 bytes for 5, and ranks as
        well; "int8", which has a scale for each parent's children, takes 2 and loses a little.
        Scores are computed in float32.
    max_weights_per_label : int or None, default=None
        Most weights kept of each label's model, the largest in size; clusters' models are not
        bounded. Smaller makes a smaller, faster model; None keeps all that reach
        `weight_threshold`, which loses less precision for as many weights in all.
    n_trees : int, default=1
        Number of trees, of different seeds and, by `label_tree`, shapes. More are better, by less
        each, and as many times slower and larger.
    voting : {"mean", "rank"}, default="mean"
        Whether the trees average their scores or their ranks, of the 100 best labels of each; set
        before the fit.
    beam_width : int or None, default=10
        Clusters kept on each level at prediction. Larger is slower and finds more; None keeps all
        of them, an exact search: every tree scores every label of every row. May be changed after
        the fit, as may all parameters of the score.
    score_transform : str or sequence of str, default="l3-hinge"
        What a model's margin m counts: "l1-hinge" to "l4-hinge", exp(-max(0, 1 - m)^p), where a
        higher power is milder to margins near 1 and harder on those below 0; "sigmoid", which
        suits models of the logistic loss; "identity", the margin itself. With "log-" before it
        (any but "identity") rankings show logarithms. A sequence has an entry for each of the
        last levels, the labels' last, and its first also serves the levels above. Probabilities
        of a `matcher` or `ranker` stand as they are.
    score_combination : {"product", "sum", "last"}, default="product"
        How the levels of a label's path join: by their product (logarithms add, and so do margins
        of "identity"), by the mean of their values, or by the label's own value alone, the product
        of the levels above being for the beam only.
    propensity_weight : float, default=0.0
        How far rare labels are lifted when the labels of the beam are ranked: scores are
        multiplied by (least propensity / propensity) to this power, with propensities estimated
        from `y` [3]_. Larger ranks rare labels higher, at the cost of precision, and makes scores
        of frequent labels smaller, so that `predict` returns fewer of them.
    sparse_output : bool or "auto", default="auto"
        Whether predictions for an indicator are sparse; "auto" makes them so if `y` was.
    memory : str, object with the joblib.Memory interface or None, default=None
        Where trained trees are kept, a folder or a `joblib.Memory`: a fit on data and parameters
        seen before loads them. What acts at prediction only is left out of account, so a grid over
        `beam_width` and `score_transform` fits once for each fold. Functions and classes of one's
        own are known by their names only: clear it after a change in one. None keeps nothing.
    model_dir : str, path-like or None, default=None
        Folder where `fit` leaves the model, as `save_model` does, and holds it as a memory map, as
        `load_model` does with ``mmap_mode="r"``. Weights go to files as they are made, so they need
        no memory; a fit that was killed goes on where it was when it is repeated, from
        ``model_dir + ".unfinished"``. None keeps the model in memory, for `save_model`.
    n_jobs : int or None, default=None
        Threads for training and prediction, as in joblib. Results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seeds the tree and the order in which the solver visits rows.
    verbose : int, default=0
        1 prints a line for each stage and level of the fit, 2 a bar as well.

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
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
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
    .. [3] H. Jain, Y. Prabhu, M. Varma (2016). "Extreme Multi-label Loss Functions for
       Recommendation, Tagging, Ranking & Other Missing Label Applications". KDD.

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
        "label_tree": [None, HierarchicalLabelTree, LabelHierarchy, tuple, list],
        "label_features": [
            StrOptions(set(LABEL_FEATURES)),
            "array-like",
            "sparse matrix",
            callable,
            LabelFeatureUnion,
        ],
        "matcher": [None, HasMethods(["fit", "predict_proba"])],
        "matcher_level": [Integral],
        "ranker": [
            None,
            HasMethods(["fit", "predict_proba"]),
            HasMethods(["fit", "decision_function"]),
        ],
        "negatives": ["array-like", "sparse matrix", str],
        "max_negatives": [None, Interval(Integral, 1, 2**31 - 1, closed="both")],
        "loss": [StrOptions(set(LOSSES))],
        "C": [Interval(Real, 0, MAX_COST, closed="right")],
        "positive_weight": [Interval(Real, 0, MAX_COST, closed="right")],
        "relevance_norm": [None, StrOptions(set(NORMS))],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, 2**31 - 1, closed="both")],
        "weight_threshold": [Interval(Real, 0, None, closed="left")],
        "weight_dtype": [StrOptions(set(WEIGHT_TYPES))],
        "max_weights_per_label": [None, Interval(Integral, 1, None, closed="left")],
        "n_trees": [Interval(Integral, 1, None, closed="left")],
        "voting": [StrOptions({"mean", "rank"})],
        "beam_width": [None, Interval(Integral, 1, 2**31 - 1, closed="both")],
        "score_transform": [StrOptions(set(TRANSFORMS)), tuple, list],
        "score_combination": [StrOptions(set(COMBINATIONS))],
        "propensity_weight": [Interval(Real, 0, None, closed="left")],
        "sparse_output": ["boolean", StrOptions({"auto"})],
        "memory": [None, str, HasMethods("cache")],
        "model_dir": [None, str, PathLike],
        "n_jobs": [None, Integral],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        branching_factor=None,
        max_leaf_size=None,
        *,
        label_tree=None,
        label_features="pifa",
        matcher=None,
        matcher_level=-1,
        ranker=None,
        negatives="tfn",
        max_negatives=None,
        loss="squared_hinge",
        C=1.0,
        positive_weight=2.0,
        relevance_norm="l2",
        tol=0.1,
        max_iter=100,
        weight_threshold=0.1,
        weight_dtype="float32",
        max_weights_per_label=None,
        n_trees=1,
        voting="mean",
        beam_width=10,
        score_transform="l3-hinge",
        score_combination="product",
        propensity_weight=0.0,
        sparse_output="auto",
        memory=None,
        model_dir=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.branching_factor = branching_factor
        self.max_leaf_size = max_leaf_size
        self.label_tree = label_tree
        self.label_features = label_features
        self.matcher = matcher
        self.matcher_level = matcher_level
        self.ranker = ranker
        self.negatives = negatives
        self.max_negatives = max_negatives
        self.loss = loss
        self.C = C
        self.positive_weight = positive_weight
        self.relevance_norm = relevance_norm
        self.tol = tol
        self.max_iter = max_iter
        self.weight_threshold = weight_threshold
        self.weight_dtype = weight_dtype
        self.max_weights_per_label = max_weights_per_label
        self.n_trees = n_trees
        self.voting = voting
        self.beam_width = beam_width
        self.score_transform = score_transform
        self.score_combination = score_combination
        self.propensity_weight = propensity_weight
        self.sparse_output = sparse_output
        self.memory = memory
        self.model_dir = model_dir
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, relevance=None):
        """Group the labels and train the models.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; computed with in float32.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Indicator of 0 and 1, or one class a row. Rows without a label and labels without a
            row are legal: such a label keeps its column and is never ranked first.
        sample_weight : array-like of shape (n_samples,), default=None
            Times what an error on a row costs, and its part in the label features "pifa"; rows of
            weight 0 are left out. None weighs all 1.
        relevance : {array-like, sparse matrix} of shape (n_samples, n_labels), default=None
            Times what an error on a positive costs: greater than 0 wherever `y` is 1, not read
            elsewhere. A cluster's is the sum over its labels, normalised as `relevance_norm` says.
            None is 1 for every positive of a label and, if `relevance_norm` is None, a cluster.
            Any norm makes it 1 for rows of one label, so for classes: these need None.

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
        MemoryError
            If `estimate_memory` is over half as much again as what the machine has.
        OSError
            If `model_dir` cannot be written, or another fit is at it. What was finished is kept.
        """
        scoring = self._scoring()
        (X, y), seen = validate_fit_data(
            self, X, y, accept_sparse="csr", dtype=FLOATS, multi_output=True
        )
        Y, classes, kind, dtype = check_targets(y)
        labels = check_indexing_options(self, Y.shape[1], X.shape[1])
        check_combination(self, kind, sample_weight, relevance)
        negatives = check_negatives(self.negatives, Y.shape)
        X, Y, relevance, negatives, weights = keep_weighted_rows(
            sample_weight, X, Y, relevance, negatives
        )
        if relevance is not None or self.relevance_norm is not None:
            relevance = check_relevance(relevance, Y)
        rows = as_row_arrays(X, drop_zeros=True)
        refuse_if_too_large(self, rows, Y)
        options = training_options(self, scoring, negatives, relevance, weights)
        unfinished = None if self.model_dir is None else UnfinishedFit(self.model_dir)
        with unfinished or nullcontext(), report_progress(self, X, y) as progress:
            keep = {"memory": self.memory, "unfinished": unfinished}
            trees = train_trees(
                rows, Y, labels, options, self.random_state, **keep, progress=progress
            )
            model = trees[0] if self.n_trees == 1 else TreeEnsemble(trees, self.voting)
            if self.max_weights_per_label is not None and unfinished is None:
                model = model.pruned(max_weights_per_label=self.max_weights_per_label)
            fitted = seen | {
                "classes_": classes,
                "hierarchy_": trees[0].hierarchy,
                "n_iter_": count_sweeps(model.levels, self.max_iter),
                "_target_kind": kind,
                "_target_dtype": dtype,
                "_model": model,
            }
            if unfinished is not None:
                del trees, model
                fitted = unfinished.finish(self, fitted)
            set_seen(self, seen)
            vars(self).update(fitted)
        return self

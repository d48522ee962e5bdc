"""The classifier that joins the three stages."""

from numbers import Integral, Real
from os import PathLike

from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from skxmr._core.callbacks import CallbackSupportMixin
from skxmr._core.estimators import SubsetAccuracyMixin
from skxmr._core.model_folder import CodecRegistry, estimator_codec
from skxmr._core.score_rule import TRANSFORMS
from skxmr._core.validation import (
    MAX_CHILDREN,
    MAX_COST,
    N_JOBS,
    validate_fit_data,
)
from skxmr._linear import LOSSES, WEIGHT_TYPES, check_weights
from skxmr._linear.relevance import NORMS
from skxmr.cost_estimate import estimate_costs, refuse_if_too_large
from skxmr.indexing import (
    LABEL_FEATURES,
    HierarchicalLabelTree,
    LabelFeatureUnion,
    LabelHierarchy,
    check_indexing_options,
)
from skxmr.xr_linear._codecs import MODEL_CODECS, REMOVED_PARAMS, check_fitted_classifier
from skxmr.xr_linear._fitting import prepare_training, run_training
from skxmr.xr_linear._options import check_combination, check_model_dir
from skxmr.xr_linear._prediction import RankingPredictionMixin
from skxmr.xr_linear._repr import fitted_block
from skxmr.xr_linear._training import train_trees
from skxmr.xr_linear._update import UpdateMixin
from skxmr.xr_linear._weight_access import WeightAccessMixin

# Prediction time and memory grow with the number of trees; more than 10 hardly improve a ranking.
MAX_TREES = 1000


class XRLinearClassifier(
    UpdateMixin,
    WeightAccessMixin,
    RankingPredictionMixin,
    CallbackSupportMixin,
    SubsetAccuracyMixin,
    BaseEstimator,
):
    """Classifier for thousands to millions of labels: a label tree of linear models.

    Labels are represented by the features of their positive rows and grouped into a tree of
    clusters. Each cluster and each label gets a linear model, which is trained only against its
    siblings. Prediction searches the tree with a beam, so its cost grows with the depth of the tree
    and not with the number of labels [1]_ [2]_.

    Targets may be lists of labels, multilabel indicators, sparse or dense, or 1-D classes. `fit`
    divides all rows by one number, the root mean square of their l2 norms, and prediction divides
    by the same number. The scale of `X` therefore has no effect. Rows of equal length usually rank
    better still: `TfidfVectorizer` makes such rows, and `sklearn.preprocessing.Normalizer` scales
    any rows.

    Parameters
    ----------
    branching_factor : int or None, default=None
        *Tree.* Maximum number of children per cluster. Overrides the parameter of `label_tree`;
        None keeps it (16 if `label_tree` is None). A larger value makes a shallower tree, which
        often ranks better and takes longer to predict.
    max_leaf_size : int or None, default=None
        *Tree.* Maximum number of labels per leaf cluster. Overrides the parameter of `label_tree`;
        None keeps it (100 if `label_tree` is None). A smaller value trains faster. A single leaf
        with all labels is one-vs-rest.
    label_tree : HierarchicalLabelTree, LabelHierarchy, None or sequence, default=None
        *Tree.* Grouping of the labels: an estimator, which is cloned and fitted on the label
        features; a finished hierarchy, which is used unchanged; or None for the default estimator.
        The trees of an ensemble use the entries of a sequence in turn. Trees of different shapes
        make different mistakes, which improves the mean.
    label_features : str, array-like, sparse matrix, callable or LabelFeatureUnion, default="pifa"
        *Tree.* Representation of the labels for the tree; each label is scaled to unit length.
        "pifa" is a weighted sum of the rows of the label, in which rows with many labels have less
        weight; "pii" is the indicator of these rows; "spectral" consists of eigenvectors of the
        graph of labels that occur together. A matrix, for example of embeddings of the names of the
        labels, has one row per entry of `classes_`. A callable is called with the divided rows
        (CSR, float32) and the indicator (CSR), must not modify them, and returns such a matrix. A
        `LabelFeatureUnion` concatenates or averages several. Must be "pifa" if `label_tree` is a
        finished hierarchy, because that needs no features.
    matcher : classifier or None, default=None
        *Tree.* Multilabel classifier with `predict_proba`, which is cloned and fitted to predict
        the clusters of one level, from the divided rows. It replaces the linear models of that
        level and of the levels above; see `skxmr.matching`. None uses linear models on all levels.
    matcher_level : int, default=-1
        *Tree.* Level of the clusters that `matcher` predicts: 1 for the root's children, -1 for the
        leaf clusters. The levels below have linear models. A level nearer to the root has fewer
        clusters to predict.
    ranker : classifier or None, default=None
        *Tree.* Binary classifier with `predict_proba` or `decision_function`, which is cloned and
        fitted for each label on the divided rows, instead of the linear models of the labels. This
        is slow and takes much memory, because each label has a Python object.
    negatives : {"tfn", "man", "tfn+man", "tfn+random"}, matrix or sequence of these, default="tfn"
        *Training.* Rows that the children of a cluster are trained on. "tfn" (teacher-forced
        negatives): rows that have a label in the cluster. "man" (matcher-aware negatives): only
        rows that a beam search with `beam_width` routes to the cluster, positive rows included.
        This is closer to prediction and several times slower. "tfn+man": both. "tfn+random": "tfn"
        and, for each row, five clusters drawn at random. This takes half as long again to twice as
        long, and improves mainly rankings of a single tree and of rare labels. A matrix with the
        shape of `y`: "tfn" and additional negatives; if the entry (row, label) is nonzero, the row
        is also used in each cluster that contains the label. The last entry of a sequence is for
        the labels, the one before for their clusters, and so on; the first entry also applies to
        all levels above.
    loss : {"squared_hinge", "hinge", "log_loss"}, default="squared_hinge"
        *Training.* Loss of the linear models. "squared_hinge" ranks best. "log_loss" gives scores
        that are probabilities, in combination with ``score_transform="sigmoid"``,
        ``relevance_norm=None``, ``positive_weight=1.0`` and a larger `C`.
    C : float, default=1.0
        *Training.* Cost of training errors. A larger value fits the training rows more closely,
        takes longer, and gives more weights. It applies to the divided rows, whose root mean square
        length is 1.
    positive_weight : float, default=2.0
        *Training.* Multiplier of the cost of errors on positive rows. A larger value finds more of
        the rows of a label, and makes more errors on other rows. The default compensates for the
        reduction by `relevance_norm`.
    relevance_norm : {"l1", "l2", "max"} or None, default="l2"
        *Training.* Norm of the relevance of a row that is scaled to 1 on each level, so that rows
        with many labels do not dominate. "l1" reduces the cost of their positives most, and gives
        the smallest models. None gives all positives the same cost, as in one-vs-rest.
    tol : float, default=0.1
        *Training.* Tolerance of the stopping rule of the solver. A smaller value trains longer;
        the ranking rarely improves.
    max_iter : int, default=100
        *Training.* Maximum number of sweeps of the solver over the rows of a cluster. Visits of
        single rows count as parts of a sweep.
    weight_threshold : float, default=0.1
        *Model size.* Weights with a smaller absolute value are removed after training; 0 keeps all.
        A larger value gives a smaller and faster model that uses fewer features. It applies to the
        weights for the divided rows.
    weight_dtype : {"float32", "float16", "int8"}, default="float32"
        *Model size.* Dtype of the stored weights, in memory and in files. "float16" reduces the
        size by 40 % and ranks as well. "int8", with one scale per cluster, reduces it by 60 % and
        loses a little precision. Scores are computed in float32.
    n_trees : int, default=1
        *Model size.* Number of trees. They differ in their seeds and, if `label_tree` is a
        sequence, in their shapes. More trees rank better; time and size grow in proportion. The
        scores of the trees, of the 100 best labels of each, are averaged.
    beam_width : int or None, default=10
        *Prediction.* Number of clusters kept on each level. A larger value takes longer and finds
        more. With None, `predict_topk` finds the best of all labels. This exact search visits only
        clusters that can contain one of them, and takes one to three times as long as a beam of 10;
        longest if no label has a high score. With the score transform "identity", a custom
        `matcher` or a custom `ranker`, it scores all labels. So do the methods that return the
        scores of all labels of the beam, for example `predict_proba`.
        All parameters under *Prediction* may be changed after `fit`.
    score_transform : str or sequence of str, default="l3-hinge"
        *Prediction.* Function of the margin m of a model. "l1-hinge" to "l4-hinge":
        exp(-max(0, 1 - m)^p); a larger p penalizes margins near 1 less and negative margins more.
        "sigmoid": for models with the logistic loss. "identity": the margin. The values are
        multiplied along the path of a label; margins are added. With the prefix "log-" (not for
        "identity") rankings show logarithms. The last entry of a sequence is for the labels, the
        one before for their clusters, and so on; the first entry also applies to all levels above.
        Probabilities of a `matcher` or `ranker` are used unchanged.
    propensity_weight : float, default=0.0
        *Prediction.* Exponent of a factor that increases the rank of rare labels: (smallest
        propensity / propensity of the label), with propensities estimated from `y` [3]_. A larger
        value ranks rare labels higher, decreases precision, and decreases the scores of frequent
        labels, so that `predict` returns fewer of them.
    path_weight : float or "auto", default="auto"
        *Prediction.* Exponent of the scores of the clusters on the path of a label, in (0, 1]. A
        smaller value trusts the label's own model more. This ranks better if no label is much more
        frequent than the others, in particular with few rows per label; a wider beam then finds
        more. "auto" uses `path_weight_`, which `fit` computes from the frequencies of the labels
        and the sizes of their clusters. With the score transforms "sigmoid" and "identity" and with
        a custom `matcher` or `ranker`, "auto" is 1.
    sparse_output : bool or "auto", default="auto"
        *Prediction.* Whether predictions for an indicator are sparse; "auto" uses the format of the
        `y` given to `fit`.
    memory : str, object with the joblib.Memory interface or None, default=None
        *Resources.* Cache of trained trees: a folder or a `joblib.Memory`. A fit with the same data
        and training parameters loads the trees. Parameters under *Prediction* are not part of the
        key (except for the beam search of ``negatives="man"``), so a grid search over `beam_width`
        and `score_transform` fits once per fold. Custom functions and classes are identified by
        their names only: clear the cache after you change one. None disables the cache.
    model_dir : str, path-like or None, default=None
        *Resources.* Folder to which `fit` writes the model, in the format of `save_model`. The
        fitted classifier uses it as a memory map, like `load_model` with ``mmap_mode="r"``. Weights
        are written when they are trained, so they need no memory. If `fit` is interrupted, call it
        again to resume from the files in ``model_dir + ".checkpoint"``. None keeps the model in
        memory.
    n_jobs : int or None, default=None
        *Resources.* Number of threads for training and prediction, as in joblib. Results do not
        depend on it.
    random_state : int, RandomState instance or None, default=None
        *Resources.* Seed of the tree and of the order in which the solver visits rows.
    verbose : int, default=0
        *Resources.* 1 prints a line per stage and level of the fit, 2 also a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted classes or labels, or the columns of an indicator: numbers, or names of a data frame.
    hierarchy_ : LabelHierarchy
        The tree of labels; the first one of an ensemble.
    n_samples_fit_ : int
        Number of rows of the last fit or update.
    n_iter_ : int
        Largest number of sweeps that the training of a cluster took, rounded up.
    path_weight_ : float
        Value of `path_weight` that "auto" uses, from 0.4 to 1.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if `X` has them.

    See Also
    --------
    HierarchicalLabelTree : The grouping of labels as a transformer.
    sklearn.multiclass.OneVsRestClassifier : One model per label, without a tree.

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
    >>> labels, scores = model.predict_topk(X[:2], k=3)
    >>> labels
    array([[87, 65, 18],
           [15, 66, 18]], dtype=int32)
    >>> scores.round(2)
    array([[0.9 , 0.87, 0.82],
           [0.78, 0.77, 0.01]], dtype=float32)
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
        "loss": [StrOptions(set(LOSSES))],
        "C": [Interval(Real, 0, MAX_COST, closed="right")],
        "positive_weight": [Interval(Real, 0, MAX_COST, closed="right")],
        "relevance_norm": [None, StrOptions(set(NORMS))],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, 2**31 - 1, closed="both")],
        "weight_threshold": [Interval(Real, 0, None, closed="left")],
        "weight_dtype": [StrOptions(set(WEIGHT_TYPES))],
        "n_trees": [Interval(Integral, 1, MAX_TREES, closed="both")],
        "beam_width": [None, Interval(Integral, 1, 2**31 - 1, closed="both")],
        "score_transform": [StrOptions(set(TRANSFORMS)), tuple, list],
        "propensity_weight": [Interval(Real, 0, None, closed="left")],
        "path_weight": [Interval(Real, 0, 1, closed="right"), StrOptions({"auto"})],
        "sparse_output": ["boolean", StrOptions({"auto"})],
        "memory": [None, str, HasMethods("cache")],
        "model_dir": [None, str, PathLike],
        "n_jobs": N_JOBS,
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
        loss="squared_hinge",
        C=1.0,
        positive_weight=2.0,
        relevance_norm="l2",
        tol=0.1,
        max_iter=100,
        weight_threshold=0.1,
        weight_dtype="float32",
        n_trees=1,
        beam_width=10,
        score_transform="l3-hinge",
        propensity_weight=0.0,
        path_weight="auto",
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
        self.loss = loss
        self.C = C
        self.positive_weight = positive_weight
        self.relevance_norm = relevance_norm
        self.tol = tol
        self.max_iter = max_iter
        self.weight_threshold = weight_threshold
        self.weight_dtype = weight_dtype
        self.n_trees = n_trees
        self.beam_width = beam_width
        self.score_transform = score_transform
        self.propensity_weight = propensity_weight
        self.path_weight = path_weight
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

        If an error is raised, the attributes of an earlier fit are not changed.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; converted to float32.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Indicator of 0 and 1, or one class per row, in an array, list, sparse matrix or frame.
            Or a list, tuple, set or array of labels per row: str without surrounding blanks, or
            integers; their sorted values are `classes_`. Lists of equal length that contain only
            integers are an indicator; pass sets instead. Sparse columns of a frame remain sparse.
            Rows without labels and labels without rows are allowed. A label without rows keeps its
            column and is never ranked first.
        sample_weight : array-like of shape (n_samples,), default=None
            Multiplier of the cost of errors on each row, and weight of the row in the label
            features "pifa". Rows with weight 0 are ignored. None is 1 for all rows.
        relevance : {array-like, sparse matrix} of shape (n_samples, n_labels), default=None
            Multiplier of the cost of errors on each positive: greater than 0 where `y` is 1,
            ignored elsewhere. The relevance of a cluster is the sum over its labels, scaled
            according to `relevance_norm`. None gives all positives the relevance 1, for labels and,
            without a norm, for clusters. With a norm, relevance has no effect on rows with a single
            label, so none if `y` contains classes.

        Returns
        -------
        self : XRLinearClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range; `X` or `y` contains invalid values; their numbers of
            rows differ; no row has a label; or a given hierarchy has another number of labels.
        TypeError
            If the classifier or a parameter cannot be saved to `model_dir`.
        MemoryError
            If the estimated memory is more than 1.5 times the memory of the machine.
        OSError
            If `model_dir` cannot be written, or is in use by another fit. Finished parts are kept.

        Warns
        -----
        UserWarning
            If the lengths of the rows differ widely; `weight_threshold` removed nearly all weights;
            or `y` looks like a frequent mistake: nearly all labels have no row, or classes are
            several labels joined by a separator.
        """
        self._score_params()  # check the parameters of the scores before anything else
        fit_data = validate_fit_data(self, X, y)
        targets = fit_data.targets
        indexing = check_indexing_options(self, targets.indicator.shape[1], fit_data.X.shape[1])
        self._check_combination(targets.kind, sample_weight, relevance)
        data = prepare_training(self, fit_data, sample_weight, relevance)
        refuse_if_too_large(self, data.rows, data.Y)

        def train(checkpoint, progress):
            return train_trees(
                data.rows,
                data.Y,
                indexing,
                data.options,
                self.random_state,
                memory=self.memory,
                checkpoint=checkpoint,
                progress=progress,
            )

        run_training(self, X, y, data, train, self._codec_registry())
        return self

    @staticmethod
    def _codec_registry():
        return CodecRegistry.from_dict(CLASSIFIER_CODECS)

    def _check_combination(self, kind, sample_weight, relevance):
        check_combination(self, kind, sample_weight, relevance)
        if self.model_dir is not None:
            check_model_dir(self, self._codec_registry())

    @validate_params(
        {
            "weight_threshold": [None, Interval(Real, 0, None, closed="left")],
            "max_weights_per_label": [None, Interval(Integral, 1, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def prune(self, *, weight_threshold=None, max_weights_per_label=None):
        """Remove the smallest weights of the fitted models, in place.

        Removed weights are lost. Intercepts and the parameters of the constructor do not change.
        With float32 weights and without matcher-aware negatives, pruning by a threshold gives the
        result of a fit with this `weight_threshold`. Weights that the fit has removed do not come
        back.

        Parameters
        ----------
        weight_threshold : float or None, default=None
            Weights with a smaller absolute value are removed, as by the parameter of the
            constructor. A larger value gives a smaller and faster model that uses fewer features.
        max_weights_per_label : int or None, default=None
            Maximum number of weights per label. The largest are kept; of equal weights, those of
            lower features. Models of clusters are not limited. For the same total number of
            weights, a threshold loses less precision; a maximum limits the size in advance. Both
            parameters may be combined.

        Returns
        -------
        self : XRLinearClassifier
            The pruned classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range, both are None, or the classifier has no linear models
            because of a custom matcher and ranker.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> model = XRLinearClassifier(random_state=0).fit(X, Y)
        >>> model.prune(max_weights_per_label=20).predict(X).nnz
        236
        """
        check_is_fitted(self)
        if weight_threshold is None and max_weights_per_label is None:
            raise ValueError(
                "weight_threshold or max_weights_per_label must be set; got None for both."
            )
        self._model = self._model.prune(weight_threshold or 0.0, max_weights_per_label)
        check_weights(self._model.levels, weight_threshold or 0.0)
        return self

    def estimate_memory(self, X, y):
        """Estimate how much memory `fit` needs, without fitting.

        A sample of the clusters is trained, which takes seconds for 200,000 labels. The result is
        the same in each call. Label features of any kind are estimated as "pifa", a custom
        clusterer as k-means, and a custom matcher or ranker as linear models. Rows that are added
        by the beam search of ``negatives="man"``, or at random with "tfn+random", are not included.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Targets.

        Returns
        -------
        MemoryEstimate
            Bytes of each part, and their `peak`.

        Raises
        ------
        ValueError
            If `fit` would raise it for the parameters of the tree, `X` or `y`.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> memory = XRLinearClassifier().estimate_memory(X, Y)
        >>> 0 < memory.weights < memory.peak
        True
        """
        return self.estimate_costs(X, y).memory

    def estimate_time(self, X, y):
        """Estimate how long `fit` takes on this machine, without fitting.

        Works like `estimate_memory`, and measures the time of the trained clusters. The estimate is
        for threads of this machine. If the machine is busy, `fit` takes longer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Targets.

        Returns
        -------
        TimeEstimate
            CPU seconds of each stage, and `total`, the elapsed seconds with `n_jobs` threads.

        Raises
        ------
        ValueError
            If `fit` would raise it for the parameters of the tree, `X` or `y`.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> time = XRLinearClassifier().estimate_time(X, Y)
        >>> 0 < time.training < time.cpu < 60
        True
        """
        return self.estimate_costs(X, y).time

    def estimate_costs(self, X, y):
        """Estimate memory and time of `fit` together, in the time of one estimate.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Targets.

        Returns
        -------
        CostEstimate
            Results of `estimate_memory` and `estimate_time`, as `memory` and `time`.

        Raises
        ------
        ValueError
            If `fit` would raise it for the parameters of the tree, `X` or `y`.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> memory, time = XRLinearClassifier().estimate_costs(X, Y)
        >>> memory == XRLinearClassifier().estimate_memory(X, Y)
        True
        """
        return estimate_costs(self, X, y)

    @property
    def _sk_visual_block_(self):
        # scikit-learn reads this attribute to draw the HTML diagram of an estimator. An unfitted
        # classifier does not have it, and is drawn like any estimator.
        if not hasattr(self, "_model"):
            raise AttributeError("The classifier is not fitted.")
        return lambda: fitted_block(self)


CLASSIFIER_CODECS = MODEL_CODECS | {
    "XRLinearClassifier": estimator_codec(
        XRLinearClassifier, REMOVED_PARAMS, check_fitted_classifier
    )
}

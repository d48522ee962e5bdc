"""The estimator from texts to labels: TF-IDF and embeddings, a label tree, linear models."""

import copy
import os
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.compose import make_column_transformer
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skxmr._core.estimators import SubsetAccuracyMixin, clone_with_seed
from skxmr._core.suggestions import SuggestionMixin
from skxmr._core.target_containers import find_column_names, read_targets
from skxmr._core.targets import check_training_targets
from skxmr._core.texts import check_texts
from skxmr._core.validation import MAX_CHILDREN, MAX_SEED, drop_zero_weight_rows
from skxmr._linear.relevance import check_relevance
from skxmr.indexing import check_label_trees
from skxmr.matching import check_negatives
from skxmr.text import TfidfVectorizer
from skxmr.transformer._cluster_scorer import set_encoder_matcher
from skxmr.transformer._embedder import TransformerEmbedder
from skxmr.transformer._label_clusters import cluster_labels
from skxmr.transformer._matcher import TransformerMatcher
from skxmr.transformer._text_features import insert_empty_rows, join_features
from skxmr.xr_linear import XRLinearClassifier

# Parameters of the tree that can be set here and in `classifier`.
TREE_PARAMETERS = ("branching_factor", "max_leaf_size")
# Parameters of `classifier` that may be changed after the fit.
PREDICTION_PARAMETERS = (
    "beam_width",
    "score_transform",
    "propensity_weight",
    "path_weight",
    "sparse_output",
    "n_jobs",
)


class XTransformerClassifier(SuggestionMixin, SubsetAccuracyMixin, BaseEstimator):
    """Classify texts into very many labels, with a transformer encoder and TF-IDF.

    The features of a text are its TF-IDF row, of unit length, followed by its embedding, of length
    `embedding_weight`. An `XRLinearClassifier` is trained on these features. The encoder is either
    frozen or fine-tuned: then it first learns to predict the clusters of a label tree [1]_ [2]_. A
    frozen encoder processes each text once. Fine-tuning takes several times as long; it is much
    faster on a GPU.

    Parameters
    ----------
    model : str, path or sequence of these
        Folder or name of an encoder that `transformers.AutoModel` can load. If several are given,
        each is trained separately; their embeddings are concatenated and their cluster scores
        averaged. Each further encoder takes as long as the first and improves results less.
    branching_factor : int or None, default=None
        Maximum number of children per cluster. Overrides that of `classifier` unless None.
    max_leaf_size : int or None, default=None
        Maximum number of labels per leaf cluster. Overrides that of `classifier` unless None.
    vectorizer : transformer or None, default=None
        Estimator that turns texts into sparse rows; it is cloned. None uses `TfidfVectorizer` with
        ``sublinear_tf=True`` and float32.
    text_column : str or None, default=None
        Column of the texts, if the rows are a data frame. `vectorizer` then gets all columns: pass
        a `ColumnTransformer` to use numbers or categories in addition to the texts. The default
        vectorizer uses the texts only.
    matcher : {"fine-tuned", "frozen"}, TransformerMatcher or TransformerEmbedder, \
default="fine-tuned"
        Choice between fine-tuned and frozen encoders. Pass an instance to set options of the
        training or the embedding. It is cloned, and its `model` and `hierarchy` are replaced.
    matcher_level : int, default=-1
        Last level of clusters that encoders learn to predict: 1 for the root's children, -1 for
        the leaf clusters. A level closer to the root trains faster and teaches the encoder less. If
        all labels are in one cluster, encoders learn to predict the labels.
    cluster_scores : {"linear", "transformer", "mean"}, default="linear"
        Source of the scores of the clusters down to `matcher_level`: linear models, the fine-tuned
        encoders, or the mean of both. "linear" also groups the labels again, by features that
        include the fine-tuned embeddings. If all labels are in one cluster, there are no clusters
        to score and all three options are equivalent.
    embedding_weight : float, default=0.5
        Length of the embedding part of a row; the TF-IDF part has length 1. A larger value gives
        the encoder more influence.
    classifier : XRLinearClassifier or None, default=None
        Classifier with all options of the tree and the linear models; it is cloned. None uses the
        defaults. If `label_features` is a callable, a fit with fine-tuning calls it twice: with
        TF-IDF rows, then with the joined rows.
    random_state : int, RandomState instance or None, default=None
        Seed of every part whose own `random_state` is None.
    verbose : int, default=0
        Verbosity of the encoders if `matcher` is a string: 1 prints a line per level, 2 also shows
        progress bars.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes, or column indices of an indicator.
    hierarchy_ : LabelHierarchy
        Label tree of the linear models.
    n_iter_ : int
        Largest number of passes that the solver of the linear models made over the rows of a
        cluster.
    vectorizer_ : transformer
        Fitted vectorizer.
    encoders_ : list of TransformerMatcher or TransformerEmbedder
        Fitted encoders, in the order of `model`.
    classifier_ : XRLinearClassifier
        Linear models, fitted on the output of `transform`.

    See Also
    --------
    skxmr.XRLinearClassifier : Linear models without an encoder.
    TransformerMatcher : Fine-tunes an encoder on given clusters.
    TransformerEmbedder : Embeds texts with a frozen encoder.

    Notes
    -----
    You may change these parameters of `classifier` after the fit: `beam_width`, `score_transform`,
    `propensity_weight`, `path_weight`, `sparse_output`, `n_jobs`. For example,
    ``set_params(classifier__beam_width=20)`` applies to the next prediction.

    Fine-tuning can use several GPUs: start the script with `torchrun`, see `TransformerMatcher`.
    `random_state` must then be an integer, and `model_dir` of `classifier` must be None.

    References
    ----------
    .. [1] W.-C. Chang, H.-F. Yu, K. Zhong, Y. Yang, I. S. Dhillon (2020). "Taming Pretrained
       Transformers for Extreme Multi-label Text Classification". KDD.
    .. [2] J. Zhang, W.-C. Chang, H.-F. Yu, I. S. Dhillon (2021). "Fast Multi-Resolution
       Transformer Fine-tuning for Extreme Multi-label Text Classification". NeurIPS.

    Examples
    --------
    >>> from skxmr.transformer import XTransformerClassifier
    >>> texts = ["red apples", "ripe pears", "sour cherries", "a fast car", "an old bus", "trains"]
    >>> y = ["fruit", "fruit", "fruit", "vehicle", "vehicle", "vehicle"]
    >>> model = XTransformerClassifier(
    ...     "sentence-transformers/all-MiniLM-L6-v2", matcher="frozen", random_state=0
    ... )
    >>> model = model.fit(texts, y)  # doctest: +SKIP
    >>> model.predict(["bananas", "trucks"])  # doctest: +SKIP
    array(['fruit', 'vehicle'], dtype='<U7')
    >>> model.predict_proba(["bananas", "trucks"]).round(2)  # doctest: +SKIP
    array([[0.53, 0.47],
           [0.45, 0.55]], dtype=float32)
    >>> labels, scores = model.predict_topk(["bananas"], k=2)  # doctest: +SKIP
    >>> model.classes_[labels], scores.round(2)  # doctest: +SKIP
    (array([['fruit', 'vehicle']], dtype='<U7'), array([[0.46, 0.41]], dtype=float32))
    """

    _parameter_constraints = {
        "model": [str, os.PathLike, list, tuple],
        "branching_factor": [None, Interval(Integral, 2, MAX_CHILDREN, closed="both")],
        "max_leaf_size": [None, Interval(Integral, 1, MAX_CHILDREN, closed="both")],
        "vectorizer": [None, HasMethods(["fit_transform", "transform"])],
        "text_column": [None, str],
        "matcher": [StrOptions({"fine-tuned", "frozen"}), TransformerMatcher, TransformerEmbedder],
        "matcher_level": [Integral],
        "cluster_scores": [StrOptions({"linear", "transformer", "mean"})],
        "embedding_weight": [Interval(Real, 0, None, closed="neither")],
        "classifier": [None, XRLinearClassifier],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model,
        branching_factor=None,
        max_leaf_size=None,
        *,
        vectorizer=None,
        text_column=None,
        matcher="fine-tuned",
        matcher_level=-1,
        cluster_scores="linear",
        embedding_weight=0.5,
        classifier=None,
        random_state=None,
        verbose=0,
    ):
        self.model = model
        self.branching_factor = branching_factor
        self.max_leaf_size = max_leaf_size
        self.vectorizer = vectorizer
        self.text_column = text_column
        self.matcher = matcher
        self.matcher_level = matcher_level
        self.cluster_scores = cluster_scores
        self.embedding_weight = embedding_weight
        self.classifier = classifier
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.classifier_tags.multi_label = True
        return tags

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, texts, y, sample_weight=None, relevance=None):
        """Compute the features of the texts, fine-tune the encoders, train the linear models.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,) or data frame
            Texts, or a data frame if `text_column` is set. Empty strings are allowed.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Indicator of 0 and 1, or one class per row.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the linear models. Rows with weight 0 are ignored, except that
            their classes remain in `classes_`. Encoders weight all other rows equally.
        relevance : {array-like, sparse matrix} of shape (n_samples, n_labels), default=None
            Costs of the positive labels in the linear models, see `XRLinearClassifier`. Encoders
            weight all positive labels equally.

        Returns
        -------
        self : XTransformerClassifier
            Fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is invalid, if an encoder cannot be loaded, if `texts` contains anything
            other than strings, if `y` contains invalid values or no label, or if numbers of rows
            differ. A previous fit is kept.
        MemoryError
            If the memory of the device is too small.
        """
        X, texts = _split_texts(texts, self.text_column)
        y, Y, kind = self._check_targets(texts, y)
        random_state = check_random_state(self.random_state)
        classifier = self._make_classifier(random_state)
        encoders = self._make_encoders(random_state)
        self._check_options(classifier, encoders, Y, kind, sample_weight, relevance)
        rows = np.arange(len(texts))
        if sample_weight is not None:
            rows, Y, *_ = drop_zero_weight_rows(sample_weight, rows, Y, None, "tfn")
            texts = [texts[row] for row in rows]
            X = _safe_indexing(X, rows)
        vectorizer = self.vectorizer
        if vectorizer is None:
            vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
            if self.text_column is not None:
                vectorizer = make_column_transformer(
                    (vectorizer, self.text_column), sparse_threshold=1
                )
        vectorizer = clone_with_seed(vectorizer, random_state.randint(MAX_SEED))
        X = vectorizer.fit_transform(X)
        clusters = targets = None
        if _are_fine_tuned(encoders):
            clusters = cluster_labels(X, Y, classifier, self.matcher_level, random_state)
            targets = clusters.targets
            for encoder in encoders:
                encoder.set_params(hierarchy=clusters.cluster_hierarchy)
        embeddings = [encoder.fit_transform(texts, targets) for encoder in encoders]
        X = join_features(X, embeddings, self.embedding_weight)
        del embeddings
        if self.cluster_scores != "linear" and not clusters.are_labels:
            set_encoder_matcher(classifier, X, clusters, encoders, self.cluster_scores == "mean")
        # The classifier needs all rows of y for its classes. It ignores rows with weight 0.
        X = insert_empty_rows(X, rows, y.shape[0])
        with warnings.catch_warnings():
            # Mistakes in y were reported before the encoders were trained.
            warnings.filterwarnings("ignore", message="y has ", category=UserWarning)
            classifier.fit(X, y, sample_weight=sample_weight, relevance=relevance)
        self.vectorizer_ = vectorizer
        self.encoders_ = encoders
        self.classifier_ = classifier
        self.classes_ = classifier.classes_
        self.hierarchy_ = classifier.hierarchy_
        self.n_iter_ = classifier.n_iter_
        # The values at the fit: a later change of a parameter must not change predictions.
        self._embedding_weight = self.embedding_weight
        self._text_column = self.text_column
        return self

    def transform(self, texts):
        """Return the features that `classifier_` is trained on.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,) or data frame
            Texts, or a data frame if `text_column` is set. Empty strings are allowed.

        Returns
        -------
        X : csr_matrix of shape (n_samples, n_features), float32
            Rows of the vectorizer, scaled to unit length, followed by the embeddings of all
            encoders, scaled together to the `embedding_weight` of the fit.
        """
        check_is_fitted(self, "classifier_")
        # Models that older versions saved have no text column.
        X, texts = _split_texts(texts, getattr(self, "_text_column", None))
        X = self.vectorizer_.transform(X)
        embeddings = [encoder.transform(texts) for encoder in self.encoders_]
        return join_features(X, embeddings, self._embedding_weight)

    def predict_topk(self, texts, k=10, *, labels=None, exclude=None, format="arrays"):
        """Return the k best labels of each text, best first.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,) or data frame
            Texts, or a data frame if `text_column` is set. Empty strings are allowed.
        k : int, default=10
            Number of labels per text, limited to the number of labels of the classifier.
        labels, exclude : array-like, sparse matrix, LabelFilter or None, default=None
            Labels that may be returned, or not; see `XRLinearClassifier.predict_topk`.
        format : {"arrays", "csr"}, default="arrays"
            Format of the result; see `XRLinearClassifier.predict_topk`.

        Returns
        -------
        indices : ndarray of shape (n_samples, min(k, n_labels)), int32
            Column indices of `y` (positions in `classes_`). If the beam contains fewer labels, the
            remaining places are -1.
        scores : ndarray of shape (n_samples, min(k, n_labels)), float32
            Scores of the labels, as `XRLinearClassifier.predict_topk` returns them.
        """
        return self._current_classifier().predict_topk(
            self.transform(texts), k, labels=labels, exclude=exclude, format=format
        )

    def predict_proba(self, texts, *, labels=None, exclude=None):
        """Return a score between 0 and 1 per label.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,) or data frame
            Texts, or a data frame if `text_column` is set. Empty strings are allowed.
        labels, exclude : array-like, sparse matrix, LabelFilter or None, default=None
            Labels that may get a score, or not; see `XRLinearClassifier.predict_topk`.

        Returns
        -------
        scores : sparse CSR or ndarray of shape (n_samples, n_classes), float32
            Scores, as `XRLinearClassifier.predict_proba` returns them.
        """
        X = self.transform(texts)
        return self._current_classifier().predict_proba(X, labels=labels, exclude=exclude)

    def decision_function(self, texts):
        """Return a score per label; a higher score means more likely.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,) or data frame
            Texts, or a data frame if `text_column` is set. Empty strings are allowed.

        Returns
        -------
        scores : sparse CSR or ndarray of shape (n_samples, n_classes) or (n_samples,), float32
            Scores, as `XRLinearClassifier.decision_function` returns them.
        """
        return self._current_classifier().decision_function(self.transform(texts))

    def predict(self, texts, *, labels=None, exclude=None):
        """Return the labels with a score of at least 0.5, or the best class.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,) or data frame
            Texts, or a data frame if `text_column` is set. Empty strings are allowed.
        labels, exclude : array-like, sparse matrix, LabelFilter or None, default=None
            Labels that may be predicted, or not; see `XRLinearClassifier.predict_topk`.

        Returns
        -------
        y : sparse CSR or ndarray of shape (n_samples, n_labels) or (n_samples,)
            Labels in the format and dtype of the training `y`.
        """
        X = self.transform(texts)
        return self._current_classifier().predict(X, labels=labels, exclude=exclude)

    def score_candidates(self, texts, candidates):
        """Score only the given labels of each text.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,) or data frame
            Texts, or a data frame if `text_column` is set. Empty strings are allowed.
        candidates : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Labels to score: the stored entries of a sparse matrix, or the nonzero values of an
            array.

        Returns
        -------
        scores : sparse CSR of shape (n_samples, n_labels), float32
            Entries of `candidates` with scores in (0, 1].

        Raises
        ------
        ValueError
            If `candidates` has the wrong shape, or if encoders score the clusters (`cluster_scores`
            is not "linear"). See `XRLinearClassifier.score_candidates`.
        """
        return self._current_classifier().score_candidates(self.transform(texts), candidates)

    def _current_classifier(self):
        """Return `classifier_` with the present prediction parameters of `classifier`."""
        check_is_fitted(self, "classifier_")
        if self.classifier is None:
            return self.classifier_
        current = copy.copy(self.classifier_)
        parameters = {name: getattr(self.classifier, name) for name in PREDICTION_PARAMETERS}
        return current.set_params(**parameters)

    def _check_targets(self, texts, y):
        if find_column_names(y) is None:  # the names of a data frame are needed until the end
            y = read_targets(y)
        check_consistent_length(texts, y)
        Y, _, kind, _ = check_training_targets(y)
        # `check_targets` warns about a column vector. Flatten it, or the classifier warns again.
        return read_targets(y).ravel() if kind == "classes" else y, Y, kind

    def _make_classifier(self, random_state):
        classifier = XRLinearClassifier() if self.classifier is None else clone(self.classifier)
        seed = random_state.randint(MAX_SEED)
        if classifier.random_state is None:
            # Not `clone_with_seed`: the classifier itself draws different seeds for its trees.
            classifier.set_params(random_state=seed)
        overrides = {name: getattr(self, name) for name in TREE_PARAMETERS}
        return classifier.set_params(**{k: v for k, v in overrides.items() if v is not None})

    def _make_encoders(self, random_state):
        models = self.model if isinstance(self.model, (list, tuple)) else [self.model]
        if not models:
            raise ValueError(
                f"model must be a folder, a name, or a non-empty sequence of these; got "
                f"{self.model!r}."
            )
        template = self.matcher
        if isinstance(template, str):
            cls = {"fine-tuned": TransformerMatcher, "frozen": TransformerEmbedder}[template]
            template = cls(models[0], verbose=self.verbose)
        checkpoint_dir = getattr(template, "checkpoint_dir", None)
        encoders = []
        for i, model in enumerate(models):
            encoder = clone_with_seed(template, random_state.randint(MAX_SEED))
            if self.random_state is None:
                # A random seed would make checkpoints useless: let the encoder refuse None itself.
                encoder = clone(template)
            encoder.set_params(model=model)
            if checkpoint_dir is not None and len(models) > 1:
                encoder.set_params(checkpoint_dir=os.path.join(checkpoint_dir, str(i)))
            encoder._validate_params()
            encoders.append(encoder)
        return encoders

    def _check_options(self, classifier, encoders, Y, kind, sample_weight, relevance):
        """Raise before the encoders train for hours, for all that the classifier would refuse."""
        classifier._validate_params()
        classifier._score_params()
        check_label_trees(classifier, Y.shape[1])
        classifier._check_combination(kind, sample_weight, relevance)
        classifier.set_params(negatives=check_negatives(classifier.negatives, Y.shape))
        if relevance is not None:
            check_relevance(relevance, Y)
        are_fine_tuned = _are_fine_tuned(encoders)
        if not are_fine_tuned and self.matcher_level != -1:
            raise ValueError(
                f"matcher_level must be -1 with a frozen encoder; got {self.matcher_level} and "
                f"matcher={self.matcher!r}. It selects the clusters to fine-tune on."
            )
        if self.cluster_scores == "linear":
            return
        conflicts = {
            f"matcher={self.matcher!r}, a frozen encoder": not are_fine_tuned,
            "a matcher in classifier": classifier.matcher is not None,
            f"n_trees={classifier.n_trees} in classifier": classifier.n_trees > 1,
            "sample_weight": sample_weight is not None,
            "relevance": relevance is not None,
        }
        for option, is_set in conflicts.items():
            if is_set:
                raise ValueError(
                    f"cluster_scores={self.cluster_scores!r} cannot be combined with {option}. "
                    "Fine-tuned encoders score the clusters of a single tree and weight all rows "
                    "equally. Use cluster_scores='linear'."
                )


def _split_texts(rows, text_column):
    """Return the input of the vectorizer and the list of the texts."""
    if text_column is None:
        texts = check_texts(rows)
        return texts, texts
    if text_column not in getattr(rows, "columns", ()):
        raise ValueError(
            f"texts must be a data frame with the column {text_column!r}, which is text_column; "
            f"got {type(rows).__name__}."
        )
    return rows, check_texts(rows[text_column], f"texts[{text_column!r}]")


def _are_fine_tuned(encoders):
    return isinstance(encoders[0], TransformerMatcher)

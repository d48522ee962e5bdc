"""The estimator from texts to labels: TF-IDF and embeddings, a tree, linear models."""

import os
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context, clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_y, check_consistent_length

from skxmr._core.estimators import seeded_clone
from skxmr._core.validation import (
    MAX_CHILDREN,
    MAX_SEED,
    check_targets,
    keep_weighted_rows,
    refuse_label_collections,
)
from skxmr._linear.relevance import check_relevance
from skxmr.indexing import check_label_trees
from skxmr.matching import check_negatives
from skxmr.transformer._cluster_scores import group_labels, score_clusters
from skxmr.transformer._embedder import TransformerEmbedder
from skxmr.transformer._joint_features import join_features, spread_rows
from skxmr.transformer._matcher import TransformerMatcher
from skxmr.transformer._text_prediction import TextPredictionMixin, side_by_side
from skxmr.transformer._texts import check_texts
from skxmr.xr_linear import XRLinearClassifier


class XTransformerClassifier(TextPredictionMixin, ClassifierMixin, BaseEstimator):
    """Classifier of texts for very many labels: a transformer's embeddings beside TF-IDF.

    A text becomes its TF-IDF row and its embedding, side by side, each of unit length; on these
    works an `XRLinearClassifier`. The encoder is taken as it is, or first fine-tuned to tell the
    clusters of a label tree, level by level from the root [1]_ [2]_. Frozen embeddings cost one
    pass through the encoder; fine-tuning costs many times that and wants a GPU.

    Parameters
    ----------
    model : str, path or sequence of these
        Folder or name of an encoder that `transformers.AutoModel` loads. Of several, each is
        trained by itself; embeddings are joined and cluster probabilities averaged. More are
        better, by less each, and as many times slower.
    branching_factor : int or None, default=None
        Most children of a cluster. Overrides that of `classifier`.
    max_leaf_size : int or None, default=None
        Most labels of a leaf cluster. Overrides that of `classifier`.
    vectorizer : transformer or None, default=None
        Makes the sparse rows from texts; cloned. None for `TfidfVectorizer` in float32 with
        sublinear counts.
    matcher : {"fine-tuned", "frozen"}, TransformerMatcher or TransformerEmbedder, \
default="fine-tuned"
        Whether encoders are trained. An instance carries all options of training, or of embedding
        alone; it is cloned, and its `model`, and `hierarchy`, are set for it.
    matcher_level : int, default=-1
        Level of clusters that encoders are trained to tell at last: 1 is the root's children, -1
        the leaf clusters. Nearer to the root is faster to train and teaches less. Where all labels
        are in one cluster, encoders learn the labels themselves.
    cluster_scores : {"linear", "transformer", "mean"}, default="linear"
        What scores the clusters of `matcher_level`, and with them those above: the linear models,
        the fine-tuned encoders, or the mean of both. "linear" groups the labels anew, by the
        features with the fine-tuned embeddings in them. Where all labels are in one cluster there
        is none to score, and all three are the same.
    embedding_weight : float, default=0.5
        Length of a row's embedding beside its TF-IDF row of length 1. Larger trusts the encoder
        more.
    classifier : XRLinearClassifier or None, default=None
        Carries all options of tree and linear models; cloned. None for the default one. Label
        features of a callable are asked for twice by a fine-tuning fit: with TF-IDF rows, then
        with the joined ones.
    random_state : int, RandomState instance or None, default=None
        Seeds every part whose own `random_state` is None.
    verbose : int, default=0
        Passed to encoders if `matcher` is a name: 1 prints a line for a level, 2 a bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes, or the column numbers of an indicator.
    hierarchy_ : LabelHierarchy
        The tree of labels of the linear models.
    n_iter_ : int
        Largest number of sweeps that their solver took.
    vectorizer_ : transformer
        The fitted vectoriser.
    encoders_ : list of TransformerMatcher or TransformerEmbedder
        The fitted encoders, in the order of `model`.
    classifier_ : XRLinearClassifier
        The linear models, fitted on what `transform` returns.

    See Also
    --------
    skxmr.XRLinearClassifier : The same without a transformer.
    TransformerMatcher : The fine-tuned encoder by itself.
    TransformerEmbedder : The frozen encoder by itself.

    Notes
    -----
    Parameters of the score (`beam_width`, `score_transform`, `propensity_weight`,
     `sparse_output`, `n_jobs`) act at prediction, as those of
    `XRLinearClassifier` do: ``set_params(classifier__beam_width=20)`` works at once.

    References
    ----------
    .. [1] W.-C. Chang, H.-F. Yu, K. Zhong, Y. Yang, I. S. Dhillon (2020). "Taming Pretrained
       Transformers for Extreme Multi-label Text Classification". KDD.
    .. [2] J. Zhang, W.-C. Chang, H.-F. Yu, I. S. Dhillon (2021). "Fast Multi-Resolution
       Transformer Fine-tuning for Extreme Multi-label Text Classification". NeurIPS.

    Examples
    --------
    >>> from skxmr.transformer import XTransformerClassifier
    >>> model = XTransformerClassifier("path/to/encoder", matcher="frozen")
    >>> model = model.fit(texts, Y)  # doctest: +SKIP
    >>> labels, scores = model.predict_topk(["a new text"], k=5)  # doctest: +SKIP
    """

    _parameter_constraints = {
        "model": [str, os.PathLike, list, tuple],
        "branching_factor": [None, Interval(Integral, 2, MAX_CHILDREN, closed="both")],
        "max_leaf_size": [None, Interval(Integral, 1, MAX_CHILDREN, closed="both")],
        "vectorizer": [None, HasMethods(["fit_transform", "transform"])],
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
        """Make features of the texts, fine-tune encoders if asked to, train the linear models.

        Parameters
        ----------
        texts : array-like of str of shape (n_samples,)
            One text a row; an empty one is legal.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Indicator of 0 and 1, or one class a row.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the linear models; rows of weight 0 are left out of everything,
            but for their classes. Encoders are trained on all others alike.
        relevance : {array-like, sparse matrix} of shape (n_samples, n_labels), default=None
            Costs of the positives in the linear models; see `XRLinearClassifier`. Encoders are
            trained on all positives alike.

        Returns
        -------
        self : XTransformerClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range, `model` is no encoder, a text is none, `y` holds values
            that it must not, or their rows differ in number. Nothing fitted before is lost.
        """
        texts = check_texts(texts)
        y, Y, kind = self._targets(texts, y)
        random_state = check_random_state(self.random_state)
        classifier = self._new_classifier(random_state)
        encoders = self._new_encoders(random_state)
        self._check_combination(classifier, encoders, Y, kind, sample_weight, relevance)
        kept = np.arange(len(texts))
        if sample_weight is not None:
            kept, Y, *_ = keep_weighted_rows(sample_weight, kept, Y, None, "tfn")
            texts = [texts[row] for row in kept]
        vectorizer = self.vectorizer
        if vectorizer is None:
            vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
        vectorizer = seeded_clone(vectorizer, random_state.randint(MAX_SEED))
        X = vectorizer.fit_transform(texts)
        clusters = None
        if _is_trained(encoders):
            clusters = group_labels(X, Y, classifier, self.matcher_level, random_state)
            for encoder in encoders:
                encoder.set_params(hierarchy=clusters.hierarchy)
        M = None if clusters is None else clusters.targets
        E = [encoder.fit_transform(texts, M) for encoder in encoders]
        X = join_features(X, side_by_side(E), self.embedding_weight)
        del E
        if self.cluster_scores != "linear" and clusters.tree.n_levels > 1:
            score_clusters(classifier, X, clusters, encoders, self.cluster_scores == "mean")
        # The classifier is given all rows, and itself leaves out those of weight 0.
        X = spread_rows(X, kept, y.shape[0])
        classifier.fit(X, y, sample_weight=sample_weight, relevance=relevance)
        self.vectorizer_ = vectorizer
        self.encoders_ = encoders
        self.classifier_ = classifier
        self.classes_ = classifier.classes_
        self.hierarchy_ = classifier.hierarchy_
        self.n_iter_ = classifier.n_iter_
        self._embedding_weight = self.embedding_weight
        return self

    def _targets(self, texts, y):
        refuse_label_collections(y)
        y = _check_y(y, multi_output=True, estimator=self)
        check_consistent_length(texts, y)
        Y, _, kind, _ = check_targets(y)
        # One dense column is classes: said once is enough.
        return y.ravel() if kind == "classes" else y, Y, kind

    def _new_classifier(self, random_state):
        classifier = XRLinearClassifier() if self.classifier is None else clone(self.classifier)
        seed = random_state.randint(MAX_SEED)
        if classifier.random_state is None:
            # It seeds its parts, and each tree by another number.
            classifier.set_params(random_state=seed)
        shape = {name: getattr(self, name) for name in ("branching_factor", "max_leaf_size")}
        return classifier.set_params(**{k: v for k, v in shape.items() if v is not None})

    def _new_encoders(self, random_state):
        models = self.model if isinstance(self.model, (list, tuple)) else [self.model]
        if not models:
            raise ValueError("model must be a folder or name, or some of them; got none.")
        template = self.matcher
        if isinstance(template, str):
            made = {"fine-tuned": TransformerMatcher, "frozen": TransformerEmbedder}[template]
            template = made(models[0], verbose=self.verbose)
        folder = getattr(template, "checkpoint_dir", None)
        encoders = []
        for i, model in enumerate(models):
            encoder = seeded_clone(template, random_state.randint(MAX_SEED))
            if self.random_state is None:
                # A fit that is begun anew would be another: let the encoder say so.
                encoder = clone(template)
            encoder.set_params(model=model)
            if folder is not None and len(models) > 1:
                encoder.set_params(checkpoint_dir=os.path.join(folder, str(i)))
            encoder._validate_params()
            encoders.append(encoder)
        return encoders

    def _check_combination(self, classifier, encoders, Y, kind, sample_weight, relevance):
        # What the linear classifier would refuse, before the encoders are at work for hours.
        classifier._validate_params()
        classifier._scoring()
        check_label_trees(classifier, Y.shape[1])
        classifier._check_combination(kind, sample_weight, relevance)
        classifier.set_params(negatives=check_negatives(classifier.negatives, Y.shape))
        if relevance is not None:
            check_relevance(relevance, Y)
        if not _is_trained(encoders) and self.matcher_level != -1:
            raise ValueError(
                f"matcher_level={self.matcher_level} is for encoders that are trained; "
                f"matcher={self.matcher!r} trains none."
            )
        if self.cluster_scores == "linear":
            return
        wrong = {
            f"matcher={self.matcher!r}, which trains none": not _is_trained(encoders),
            "a matcher in classifier": classifier.matcher is not None,
            f"n_trees={classifier.n_trees} in classifier": classifier.n_trees > 1,
            "sample_weight": sample_weight is not None,
            "relevance": relevance is not None,
        }
        for what, given in wrong.items():
            if given:
                raise ValueError(
                    f"cluster_scores={self.cluster_scores!r} needs fine-tuned encoders that score "
                    f"the clusters of one tree, all rows alike; it cannot stand beside {what}. Use "
                    "cluster_scores='linear'."
                )


def _is_trained(encoders):
    return isinstance(encoders[0], TransformerMatcher)

"""The pipeline of scikit-learn, with the ranking methods of its last step."""

import itertools

from sklearn import pipeline as sklearn_pipeline
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skxmr._core.model_folder import check_steps
from skxmr._core.user_warnings import warn_user
from skxmr.text import find_unknown_terms
from skxmr.xr_linear import XRLinearClassifier

# `update` warns if more than this part of the words is not in the vocabulary.
MAX_UNKNOWN_FRACTION = 0.05


def _last_step_has(method):
    """Make a method available only if the last step has it."""

    def has_method(self):
        return hasattr(self.steps[-1][1], method)

    return has_method


def _last_step_is_explainable(self):
    step = self.steps[-1][1]
    while not isinstance(step, XRLinearClassifier):
        if isinstance(step, sklearn_pipeline.Pipeline):
            step = step.steps[-1][1]
        elif hasattr(step, "estimator"):  # a search, or a calibrated or frozen classifier
            step = step.estimator
        else:
            return False
    return True


class Pipeline(sklearn_pipeline.Pipeline):
    """Pipeline that ranks labels: transformers, followed by a ranking classifier.

    This is `sklearn.pipeline.Pipeline` with the ranking methods of its last step, which
    scikit-learn hides, and with `explain`. Parameters, attributes and all other methods are those
    of scikit-learn.

    Parameters
    ----------
    steps : list of tuple
        Names and estimators, in order.
    transform_input : list of str or None, default=None
        Names of fit parameters that the steps transform; needs metadata routing.
    memory : str, joblib.Memory or None, default=None
        Cache of the fitted transformers.
    verbose : bool, default=False
        Whether to print the time of each step.

    See Also
    --------
    make_pipeline : Construct a pipeline without naming the steps.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.pipeline import Pipeline
    >>> from skxmr.text import TfidfVectorizer
    >>> texts = ["red apples", "ripe pears", "a fast car", "an old bus"]
    >>> topics = ["fruit", "fruit", "vehicle", "vehicle"]
    >>> model = Pipeline([("words", TfidfVectorizer()), ("labels", XRLinearClassifier())])
    >>> suggestions = model.fit(texts, topics).suggest(["ripe apples", "an old car"], k=2)
    >>> [[name for name, score in pairs] for pairs in suggestions]
    [['fruit', 'vehicle'], ['vehicle', 'fruit']]
    """

    def fit(self, X, y=None, **params):
        """Fit all steps, as `sklearn.pipeline.Pipeline` does.

        If `model_dir` of the classifier is set, the steps in front of it are checked first. A
        pipeline that `save_model` could not write is not fitted.

        Parameters
        ----------
        X : iterable
            Training rows, as the first step accepts them.
        y : object, default=None
            Targets, as the last step accepts them.
        **params : dict
            Parameters of the steps; see `sklearn.pipeline.Pipeline.fit`.

        Returns
        -------
        self : Pipeline
            The fitted pipeline.

        Raises
        ------
        TypeError
            If `model_dir` of the classifier is set, and `save_model` cannot write another step.
            Nothing is fitted.
        """
        if self.steps and _has_model_dir(self.steps[-1][1]):
            check_steps(self.steps[:-1])
        return super().fit(X, y, **params)

    @available_if(_last_step_has("predict_topk"))
    def predict_topk(self, X, k=10, **options):
        """Transform the rows and return their best labels.

        Parameters
        ----------
        X : iterable
            Rows, as the first step accepts them.
        k : int, default=10
            Number of labels per row, limited to the number of labels of the classifier.
        **options : dict
            Further arguments of the last step: `labels`, `exclude` and `format`.

        Returns
        -------
        indices : ndarray of shape (n_samples, min(k, n_labels)), int32
            Positions in `classes_`, best first; -1 if there are fewer labels.
        scores : ndarray of shape (n_samples, min(k, n_labels)), float32
            Scores of these labels; see `XRLinearClassifier.predict_topk`.
        """
        return self.steps[-1][1].predict_topk(self._transform_rows(X), k, **options)

    @available_if(_last_step_has("sample_topk"))
    def sample_topk(self, X, k=5, **options):
        """Transform the rows and return labels to show, the last one drawn at random.

        Parameters
        ----------
        X : iterable
            Rows, as the first step accepts them.
        k : int, default=5
            Number of labels per row, limited to the number of labels of the classifier.
        **options : dict
            Further arguments of the last step: `n_candidates`, `gamma`, `random_state`, `labels`
            and `exclude`.

        Returns
        -------
        indices : ndarray of shape (n_samples, min(k, n_labels)), int32
            Positions in `classes_`; -1 if there are fewer labels.
        propensities : ndarray of shape (n_samples, min(k, n_labels)), float64
            Probabilities of these labels to be shown; see `XRLinearClassifier.sample_topk`.
        """
        return self.steps[-1][1].sample_topk(self._transform_rows(X), k, **options)

    @available_if(_last_step_has("suggest"))
    def suggest(self, X, k=5, **options):
        """Transform the rows and return the names and scores of their best labels.

        Parameters
        ----------
        X : iterable
            Rows, as the first step accepts them.
        k : int, default=5
            Maximum number of labels per row.
        **options : dict
            Further arguments of the last step: `threshold`, `labels` and `exclude`.

        Returns
        -------
        suggestions : list of list of tuple
            For each row, pairs (name, score), best first; see `XRLinearClassifier.suggest`.
        """
        return self.steps[-1][1].suggest(self._transform_rows(X), k, **options)

    @available_if(_last_step_has("score_candidates"))
    def score_candidates(self, X, candidates):
        """Transform the rows and score given labels of each.

        Parameters
        ----------
        X : iterable
            Rows, as the first step accepts them.
        candidates : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Labels to score; see `XRLinearClassifier.score_candidates`.

        Returns
        -------
        scores : sparse CSR of shape (n_samples, n_labels), float32
            Scores in (0, 1] of the entries of `candidates`.
        """
        return self.steps[-1][1].score_candidates(self._transform_rows(X), candidates)

    @available_if(_last_step_has("label_filter"))
    def label_filter(self, classes):
        """Prepare a filter of the classifier for the arguments `labels` and `exclude`.

        Parameters
        ----------
        classes : array-like
            Different labels, entries of `classes_`.

        Returns
        -------
        LabelFilter
            See `XRLinearClassifier.label_filter`.
        """
        return self.steps[-1][1].label_filter(classes)

    @available_if(_last_step_has("update"))
    def update(self, X, y, **params):
        """Transform the current rows, and adapt the classifier to them.

        The steps in front of the classifier stay as they are.

        Parameters
        ----------
        X : iterable
            Current rows, as the first step accepts them.
        y : object
            Current targets, in the format of the fit.
        **params : dict
            Further arguments of `XRLinearClassifier.update`: `upper_levels`, `sample_weight` and
            `relevance`.

        Returns
        -------
        self : Pipeline
            The pipeline with the updated classifier.

        Warns
        -----
        UserWarning
            If more than 5 % of the words of the new texts, which are at the end, are not in the
            vocabulary of the pipeline. `skxmr.text.find_unknown_terms` lists these words.

        Examples
        --------
        >>> from skxmr import make_text_classifier
        >>> texts = ["red apples", "ripe pears", "a fast car", "an old bus"]
        >>> topics = ["fruit", "fruit", "vehicle", "vehicle"]
        >>> model = make_text_classifier(random_state=0).fit(texts, topics)
        >>> model = model.update([*texts, "an old red bus"], [*topics, "street"])
        >>> model.classes_
        array(['fruit', 'street', 'vehicle'], dtype='<U7')
        """
        classifier = self.steps[-1][1]
        check_is_fitted(classifier)
        n_known = getattr(classifier, "n_samples_fit_", 0)
        classifier.update(self._transform_rows(X), y, **params)
        _warn_about_unknown_terms(self.steps[0][1], X, n_known)
        return self

    @available_if(_last_step_has("forget"))
    def forget(self, X, y, **params):
        """Transform the remaining rows, and remove all others from the classifier.

        The steps in front of the classifier stay as they are. For example, the vocabulary and the
        document frequencies of a vectorizer still depend on the removed rows.

        Parameters
        ----------
        X : iterable
            Remaining rows, as the first step accepts them.
        y : object
            Their targets, in the format of the fit.
        **params : dict
            Further arguments of `XRLinearClassifier.forget`: `labels`, `sample_weight` and
            `relevance`.

        Returns
        -------
        self : Pipeline
            The pipeline with the changed classifier.
        """
        self.steps[-1][1].forget(self._transform_rows(X), y, **params)
        return self

    @available_if(_last_step_is_explainable)
    def explain(self, x, label, **options):
        """Explain the rank of one label for one row, or where the search dropped the label.

        Parameters
        ----------
        x : str, array-like, sparse matrix, DataFrame or Series
            One row, as the first step accepts it.
        label : int or str
            Class, column of an indicator, or name of a label.
        **options : dict
            Further arguments of `skxmr.inspection.explain`.

        Returns
        -------
        explanation : skxmr.inspection.Explanation
            Prints as a report, displays as HTML in a notebook, and contains the steps as data.

        Raises
        ------
        TypeError
            If the last step contains no fitted `XRLinearClassifier`.
        ValueError
            If `x` is not one row, or the label does not exist.

        See Also
        --------
        skxmr.inspection.explain : Function for all estimators.

        Examples
        --------
        >>> from skxmr import make_text_classifier
        >>> texts = ["red apples", "ripe pears", "a fast car", "an old bus"]
        >>> topics = ["fruit", "fruit", "vehicle", "vehicle"]
        >>> model = make_text_classifier(random_state=0).fit(texts, topics)
        >>> explanation = model.explain("ripe red apples", "fruit")
        >>> explanation.rank, sorted(explanation.path[-1].names)
        (1, ['apples', 'red', 'ripe'])
        """
        from skxmr.inspection import explain  # imports packages that few users need

        return explain(self, x, label, **options)

    def _transform_rows(self, X):
        # "passthrough", None and resampling steps do not change rows.
        for _, step in self.steps[:-1]:
            if hasattr(step, "transform"):
                X = step.transform(X)
        return X


def _warn_about_unknown_terms(step, texts, n_known):
    # If the first step of a pipeline, or a part of it, has a vocabulary. The texts after the first
    # `n_known` are probably new.
    parts = [part for _, part in getattr(step, "transformer_list", [("", step)])]
    for part in parts:
        if not isinstance(part, CountVectorizer) or part.fixed_vocabulary_:
            continue
        if not hasattr(texts, "__len__"):  # an iterator, which `transform` has consumed
            continue
        new = list(itertools.islice(texts, n_known if len(texts) > n_known else 0, None))
        try:
            unknown = find_unknown_terms(part, new)
        except ValueError:  # the texts have no words
            continue
        if unknown.fraction > MAX_UNKNOWN_FRACTION:
            first = ", ".join(map(repr, itertools.islice(unknown.counts, 3)))
            warn_user(
                f"{unknown.fraction:.0%} of the words of the last {len(new):,} rows of X are "
                "ignored, because the vocabulary of the pipeline does not contain them: "
                f"{len(unknown.counts):,} words, such as {first}. Fit again to use them; "
                "skxmr.text.find_unknown_terms lists them."
            )


def _has_model_dir(step):
    is_estimator = hasattr(step, "get_params") and not isinstance(step, type)
    params = step.get_params() if is_estimator else {}
    return any(
        name.rpartition("__")[2] == "model_dir" and value is not None
        for name, value in params.items()
    )


def make_pipeline(*steps, **parameters):
    """Construct a `Pipeline` whose steps have the names of their classes, in lower case.

    Parameters
    ----------
    *steps : estimators
        Transformers, followed by a classifier.
    **parameters : dict
        `memory`, `transform_input` and `verbose`, as in `sklearn.pipeline.make_pipeline`.

    Returns
    -------
    Pipeline
        Unfitted pipeline.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.pipeline import make_pipeline
    >>> from skxmr.text import TfidfVectorizer
    >>> model = make_pipeline(TfidfVectorizer(), XRLinearClassifier())
    >>> list(model.named_steps)
    ['tfidfvectorizer', 'xrlinearclassifier']
    """
    named = sklearn_pipeline.make_pipeline(*steps, **parameters)
    return Pipeline(**named.get_params(deep=False))

"""Explain why a label has its rank: the path of one row to one label."""

from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
import scipy.sparse as sp

from skxmr.inspection._fitted_model import find_classifier, list_trees
from skxmr.inspection._html import explanation_html
from skxmr.inspection._names import FeatureNames, LabelNames, cluster_name
from skxmr.inspection._paths import PathStep, ScoredNodes, follow_path
from skxmr.inspection._text import explanation_text


@dataclass(frozen=True, eq=False, kw_only=True)
class Explanation:
    """Explanation of the rank of one label for one row, as `explain` returns it.

    It prints as a report and displays as HTML in a notebook.

    Attributes
    ----------
    label : int
        Column of the label.
    label_name : str
        Name of the label.
    rank : int or None
        Rank of the label, starting at 1. None if the beam dropped the label.
    score : float
        Score that `predict_topk` of the classifier returns, before calibration; -inf if the beam
        dropped the label.
    paths : tuple of tuple of PathStep
        For each tree, the steps from the children of the root to the label.
    beam_width : int or None
        Beam width of the search.
    n_row_features : int
        Number of nonzero features of the row.
    n_features : int
        Number of features per step that the report shows. The steps contain all features.
    """

    label: int
    label_name: str
    rank: int | None
    score: float
    paths: tuple[tuple[PathStep, ...], ...]
    beam_width: int | None
    n_row_features: int
    n_features: int

    @property
    def path(self):
        """Steps through the first tree; most models have only one tree."""
        return self.paths[0]

    def to_records(self):
        """Return all contributions as a list of dicts, for `pandas.DataFrame`.

        Returns
        -------
        records : list of dict
            One dict per step for the intercept, and one per feature. The contributions of a step
            sum to its margin. Steps of custom matchers and rankers are not included.
        """
        records = []
        for tree, path in enumerate(self.paths):
            for step in path:
                if step.source != "linear":
                    continue
                location = {"tree": tree, "level": step.level, "node": step.node}
                records.append(
                    {
                        **location,
                        "feature": None,
                        "name": "intercept",
                        "value": 1.0,
                        "weight": step.intercept,
                        "contribution": step.intercept,
                    }
                )
                columns = {
                    "feature": step.features.tolist(),
                    "name": step.names,
                    "value": step.values.tolist(),
                    "weight": step.weights.tolist(),
                    "contribution": step.contributions.tolist(),
                }
                records += [
                    {**location, **dict(zip(columns, values, strict=True))}
                    for values in zip(*columns.values(), strict=True)
                ]
        return records

    def __str__(self):
        """Return the report."""
        return explanation_text(self)

    def _repr_html_(self):
        return explanation_html(self)


def explain(estimator, x, label, *, feature_names=None, label_names=None, n_features=5):
    """Explain the rank of one label for one row, or where the search dropped the label.

    The score of a label combines the margins of the linear models on its path through the tree.
    Each margin is the sum of an intercept and of one contribution per feature of the row: the
    value of the feature times its weight.

    Parameters
    ----------
    estimator : XRLinearClassifier, Pipeline, search, CalibratedMultilabelClassifierCV or \
            TunedThresholdMultilabelClassifierCV
        Fitted estimator. A pipeline that ends with a classifier transforms `x` first. For a fitted
        search, the best estimator is used. Calibrated and threshold-tuned classifiers predict with
        one classifier, their `estimator_`, which is explained: its scores are not calibrated.
    x : str, array-like, sparse matrix, DataFrame or Series
        One row. For a pipeline that takes texts, a text. For a pipeline that takes data frames, a
        data frame with one row, or a Series with the names of the columns as its index. Otherwise
        an array of shape (n_features,) or (1, n_features).
    label : int or str
        Class, column of an indicator, or one of `label_names`.
    feature_names : array-like of str of shape (n_features,), default=None
        Names of the features of the classifier. If None, `feature_names_in_`, otherwise
        `get_feature_names_out` of the pipeline, otherwise x0, x1, and so on.
    label_names : array-like of str of shape (n_labels,), default=None
        Names of the labels, by column of `y`. If None, `classes_`, which are column numbers if
        `y` is an indicator.
    n_features : int, default=5
        Number of features per step that the report shows, those with the largest absolute
        contributions. The result contains all features.

    Returns
    -------
    explanation : Explanation
        Prints as a report, displays as HTML in a notebook, and contains the steps as data.

    Raises
    ------
    TypeError
        If `estimator` is not an XRLinearClassifier and does not end with one.
    ValueError
        If `x` is not exactly one row, if the label does not exist or its name is not unique, or
        if `feature_names` or `label_names` has the wrong length.

    See Also
    --------
    describe_tree : Describe the clusters.
    ExplanationDisplay : Plot an explanation as bars.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.inspection import explain
    >>> texts = ["sparse matrix", "sparse solver", "fourier transform", "wavelet transform"]
    >>> topics = ["sparse", "sparse", "signal", "signal"]
    >>> model = make_pipeline(TfidfVectorizer(), XRLinearClassifier()).fit(texts, topics)
    >>> explanation = explain(model, "a sparse matrix", "sparse")
    >>> explanation.rank, explanation.path[-1].names
    (1, ('sparse', 'matrix'))
    """
    if not isinstance(n_features, Integral) or isinstance(n_features, bool) or n_features < 0:
        raise ValueError(f"n_features must be a non-negative integer; got {n_features!r}.")
    classifier, transformer, classes = find_classifier(estimator)
    label_names = LabelNames(label_names, classes)
    label = label_names.find_column(label)
    params = classifier._prediction_params()
    # The rows come before the names. A wrong number of features in a loaded file is an error of
    # `transform`, but would be the number of names.
    rows = classifier._check_rows(_as_single_row(x, classifier, transformer)).to_rows()
    feature_names = FeatureNames(feature_names, classifier, transformer)
    if rows.n_rows != 1:
        raise ValueError(f"x must be one row; got {rows.n_rows} rows. Pass one row, such as X[:1].")
    score_params, beam_width = params.score_params, params.beam_width
    model, length = classifier._model, classifier._row_length
    n_labels = len(classes)
    ranking = ScoredNodes.of_row(model.rank(rows, beam_width, score_params, n_labels))
    rank = ranking.rank_of(label)
    score = -np.inf
    if rank is not None:
        shown_scores = model.score_form(score_params).shown(ranking.scores)
        score = float(shown_scores[ranking.ids == label][0])

    def add_names(tree, step):
        if step.level == tree.hierarchy.n_levels:
            (name,) = label_names.lookup([label])
        else:
            name = cluster_name(tree, step.level, step.node, label_names)
        # In the units of x: the models measure rows in units of the mean training row.
        values = (step.values * length).astype(np.float32).astype(np.float64)
        names = feature_names.lookup(step.features)
        return replace(step, name=name, names=names, values=values, weights=step.weights / length)

    paths = tuple(
        tuple(
            add_names(tree, step)
            for step in follow_path(tree, rows, label, beam_width, score_params)
        )
        for tree in list_trees(classifier)
    )
    return Explanation(
        label=label,
        label_name=paths[0][-1].name,
        rank=rank,
        score=score,
        paths=paths,
        beam_width=beam_width,
        n_row_features=int(np.count_nonzero(rows.data)),
        n_features=int(n_features),
    )


def _as_single_row(x, classifier, transformer):
    # Give x the shape that the estimator's own methods take, and transform it.
    first = classifier if transformer is None else transformer
    if isinstance(x, str):
        x = [x]
    elif hasattr(x, "to_frame") and hasattr(first, "feature_names_in_"):  # a row of a data frame
        x = x.to_frame().T.infer_objects()
    elif not sp.issparse(x) and not hasattr(x, "iloc") and np.ndim(x) == 1:
        x = _as_rows(x, takes_texts=not hasattr(first, "n_features_in_"))
    # Not `transform` of the pipeline: scikit-learn 1.6 considers a hashing vectorizer unfitted.
    for _, step in transformer.steps if transformer is not None else ():
        x = step.transform(x)
    return x


def _as_rows(x, takes_texts):
    has_text = len(x) > 0 and any(isinstance(value, str) for value in x)
    if has_text and takes_texts:
        return x  # a list of texts
    return np.asarray(x, dtype=object if has_text else None)[None]

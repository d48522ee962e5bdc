"""Why a label is ranked where it is: the path of one row to one label."""

from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
import scipy.sparse as sp

from skxmr.inspection._html import explanation_html
from skxmr.inspection._names import (
    FeatureNames,
    LabelNames,
    cluster_name,
    find_classifier,
    trees_of,
)
from skxmr.inspection._paths import follow_path, place_of
from skxmr.inspection._text import explanation_text


@dataclass(frozen=True, eq=False, kw_only=True)
class Explanation:
    """How a row came to a label, as `explain` returns it. Prints as a report.

    Attributes
    ----------
    label : int
        Column of the label.
    label_name : str
        Its name.
    rank : int or None
        Place of the label in the ranking, 1 the best. None if the beam did not reach it.
    score : float
        What `predict_topk` gives it; -inf if the beam did not reach it.
    paths : tuple of tuple of PathStep
        For each tree the steps from the root's children to the label.
    beam_width : int or None
        Clusters that were kept on each level.
    n_row_features : int
        Features that the row has.
    n_features : int
        Features that the report shows of each step; the steps have all.
    """

    label: int
    label_name: str
    rank: int | None
    score: float
    paths: tuple
    beam_width: int | None
    n_row_features: int
    n_features: int

    @property
    def path(self):
        """The steps through the first tree, of most models the only one."""
        return self.paths[0]

    def to_records(self):
        """Return all contributions as a list of dicts, such as `pandas.DataFrame` takes.

        Returns
        -------
        list of dict
            For each step its intercept and features: the contributions of a step add up to its
            margin.
        """
        records = []
        for tree, path in enumerate(self.paths):
            for step in path:
                place = {"tree": tree, "level": step.level, "node": step.node}
                if step.source != "linear":
                    continue
                one = {"feature": None, "name": "intercept", "value": 1.0}
                both = {"weight": step.intercept, "contribution": step.intercept}
                records.append({**place, **one, **both})
                names = ("feature", "name", "value", "weight", "contribution")
                columns = (step.features.tolist(), step.names, step.values.tolist())
                columns = (*columns, step.weights.tolist(), step.contributions.tolist())
                records += [
                    {**place, **dict(zip(names, entry, strict=True))}
                    for entry in zip(*columns, strict=True)
                ]
        return records

    def __str__(self):
        """Return the report."""
        return explanation_text(self)

    def _repr_html_(self):
        return explanation_html(self)


def explain(estimator, x, label, *, feature_names=None, label_names=None, n_features=5):
    """Explain how one row came to one label, or where the search lost it.

    A label's score is made of the margins of the linear models on its path through the tree, and
    each margin is a sum: an intercept, and for each feature of the row its value times its weight.

    Parameters
    ----------
    estimator : XRLinearClassifier, Pipeline or search
        Fitted. A pipeline that ends in a classifier transforms `x` first; a fitted search stands
        for its best estimator.
    x : str, array-like, sparse matrix or data frame
        One row: a text for a pipeline that takes texts, else of shape (n_features,) or
        (1, n_features).
    label : int or str
        Class, column of an indicator, or one of `label_names`.
    feature_names : array-like of str of shape (n_features,), default=None
        None takes `feature_names_in_`, or what the pipeline's `get_feature_names_out` says, or
        else x0, x1 and so on.
    label_names : array-like of str of shape (n_labels,), default=None
        By column of `y`. None takes `classes_`, which are the column numbers of an indicator.
    n_features : int, default=5
        Features that the report shows of each step, those of the largest contributions. All of
        them are in the result.

    Returns
    -------
    Explanation
        Prints as a report, shows as HTML in a notebook, and has the steps as data.

    Raises
    ------
    TypeError
        If the estimator is not such a classifier.
    ValueError
        If there is not exactly one row, no such label, or names are not as many as what they name.

    See Also
    --------
    describe_tree : What the clusters are about.
    ExplanationDisplay : The same as bars.

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
        raise ValueError(f"n_features must be an integer from 0 up; got {n_features!r}.")
    classifier, steps = find_classifier(estimator)
    label_names = LabelNames(label_names, classifier.classes_)
    feature_names = FeatureNames(feature_names, classifier, steps)
    label = label_names.column(label)
    rows = classifier._check_rows(_one_row(x, steps))
    if rows.n_rows != 1:
        raise ValueError(f"x must be one row; got {rows.n_rows}.")
    x = (rows.indices, rows.data)
    scoring, beam_width = classifier._scoring(), classifier.beam_width
    model = classifier._model
    labels, scores = model.rank_row(x, beam_width, scoring, len(classifier.classes_))
    rank = place_of(label, labels, scores)
    shown = model.score_form(scoring).shown(scores)

    def named(tree, step):
        if step.level == tree.hierarchy.n_levels:
            (name,) = label_names.of([label])
        else:
            name = cluster_name(tree, step.level, step.node, label_names)
        return replace(step, name=name, names=feature_names.of(step.features))

    paths = tuple(
        tuple(named(tree, step) for step in follow_path(tree, x, label, beam_width, scoring))
        for tree in trees_of(classifier)
    )
    return Explanation(
        label=label,
        label_name=paths[0][-1].name,
        rank=rank,
        score=-np.inf if rank is None else float(shown[labels == label][0]),
        paths=paths,
        beam_width=beam_width,
        n_row_features=int(np.count_nonzero(x[1])),
        n_features=int(n_features),
    )


def _one_row(x, steps):
    # What the estimator's own methods would be given for this one row.
    if isinstance(x, str):
        x = [x]
    elif not sp.issparse(x) and not hasattr(x, "iloc") and np.ndim(x) == 1:
        is_texts = isinstance(x[0] if len(x) else None, str)
        x = x if is_texts else np.asarray(x)[None]
    return x if steps is None else steps.transform(x)

"""Suggestions: rankings as lists of names and scores."""

from numbers import Real

import numpy as np
from sklearn.utils.validation import check_is_fitted


class SuggestionMixin:
    """Method `suggest` for estimators with `predict_topk` and `classes_`."""

    def suggest(self, X, k=5, *, threshold=None, labels=None, exclude=None):
        """Return the names and scores of the best labels of each row.

        Parameters
        ----------
        X : iterable
            Rows, as `predict_topk` accepts them.
        k : int, default=5
            Maximum number of labels per row.
        threshold : float or None, default=None
            Minimum score of a label. None returns labels with any score.
        labels, exclude : array-like, sparse matrix, LabelFilter or None, default=None
            Labels that may be suggested, or not; see `XRLinearClassifier.predict_topk`.

        Returns
        -------
        suggestions : list of list of tuple
            For each row, pairs (name, score), best first. Names are entries of `classes_`: classes,
            or column numbers of an indicator. Scores are those of `predict_topk`. A row has fewer
            than k pairs if fewer labels were found or reach the threshold.

        Raises
        ------
        ValueError
            If `threshold` is not a number, or `predict_topk` refuses an argument.
        """
        is_number = isinstance(threshold, Real) and not isinstance(threshold, bool)
        if threshold is not None and not (is_number and threshold == threshold):
            raise ValueError(f"threshold must be a number or None; got {threshold!r}.")
        check_is_fitted(self)
        # Not every estimator has both arguments.
        selection = {"labels": labels, "exclude": exclude}
        selection = {name: value for name, value in selection.items() if value is not None}
        columns, scores = self.predict_topk(X, k=k, **selection)
        is_shown = columns >= 0
        if threshold is not None:
            # A threshold beyond float32 becomes infinite, which gives the right result.
            with np.errstate(over="ignore"):
                is_shown &= scores >= threshold
        names = np.asarray(self.classes_)[columns[is_shown]].tolist()
        pairs = list(zip(names, scores[is_shown].tolist(), strict=True))
        ends = np.cumsum(np.count_nonzero(is_shown, axis=1)).tolist()
        return [pairs[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]

"""Make a fitted classifier smaller."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_is_fitted


class WeightPruningMixin:
    """The method `prune` of a classifier whose `_model` is a `TreeModel` or `TreeEnsemble`."""

    @validate_params(
        {
            "weight_threshold": [None, Interval(Real, 0, None, closed="left")],
            "max_weights_per_label": [None, Interval(Integral, 1, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def prune(self, weight_threshold=None, max_weights_per_label=None):
        """Drop the weights that matter least from the fitted models, in place.

        What is dropped is lost; intercepts stay, and so do the constructor's parameters. The result
        is that of a fit with these parameters, unless that fit had dropped more already.

        Parameters
        ----------
        weight_threshold : float or None, default=None
            Weights smaller in size are dropped. Larger makes a smaller, faster model that sees
            less.
        max_weights_per_label : int or None, default=None
            Most weights kept of each label's model, the largest in size; of equal ones those of
            lower features. For as many weights in all a threshold loses less; a count bounds the
            size beforehand. If both are given, both hold.

        Returns
        -------
        self : estimator
            The classifier, pruned.

        Raises
        ------
        ValueError
            If a parameter is out of range, neither is given, or a matcher and a ranker of one's own
            left no linear models.

        Examples
        --------
        >>> from skxmr import XRLinearClassifier
        >>> from skxmr.datasets import make_extreme_multilabel
        >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
        >>> model = XRLinearClassifier(random_state=0).fit(X, Y)
        >>> model.prune(max_weights_per_label=20).predict(X).shape
        (500, 100)
        """
        check_is_fitted(self)
        if weight_threshold is None and max_weights_per_label is None:
            raise ValueError(
                "prune needs weight_threshold, max_weights_per_label or both; got neither."
            )
        self._model = self._model.pruned(weight_threshold or 0.0, max_weights_per_label)
        return self

"""Estimators of the user's own, made ready for a stage."""

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter


def seeded_clone(estimator, seed):
    """Clone an estimator and seed what is random in it.

    Parameters
    ----------
    estimator : estimator
        Left as it is.
    seed : int
        Given to each `random_state` among its parameters, nested ones too, that is None; one set
        by the user stays.

    Returns
    -------
    estimator
        Unfitted.
    """
    twin = clone(estimator)
    unset = {
        name: seed
        for name, value in twin.get_params(deep=True).items()
        if value is None and name.rpartition("__")[2] == "random_state"
    }
    return twin.set_params(**unset) if unset else twin


def fit_weighted(estimator, X, y, sample_weight):
    """Fit an estimator, with weights unless they are None; return it."""
    if sample_weight is None:
        return estimator.fit(X, y)
    return estimator.fit(X, y, sample_weight=sample_weight)


def check_takes_weights(name, estimator, sample_weight):
    """Refuse sample weights that an estimator could not heed.

    Parameters
    ----------
    name : str
        What to call the estimator in errors.
    estimator : estimator or None
        None takes any.
    sample_weight : ndarray or None
        Weights of the rows.

    Raises
    ------
    ValueError
        If there are weights and the estimator's `fit` has no parameter for them.
    """
    if estimator is None or sample_weight is None:
        return
    if not has_fit_parameter(estimator, "sample_weight"):
        raise ValueError(
            f"sample_weight cannot be heeded: {name}={estimator!r} does not take it in fit; fit "
            "without weights, or use one that does."
        )


def find_ranker(estimator):
    """Find what has ``predict_topk`` inside searches and pipelines, and the steps before it."""
    transformers = []
    while not hasattr(estimator, "predict_topk"):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            # "passthrough", None and resampling steps have no transform: rows pass unchanged.
            steps = [step for _, step in estimator.steps]
            transformers += [step for step in steps[:-1] if hasattr(step, "transform")]
            estimator = steps[-1]
        else:
            return None, []
    return estimator, transformers

"""Checks that estimators of several classes share: sizes and types of fitted attributes."""

import numpy as np

# A larger number of workers would start as many processes.
MAX_JOBS = 1024
OUTPUT_CONTAINERS = (None, "default", "pandas", "polars")


def is_fitted(estimator):
    """Return whether an estimator has an attribute that only `fit` sets."""
    return any(name.endswith("_") and not name.startswith("__") for name in vars(estimator))


def check_is_complete(estimator, names):
    """Raise a ValueError if a fitted estimator lacks one of these attributes."""
    for name in names:
        if name not in vars(estimator):
            raise ValueError(f"the fitted attribute {name} is missing")


def check_input_features(estimator, minimum=1):
    """Raise a ValueError if the number or the names of the features of `fit` are invalid.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator.
    minimum : int
        Minimum number of features.

    Returns
    -------
    n_features : int
        Number of features.
    names : ndarray or None
        Their names.
    """
    fitted = vars(estimator)
    n_features, names = fitted.get("n_features_in_"), fitted.get("feature_names_in_")
    if not is_integer(n_features) or n_features < minimum:
        raise ValueError(f"n_features_in_ must be an integer >= {minimum}; got {n_features!r}")
    if "feature_names_in_" in fitted and not (
        isinstance(names, np.ndarray)
        and names.shape == (n_features,)
        and all(isinstance(name, str) for name in names)
    ):
        raise ValueError(f"feature_names_in_ must be {n_features} names")
    return n_features, names


def check_numbers(estimator, name, shape, *, optional=False):
    """Raise a ValueError unless an attribute is an array of float32 or float64 of a shape.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator.
    name : str
        Name of the attribute.
    shape : tuple of int
        Shape of the array.
    optional : bool
        Whether the attribute may be None.
    """
    values = vars(estimator)[name]
    if optional and values is None:
        return
    is_array = isinstance(values, np.ndarray) and values.shape == shape
    if not is_array or values.dtype not in (np.float32, np.float64):
        raise ValueError(f"{name} must be an array of floats of shape {shape}")


def check_output_config(estimator):
    """Raise a ValueError if the result of `set_output` is invalid."""
    config = vars(estimator).get("_sklearn_output_config", {})
    if type(config) is not dict or config.keys() - {"transform"}:
        raise ValueError("_sklearn_output_config must be a dict with the key 'transform'")
    for container in config.values():
        if not (container is None or isinstance(container, str)) or (
            container not in OUTPUT_CONTAINERS
        ):
            raise ValueError(f"the output must be one of {OUTPUT_CONTAINERS}; got {container!r}")


def check_step_weights(weights):
    """Raise a ValueError unless `transformer_weights` is None or a dict of numbers."""
    if weights is not None and (
        type(weights) is not dict or not all(map(is_number, weights.values()))
    ):
        raise ValueError("transformer_weights must be a dict of numbers")


def check_n_jobs(n_jobs):
    """Raise a ValueError unless `n_jobs` is None or a possible number of workers."""
    if n_jobs is not None and not (is_integer(n_jobs) and 0 != n_jobs <= MAX_JOBS):
        raise ValueError(f"n_jobs must be None or an integer up to {MAX_JOBS}; got {n_jobs!r}")


def is_integer(value):
    """Return whether a value is an integer, and not a boolean."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_number(value):
    """Return whether a value is a finite number."""
    return isinstance(value, (int, float, np.number)) and bool(np.isfinite(value))

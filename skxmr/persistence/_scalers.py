"""Codecs of transformers that scale features, or that return rows unchanged."""

from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler

from skxmr._core.encoding import UNSAVABLE_ADVICE
from skxmr.persistence._checked_codec import make_codec
from skxmr.persistence._fitted_checks import (
    check_input_features,
    check_is_complete,
    check_numbers,
    is_fitted,
)


def check_standard_scaler(scaler):
    """Raise a ValueError if a `StandardScaler` is invalid."""
    scaler._validate_params()
    if not is_fitted(scaler):
        return
    check_is_complete(scaler, ["mean_", "var_", "scale_", "n_samples_seen_"])
    n_features, _ = check_input_features(scaler)
    needs_mean, needs_std = scaler.with_mean, scaler.with_std
    check_numbers(scaler, "mean_", (n_features,), optional=not needs_mean)
    check_numbers(scaler, "var_", (n_features,), optional=not needs_std)
    check_numbers(scaler, "scale_", (n_features,), optional=not needs_std)


def check_max_abs_scaler(scaler):
    """Raise a ValueError if a `MaxAbsScaler` is invalid."""
    scaler._validate_params()
    if not is_fitted(scaler):
        return
    check_is_complete(scaler, ["max_abs_", "scale_", "n_samples_seen_"])
    n_features, _ = check_input_features(scaler)
    check_numbers(scaler, "max_abs_", (n_features,))
    check_numbers(scaler, "scale_", (n_features,))


def check_identity(transformer):
    """Raise an error if a `FunctionTransformer` does not return its input unchanged."""
    for name in ("func", "inverse_func"):
        if getattr(transformer, name) is not None:
            raise TypeError(
                f"{name} of FunctionTransformer must be None; got {getattr(transformer, name)!r}. "
                f"{UNSAVABLE_ADVICE}"
            )
    transformer._validate_params()
    if transformer.kw_args or transformer.inv_kw_args:
        raise ValueError("kw_args and inv_kw_args must be empty if func is None")
    if transformer.feature_names_out not in (None, "one-to-one"):
        raise TypeError(
            "feature_names_out of FunctionTransformer must be None or 'one-to-one'; got "
            f"{transformer.feature_names_out!r}. {UNSAVABLE_ADVICE}"
        )
    if is_fitted(transformer):
        check_input_features(transformer, minimum=0)


def _remove_new_params(params, fitted):
    # scikit-learn 1.9 added `clip`. Earlier versions can load a scaler that does not clip.
    if params.get("clip") is False:
        del params["clip"]


SCALER_CODECS = {
    "StandardScaler": make_codec(StandardScaler, check_standard_scaler),
    "MaxAbsScaler": make_codec(MaxAbsScaler, check_max_abs_scaler, _remove_new_params),
    "FunctionTransformer": make_codec(FunctionTransformer, check_identity),
}

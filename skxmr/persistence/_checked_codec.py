"""Codec of an estimator of scikit-learn that is checked when it is saved and loaded."""

from skxmr._core.encoding import UNSAVABLE_ADVICE, ClassCodec
from skxmr._core.model_folder import estimator_codec
from skxmr.persistence._fitted_checks import check_output_config


def make_codec(cls, check, change_fields=None, restore_fields=None):
    """Return the codec of an estimator that is checked when it is saved and loaded.

    Parameters
    ----------
    cls : type
        Class of the estimator.
    check : callable
        Function that raises a ValueError if an estimator is invalid. Such an estimator is not
        saved, because it could not be loaded.
    change_fields : callable or None
        Function that changes the dicts of the parameters and of the fitted attributes before they
        are saved.
    restore_fields : callable or None
        Function that reverts `change_fields` after the dicts are loaded.
    """

    def check_all(estimator):
        check(estimator)
        check_output_config(estimator)

    codec = estimator_codec(cls, check_fitted=check_all)

    def to_fields(estimator):
        if getattr(estimator, "input", "content") != "content":
            raise TypeError(
                f"input of {cls.__name__} must be 'content'; got {estimator.input!r}. The loaded "
                f"model would read files of the machine. {UNSAVABLE_ADVICE}"
            )
        check_all(estimator)
        fields = codec.to_fields(estimator)
        params, fitted = dict(fields["params"]), dict(fields["fitted"])
        if change_fields is not None:
            change_fields(params, fitted)
        return {**fields, "params": params, "fitted": fitted}

    def from_fields(fields):
        params, fitted = dict(fields["params"]), dict(fields["fitted"])
        if restore_fields is not None:
            restore_fields(params, fitted)
        return codec.from_fields({**fields, "params": params, "fitted": fitted})

    return ClassCodec(cls, to_fields, from_fields)

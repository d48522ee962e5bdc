"""Estimators and small objects as the values that they are made of."""

from sklearn import config_context

from skxmr.persistence._encoding import Kind, UnknownFormError

# Of scikit-learn, and of one fit: they are not part of the model.
LEFT_OUT = {"_skl_callbacks", "_parent_callback_ctx", "_callback_fit_ctx", "_metadata_request"}


def attributes(cls, *names):
    """Make the kind of a class whose constructor takes its attributes by name."""
    return Kind(
        cls,
        lambda value: {name: getattr(value, name) for name in names},
        lambda fields: cls(**fields),
    )


def estimator(cls):
    """Make the kind of an estimator: parameters, and what its fit left."""

    def fields(value):
        params = value.get_params(deep=False)
        fitted = {k: v for k, v in vars(value).items() if k not in params and k not in LEFT_OUT}
        return {"params": params, "fitted": fitted, "requests": _requests(value)}

    def make(fields):
        unknown = set(fields["params"]) - set(cls._get_param_names())
        if unknown:
            raise UnknownFormError(f"{cls.__name__} has no parameter {sorted(unknown)[0]!r} here")
        value = cls(**fields["params"])
        vars(value).update(fields["fitted"])
        with config_context(enable_metadata_routing=True):
            for method, request in fields["requests"].items():
                getattr(value, f"set_{method}_request")(**request)
        return value

    return Kind(cls, fields, make)


def _requests(value):
    # What `set_fit_request` and its like were told.
    if "_metadata_request" not in vars(value):
        return {}
    routing = value.get_metadata_routing()
    methods = {m: r.requests for m, r in vars(routing).items() if hasattr(r, "requests")}
    asked = {m: {k: v for k, v in r.items() if v is not None} for m, r in methods.items()}
    return {method: request for method, request in asked.items() if request}

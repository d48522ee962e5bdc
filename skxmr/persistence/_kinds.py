"""The classes that model files hold, and of what values each is made."""

from sklearn import config_context

from skxmr.classifier import XRLinearClassifier
from skxmr.indexing import HierarchicalLabelTree, LabelFeatureUnion, LabelHierarchy
from skxmr.linear import LevelModel
from skxmr.matching import RecursiveLinearMatcher
from skxmr.persistence._encoding import Kind, UnknownFormError
from skxmr.ranking import OneVsAllRanker
from skxmr.tree_ensemble import TreeEnsemble
from skxmr.tree_model import TreeModel

# Of scikit-learn, and of one fit: they are not part of the model.
LEFT_OUT = {"_skl_callbacks", "_parent_callback_ctx", "_metadata_request"}


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
    requests = {method: getattr(routing, method).requests for method in ("fit", "score")}
    return {
        method: {name: asked for name, asked in request.items() if asked is not None}
        for method, request in requests.items()
        if any(asked is not None for asked in request.values())
    }


KINDS = {
    "LabelHierarchy": Kind(
        LabelHierarchy,
        lambda tree: {
            "child_indptrs": tree.child_indptrs,
            "label_order": tree.label_order,
            "leaf_of_label": tree.leaf_of_label,
        },
        lambda fields: LabelHierarchy._of_checked(**fields),
    ),
    "LevelModel": attributes(LevelModel, "arrays", "n_features", "n_iter", "n_unsolved", "tables"),
    "RecursiveLinearMatcher": attributes(RecursiveLinearMatcher, "levels"),
    "OneVsAllRanker": attributes(OneVsAllRanker, "level", "offsets"),
    "TreeModel": attributes(TreeModel, "matcher", "ranker", "hierarchy"),
    "TreeEnsemble": attributes(TreeEnsemble, "models", "voting"),
    "LabelFeatureUnion": estimator(LabelFeatureUnion),
    "HierarchicalLabelTree": estimator(HierarchicalLabelTree),
    "XRLinearClassifier": estimator(XRLinearClassifier),
}

"""How the parts of a classifier are saved, by their names in files."""

from skxmr._core.encoding import Kind, UnknownFormError
from skxmr._core.model_folder import attributes_kind, estimator_kind
from skxmr._linear import LevelModel
from skxmr.indexing import HierarchicalLabelTree, LabelFeatureUnion, LabelHierarchy
from skxmr.matching import EstimatorMatcher, RecursiveLinearMatcher
from skxmr.ranking import OneVsAllRanker
from skxmr.xr_linear._ensemble import TreeEnsemble
from skxmr.xr_linear._tree_model import TreeModel

# Parameters that existed before the first release, with their default values.
REMOVED_PARAMS = {
    "max_negatives": None,
    "max_weights_per_label": None,
    "score_combination": "product",
    "voting": "mean",
}


def _make_ensemble(fields):
    if fields.get("voting", "mean") != "mean":
        raise UnknownFormError("TreeEnsemble no longer averages ranks")
    return TreeEnsemble(fields["models"])


MODEL_KINDS = {
    "LabelHierarchy": Kind(
        LabelHierarchy,
        lambda tree: {
            "child_indptrs": tree.child_indptrs,
            "label_order": tree.label_order,
            "leaf_of_label": tree.leaf_of_label,
        },
        lambda fields: LabelHierarchy._from_checked_arrays(**fields),
    ),
    "LevelModel": Kind(
        LevelModel, LevelModel.constructor_arguments, lambda fields: LevelModel(**fields)
    ),
    "RecursiveLinearMatcher": attributes_kind(RecursiveLinearMatcher, "levels"),
    # The estimator must be of a known class, too: only those of skxmr.transformer are.
    "EstimatorMatcher": attributes_kind(
        EstimatorMatcher, "estimator", "columns", "shares", "levels", "n_features", "n_call"
    ),
    "OneVsAllRanker": attributes_kind(OneVsAllRanker, "level", "offsets"),
    "TreeModel": attributes_kind(TreeModel, "matcher", "ranker", "hierarchy"),
    "TreeEnsemble": Kind(TreeEnsemble, lambda model: {"models": model.models}, _make_ensemble),
    "LabelFeatureUnion": estimator_kind(LabelFeatureUnion),
    "HierarchicalLabelTree": estimator_kind(HierarchicalLabelTree),
}

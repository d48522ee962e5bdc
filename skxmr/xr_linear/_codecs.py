"""Codecs of the classes that a fitted classifier consists of, by their names in files."""

from skxmr._core.encoding import ClassCodec, DecodingError
from skxmr._core.model_folder import attribute_codec, estimator_codec
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
        raise DecodingError("the parameter voting was removed; got voting='rank'")
    return TreeEnsemble(fields["models"])


MODEL_CODECS = {
    "LabelHierarchy": ClassCodec(
        LabelHierarchy,
        lambda tree: {
            "child_indptrs": tree.child_indptrs,
            "label_order": tree.label_order,
            "leaf_of_label": tree.leaf_of_label,
        },
        lambda fields: LabelHierarchy._from_checked_arrays(**fields),
    ),
    "LevelModel": ClassCodec(
        LevelModel, LevelModel.constructor_arguments, lambda fields: LevelModel(**fields)
    ),
    "RecursiveLinearMatcher": attribute_codec(RecursiveLinearMatcher, "levels"),
    # The estimator must be of a known class, too: only those of skxmr.transformer are.
    "EstimatorMatcher": attribute_codec(
        EstimatorMatcher,
        *("estimator", "predicted_clusters", "cluster_frequencies"),
        *("levels", "n_features", "max_call_rows"),
        field_names={
            "predicted_clusters": "columns",
            "cluster_frequencies": "shares",
            "max_call_rows": "n_call",
        },
    ),
    "OneVsAllRanker": attribute_codec(OneVsAllRanker, "level", "offsets"),
    "TreeModel": attribute_codec(TreeModel, "matcher", "ranker", "hierarchy"),
    "TreeEnsemble": ClassCodec(
        TreeEnsemble, lambda model: {"models": model.models}, _make_ensemble
    ),
    "LabelFeatureUnion": estimator_codec(LabelFeatureUnion),
    "HierarchicalLabelTree": estimator_codec(HierarchicalLabelTree),
}

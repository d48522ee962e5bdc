"""Codecs of the classes that a fitted classifier consists of, by their names in files."""

import numpy as np

from skxmr._core.encoding import ClassCodec, DecodingError
from skxmr._core.model_folder import attribute_codec, estimator_codec
from skxmr._linear import LevelModel, check_level_content, check_level_structure
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
    models = fields["models"]
    if not (isinstance(models, list) and models and all(type(m) is TreeModel for m in models)):
        raise ValueError("models must be a list of trees")
    if len({model.hierarchy.n_labels for model in models}) > 1:
        raise ValueError("the trees must have the same labels")
    return TreeEnsemble(models)


def _make_level(fields):
    check_level_structure(fields["arrays"], fields.get("tables") or {}, fields["n_features"])
    for name in ("n_iter", "n_unsolved"):
        if not isinstance(fields[name], (int, np.integer)):
            raise ValueError(f"{name} must be an integer; got {fields[name]!r}")
    return LevelModel(**fields)


def _check_level(level):
    arrays = {name: values for name, values in level.arrays.items() if name != "words"}
    check_level_content(arrays, level.tables, level.n_features)


def _make_hierarchy(fields):
    indptrs, order, leaves = (
        fields[name] for name in ("child_indptrs", "label_order", "leaf_of_label")
    )
    n_nodes = 1
    for indptr in indptrs:
        is_valid = _is_vector(indptr, np.int64) and len(indptr) == n_nodes + 1 and indptr[0] == 0
        if not is_valid or np.any(np.diff(indptr) < 1):
            raise ValueError("child_indptrs do not describe a tree")
        n_nodes = int(indptr[-1])
    if not (_is_vector(order, np.int32) and len(order) == n_nodes and len(indptrs)):
        raise ValueError(f"label_order must have {n_nodes} entries")
    if not (_is_vector(leaves, np.int32) and len(leaves) == n_nodes):
        raise ValueError(f"leaf_of_label must have {n_nodes} entries")
    return LabelHierarchy._from_checked_arrays(tuple(indptrs), order, leaves)


def _check_hierarchy(hierarchy):
    checked = LabelHierarchy(hierarchy.child_indptrs, hierarchy.label_order)
    if checked != hierarchy or not np.array_equal(checked.leaf_of_label, hierarchy.leaf_of_label):
        raise ValueError("label_order and leaf_of_label disagree with child_indptrs")


def _make_estimator_matcher(fields):
    matcher = ESTIMATOR_MATCHER_CODEC.from_fields(fields)
    frequencies, clusters = matcher.cluster_frequencies, matcher.predicted_clusters
    if not (
        _is_vector(frequencies, np.float64) and np.all((frequencies >= 0) & (frequencies <= 1))
    ):
        raise ValueError("the frequencies of clusters must be from 0 to 1")
    varying = np.flatnonzero((frequencies > 0) & (frequencies < 1))
    if not (_is_vector(clusters, np.int32) and np.array_equal(clusters, varying)):
        raise ValueError("the predicted clusters disagree with their frequencies")
    if len(clusters) and not callable(getattr(matcher.estimator, "predict_proba", None)):
        raise ValueError("the estimator of a matcher must have predict_proba")
    counts = (matcher.n_features, matcher.max_call_rows)
    if not all(isinstance(count, (int, np.integer)) and count > 0 for count in counts):
        raise ValueError("the numbers of features and rows of a matcher must be positive")
    return matcher


def _make_tree(fields):
    matcher, ranker, hierarchy = (fields[name] for name in ("matcher", "ranker", "hierarchy"))
    levels = [*matcher.levels, *ranker.levels]
    indptrs = hierarchy.child_indptrs[hierarchy.n_levels - len(levels) :]
    if len(levels) > hierarchy.n_levels or not all(
        np.array_equal(level.arrays["child_indptr"], indptr)
        for level, indptr in zip(levels, indptrs, strict=True)
    ):
        raise ValueError("the levels of a tree disagree with its hierarchy")
    if len({level.n_features for level in levels}) > 1:
        raise ValueError("the levels of a tree have different numbers of features")
    if type(matcher) is EstimatorMatcher:
        n_clusters = (1, *hierarchy.level_sizes)[hierarchy.n_levels - len(levels)]
        if len(matcher.cluster_frequencies) != n_clusters or len(levels) == hierarchy.n_levels:
            raise ValueError(f"the matcher of a tree must have {n_clusters} clusters")
        if matcher.n_features != levels[0].n_features:
            raise ValueError("the matcher and the levels of a tree have different features")
    elif type(matcher) is not RecursiveLinearMatcher or len(levels) != hierarchy.n_levels:
        raise ValueError("a tree must have models of all levels")
    if not _is_vector(ranker.offsets, np.float32) or len(ranker.offsets) != hierarchy.n_labels:
        raise ValueError(f"offsets must have {hierarchy.n_labels} entries")
    if not np.all(ranker.offsets <= 0):  # otherwise the search would miss labels
        raise ValueError("offsets must not be positive")
    seed, key = fields.get("seed"), fields.get("key")  # missing in format version 2
    for name, value in (("seed", seed), ("key", key)):
        if value is not None and not (type(value) is int and 0 <= value < 2**64):
            raise ValueError(f"{name} must be an unsigned integer of 64 bits; got {value!r}")
    return TreeModel(matcher, ranker, hierarchy, seed, key)


def check_fitted_classifier(classifier):
    """Raise a ValueError if the fitted attributes of a loaded classifier contradict each other.

    Parameters
    ----------
    classifier : XRLinearClassifier
        A classifier without fitted attributes is not checked.
    """
    fitted = vars(classifier)
    if "_model" not in fitted:
        return
    model, names = fitted["_model"], fitted.get("feature_names_in_")
    trees = model.models if type(model) is TreeEnsemble else [model]
    n_features, classes = fitted["n_features_in_"], fitted["classes_"]
    n_samples = fitted.get("n_samples_fit_", 0)  # missing in format version 2
    row_length = fitted.get("_row_length", 1.0)
    path_weight = fitted.get("path_weight_", 1.0)
    target_kind, target_dtype = fitted["_target_kind"], fitted["_target_dtype"]
    conditions = {
        "_model": type(model) in (TreeModel, TreeEnsemble),
        "n_features_in_": type(n_features) is int and n_features > 0,
        "n_samples_fit_": type(n_samples) is int and n_samples >= 0,
        "_target_kind": target_kind in ("classes", "names", "sparse", "dense"),
        "_target_dtype": isinstance(target_dtype, np.dtype)
        and (target_kind in ("classes", "names") or target_dtype.kind in "biufc"),
        "_row_length": type(row_length) is float and 0 < row_length < np.inf,
        "path_weight_": type(path_weight) is float and 0 < path_weight <= 1,
        "classes_": isinstance(classes, np.ndarray) and classes.ndim == 1,
        "feature_names_in_": names is None or np.shape(names) == (n_features,),
    }
    for name, is_valid in conditions.items():
        if not is_valid:
            raise ValueError(f"the fitted attribute {name} is invalid")
    if fitted["hierarchy_"] != trees[0].hierarchy:
        raise ValueError("hierarchy_ is not the tree of the model")
    if len(classes) != trees[0].hierarchy.n_labels:
        raise ValueError("classes_ and the tree have different numbers of labels")
    if any(level.n_features != n_features for level in model.levels):
        raise ValueError("n_features_in_ is not the number of features of the models")


def _is_vector(values, dtype):
    return isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype == dtype


ESTIMATOR_MATCHER_CODEC = attribute_codec(
    EstimatorMatcher,
    *("estimator", "predicted_clusters", "cluster_frequencies"),
    *("levels", "n_features", "max_call_rows"),
    field_names={
        "predicted_clusters": "columns",
        "cluster_frequencies": "shares",
        "max_call_rows": "n_call",
    },
)
MODEL_CODECS = {
    "LabelHierarchy": ClassCodec(
        LabelHierarchy,
        lambda tree: {
            "child_indptrs": tree.child_indptrs,
            "label_order": tree.label_order,
            "leaf_of_label": tree.leaf_of_label,
        },
        _make_hierarchy,
        _check_hierarchy,
    ),
    "LevelModel": ClassCodec(
        LevelModel, LevelModel.constructor_arguments, _make_level, _check_level
    ),
    "RecursiveLinearMatcher": attribute_codec(RecursiveLinearMatcher, "levels"),
    # The estimator must be of a known class, too: only those of skxmr.transformer are.
    "EstimatorMatcher": ESTIMATOR_MATCHER_CODEC._replace(from_fields=_make_estimator_matcher),
    "OneVsAllRanker": attribute_codec(OneVsAllRanker, "level", "offsets"),
    "TreeModel": ClassCodec(
        TreeModel,
        lambda tree: {
            name: getattr(tree, name) for name in ("matcher", "ranker", "hierarchy", "seed", "key")
        },
        _make_tree,
    ),
    "TreeEnsemble": ClassCodec(
        TreeEnsemble, lambda model: {"models": model.models}, _make_ensemble
    ),
    "LabelFeatureUnion": estimator_codec(LabelFeatureUnion),
    "HierarchicalLabelTree": estimator_codec(HierarchicalLabelTree),
}

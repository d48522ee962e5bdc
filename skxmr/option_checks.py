"""Options of the classifier: what the tree is made from, and what cannot work together."""

from skxmr._core.estimators import check_takes_weights
from skxmr.indexing import LabelHierarchy
from skxmr.indexing.label_index import (
    check_features_are_used,
    check_label_trees,
    trees_in_turn,
)
from skxmr.indexing.label_representations import check_label_features
from skxmr.matching.negative_sampling import needs_beam


def check_indexing(classifier, n_labels, n_features):
    """Return how the labels are to be grouped; refuse what cannot be.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Its parameters, each valid by itself.
    n_labels, n_features : int
        Columns of y and of X.

    Returns
    -------
    dict
        What `LabelIndexing` takes.

    Raises
    ------
    ValueError
        If the label trees or label features do not fit the data, or each other.
    """
    shape = {name: getattr(classifier, name) for name in ("branching_factor", "max_leaf_size")}
    check_label_trees(classifier.label_tree, classifier.n_trees, n_labels, **shape)
    trees = trees_in_turn(classifier.label_tree, classifier.n_trees)
    check_features_are_used(trees, classifier.label_features)
    features = check_label_features(classifier.label_features, n_labels, n_features)
    return {"label_trees": trees, "label_features": features, **shape}


def check_combination(classifier, kind, sample_weight, relevance):
    """Refuse options that would not be used, or that contradict each other, and say why.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Its parameters, each valid by itself.
    kind : {"classes", "sparse", "dense"}
        What y is.
    sample_weight, relevance : object
        Arguments of fit.

    Raises
    ------
    ValueError
        For the first such combination.
    """
    if kind == "classes" and classifier.sparse_output is True:
        raise ValueError("sparse_output=True needs y to be an indicator; got classes.")
    shape = {name: getattr(classifier, name) for name in ("branching_factor", "max_leaf_size")}
    shape = {name: value for name, value in shape.items() if value is not None}
    made = []
    for tree in trees_in_turn(classifier.label_tree, classifier.n_trees):
        if isinstance(tree, LabelHierarchy):
            same = tree
        elif getattr(tree, "random_state", None) is not None:
            same = repr(tree.get_params() | shape)
        else:
            continue
        if same in made:
            raise ValueError(
                f"n_trees={classifier.n_trees} needs trees that differ: a finished hierarchy, or "
                f"an estimator whose random_state is not None, makes one; got {tree!r} for several."
            )
        made.append(same)
    if classifier.n_trees == 1 and classifier.voting != "mean":
        raise ValueError(
            f"voting={classifier.voting!r} joins several trees; n_trees=1 leaves nothing to join."
        )
    if classifier.max_negatives is not None and not needs_beam(classifier.negatives):
        raise ValueError(
            f"max_negatives={classifier.max_negatives} bounds what the beam passes in training; "
            "negatives must ask for 'man' on some level."
        )
    if classifier.matcher is None and classifier.matcher_level != -1:
        raise ValueError(
            f"matcher_level={classifier.matcher_level} needs a matcher; got matcher=None."
        )
    if classifier.ranker is not None and classifier.max_weights_per_label is not None:
        raise ValueError(
            f"max_weights_per_label={classifier.max_weights_per_label} is for the built-in ranker; "
            f"what ranker={classifier.ranker!r} learns is its own."
        )
    for name in ("matcher", "ranker"):
        estimator = getattr(classifier, name)
        if estimator is None:
            continue
        check_takes_weights(name, estimator, sample_weight)
        if relevance is not None:
            raise ValueError(
                f"relevance is what the linear models go by; {name}={estimator!r} takes none. "
                f"Leave relevance=None beside a {name}."
            )

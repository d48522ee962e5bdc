"""Options of the classifier that cannot work together."""

from skxmr._core.estimators import check_takes_weights
from skxmr._core.model_saver import model_saver
from skxmr.indexing import LabelHierarchy, expand_label_trees
from skxmr.matching import needs_beam


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
    TypeError, OSError
        If a parameter cannot be written to `model_dir`, or nothing can be written there.
    """
    if kind == "classes" and classifier.sparse_output is True:
        raise ValueError("sparse_output=True needs y to be an indicator; got classes.")
    shape = {name: getattr(classifier, name) for name in ("branching_factor", "max_leaf_size")}
    shape = {name: value for name, value in shape.items() if value is not None}
    made = []
    for tree in expand_label_trees(classifier.label_tree, classifier.n_trees):
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
    if classifier.model_dir is not None:
        for name in ("memory", "matcher", "ranker"):
            if getattr(classifier, name) is not None:
                raise ValueError(
                    f"model_dir={classifier.model_dir!r} cannot stand beside {name}="
                    f"{getattr(classifier, name)!r}: it keeps the linear models of all levels, and "
                    "nothing else."
                )
        model_saver().check(classifier, classifier.model_dir)
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

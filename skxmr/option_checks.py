"""Options of the classifier that cannot work together."""

from skxmr._core.estimators import check_takes_weights
from skxmr.indexing import LabelHierarchy

# What only the built-in linear models make use of, and the values that ask for nothing.
LINEAR_OPTIONS = {"positive_weight": 1.0, "relevance_norm": None}


def check_combination(classifier, sample_weight, relevance):
    """Refuse options that would not be used, or that contradict each other, and say why.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Its parameters, each valid by itself.
    sample_weight, relevance : object
        Arguments of fit.

    Raises
    ------
    ValueError
        For the first such combination.
    """
    tree = classifier.label_tree
    if classifier.n_trees > 1 and (
        isinstance(tree, LabelHierarchy) or getattr(tree, "random_state", None) is not None
    ):
        raise ValueError(
            f"n_trees={classifier.n_trees} needs trees that differ: label_tree must be None or an "
            f"estimator whose random_state is None; got {tree!r}."
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
        for option, unused in LINEAR_OPTIONS.items():
            value = getattr(classifier, option)
            if value != unused:
                raise ValueError(
                    f"{option}={value!r} is what the linear models go by; {name}={estimator!r} "
                    f"takes none. Leave {option}={unused!r} beside a {name}."
                )

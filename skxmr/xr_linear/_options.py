"""Checks of parameters of the classifier that depend on each other."""

from skxmr._core.estimators import check_sample_weight_support
from skxmr._core.model_folder import check_params
from skxmr.indexing import LabelHierarchy, expand_label_trees


def check_combination(classifier, kind, sample_weight, relevance):
    """Raise an error for parameters that would have no effect, or that contradict each other.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Classifier whose single parameters are valid.
    kind : {"classes", "names", "sparse", "dense"}
        Format of y.
    sample_weight, relevance : object
        Arguments of `fit`.

    Raises
    ------
    ValueError
        For the first invalid combination.
    """
    if kind == "classes" and classifier.sparse_output is True:
        raise ValueError(
            "y must be an indicator if sparse_output=True; got classes. Set sparse_output='auto'."
        )
    for name in ("matcher", "ranker"):
        value = getattr(classifier, name)
        if isinstance(value, type):
            raise ValueError(
                f"{name} must be an estimator instance; got the class {value.__name__}. Pass "
                f"{name}={value.__name__}()."
            )
    _check_trees_differ(classifier)
    if classifier.matcher is None and classifier.matcher_level != -1:
        raise ValueError(
            f"matcher_level must be -1 if matcher is None; got {classifier.matcher_level}."
        )
    if classifier.model_dir is not None:
        for name in ("memory", "matcher", "ranker"):
            if getattr(classifier, name) is not None:
                raise ValueError(
                    f"{name} must be None if model_dir is set, because model_dir saves only linear "
                    f"models; got {name}={getattr(classifier, name)!r}."
                )
    for name in ("matcher", "ranker"):
        estimator = getattr(classifier, name)
        if estimator is None:
            continue
        check_sample_weight_support(name, estimator, sample_weight)
        if relevance is not None:
            raise ValueError(
                f"relevance must be None if {name} is set, because only linear models use it; got "
                f"{name}={estimator!r}."
            )


def check_model_dir(classifier, registry):
    """Raise an error if the fitted classifier could not be saved to its `model_dir`.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Classifier with a `model_dir`.
    registry : CodecRegistry
        Classes that can be saved.

    Raises
    ------
    TypeError
        If the class of the classifier or of a parameter cannot be saved.
    OSError
        If the folder cannot be written, or something else would be lost.
    """
    if not registry.find(type(classifier)):
        raise TypeError(
            "model_dir must be None for subclasses of XRLinearClassifier, which cannot be saved; "
            f"got {type(classifier).__name__}."
        )
    check_params(classifier, classifier.model_dir, registry)


def _check_trees_differ(classifier):
    overrides = {name: getattr(classifier, name) for name in ("branching_factor", "max_leaf_size")}
    overrides = {name: value for name, value in overrides.items() if value is not None}
    seen = []
    for tree in expand_label_trees(classifier.label_tree, classifier.n_trees):
        if isinstance(tree, LabelHierarchy):
            identity = tree
        elif getattr(tree, "random_state", None) is not None:
            identity = repr(tree.get_params() | overrides)
        else:
            continue
        if identity in seen:
            raise ValueError(
                "label_tree must lead to different trees if n_trees > 1; got "
                f"n_trees={classifier.n_trees} and {tree!r}. Use estimators with random_state=None "
                "or different seeds, or different hierarchies."
            )
        seen.append(identity)

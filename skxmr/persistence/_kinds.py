"""The classes that model files hold, by the names that they have there."""

import sys

from skxmr._linear import LevelModel
from skxmr.indexing import HierarchicalLabelTree, LabelFeatureUnion, LabelHierarchy
from skxmr.matching import EstimatorMatcher, RecursiveLinearMatcher
from skxmr.persistence._encoding import Kind, UnknownFormError
from skxmr.persistence._estimator_kinds import attributes, estimator
from skxmr.persistence._sklearn_kinds import SKLEARN_KINDS
from skxmr.ranking import OneVsAllRanker
from skxmr.xr_linear import TreeEnsemble, TreeModel, XRLinearClassifier

KINDS = {
    "LabelHierarchy": Kind(
        LabelHierarchy,
        lambda tree: {
            "child_indptrs": tree.child_indptrs,
            "label_order": tree.label_order,
            "leaf_of_label": tree.leaf_of_label,
        },
        lambda fields: LabelHierarchy._from_checked_arrays(**fields),
    ),
    "LevelModel": Kind(LevelModel, LevelModel.parts, lambda fields: LevelModel(**fields)),
    "RecursiveLinearMatcher": attributes(RecursiveLinearMatcher, "levels"),
    # Its estimator must be of these kinds too: only those of skxmr.transformer are.
    "EstimatorMatcher": attributes(
        EstimatorMatcher, "estimator", "columns", "shares", "levels", "n_features", "n_call"
    ),
    "OneVsAllRanker": attributes(OneVsAllRanker, "level", "offsets"),
    "TreeModel": attributes(TreeModel, "matcher", "ranker", "hierarchy"),
    "TreeEnsemble": attributes(TreeEnsemble, "models", "voting"),
    "LabelFeatureUnion": estimator(LabelFeatureUnion),
    "HierarchicalLabelTree": estimator(HierarchicalLabelTree),
    "XRLinearClassifier": estimator(XRLinearClassifier),
    **SKLEARN_KINDS,
}


def kind_of(cls):
    """Return how objects of a class are written.

    Parameters
    ----------
    cls : type
        The class itself; subclasses are others.

    Returns
    -------
    tuple of (str, Kind) or None
        The name that it has in files, and its kind; None if it has none.
    """
    return next(((name, kind) for name, kind in _imported() if kind.cls is cls), None)


def kind_named(name):
    """Return the kind that has a name in files.

    Parameters
    ----------
    name : str
        As `kind_of` gave it.

    Returns
    -------
    Kind

    Raises
    ------
    UnknownFormError
        If there is none.
    ImportError
        If it is of `skxmr.transformer`, and torch is not installed.
    """
    kinds = _transformer_kinds() if name.startswith("transformer.") else KINDS
    if name not in kinds:
        raise UnknownFormError(f"it holds an object of unknown class, {name!r}")
    return kinds[name]


def _imported():
    # Where nothing has imported the transformers, there is no object of theirs. A build of the
    # documentation imports them without torch.
    yield from KINDS.items()
    if {"skxmr.transformer", "torch"} <= sys.modules.keys():
        yield from _transformer_kinds().items()


def _transformer_kinds():
    from skxmr.persistence._transformer_kinds import TRANSFORMER_KINDS

    return TRANSFORMER_KINDS

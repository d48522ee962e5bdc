"""Presets of the parameters of the classifier."""

from sklearn.base import clone

from skxmr.indexing import HierarchicalLabelTree

# In large leaf clusters, the models of labels are compared with more other labels.
_WIDE_TREES = [HierarchicalLabelTree(64, max_leaf_size) for max_leaf_size in (200, 400)]
# Unbalanced clusters: Khandagale, Xiao, Babbar (2020), "Bonsai", Machine Learning 109.
_UNBALANCED_TREE = HierarchicalLabelTree(16, 100, balanced=False, max_iter=5)
# The mean of several trees hides small errors of each: with a tolerance of 0.4 it ranks as well as
# with 0.1, and the fit takes a fifth less time.
_ENSEMBLE = {"positive_weight": 1.5, "tol": 0.4}

_PRESETS = {
    "fast": {"weight_threshold": 0.2, "beam_width": 5},
    "balanced": {"label_tree": [_WIDE_TREES[0], _UNBALANCED_TREE], "n_trees": 3, **_ENSEMBLE},
    "best": {"label_tree": [_WIDE_TREES[1], _UNBALANCED_TREE], "n_trees": 6, **_ENSEMBLE},
}

PRESET_NAMES = tuple(_PRESETS)


def preset(name):
    """Return recommended parameters for `XRLinearClassifier`.

    Parameters
    ----------
    name : {"fast", "balanced", "best"}
        "fast": fewer weights and a narrower beam than the default. The model has half the size and
        predicts in half the time. "balanced": the mean of three trees, two of them wide and one
        with unbalanced clusters [1]_. It ranks better than the default, and takes two to three
        times as long to fit and about ten times as long to predict. "best": six such trees,
        with larger clusters. It ranks best, and takes four to seven times as long to fit as the
        default, and about twenty times as long to predict. See the user guide for measurements.

    Returns
    -------
    dict
        Parameters, a new dict with new estimators in each call.

    Raises
    ------
    ValueError
        If the name is unknown.

    References
    ----------
    .. [1] S. Khandagale, H. Xiao, R. Babbar (2020). "Bonsai: diverse and shallow trees for extreme
       multi-label classification". Machine Learning 109.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier, preset
    >>> model = XRLinearClassifier(**preset("best"), random_state=0)
    >>> model.n_trees
    6
    """
    if name not in _PRESETS:
        raise ValueError(f"name must be one of {', '.join(PRESET_NAMES)}; got {name!r}.")
    # Clones, so that parameters set on the trees of one model do not change other models.
    return {key: clone(value, safe=False) for key, value in _PRESETS[name].items()}

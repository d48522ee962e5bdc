"""Presets of the parameters of the classifier."""

from sklearn.base import clone

from skxmr.indexing import HierarchicalLabelTree

# Unbalanced clusters: Khandagale, Xiao, Babbar (2020), "Bonsai", Machine Learning 109.
_WIDE_TREE = HierarchicalLabelTree(100, 100, balanced=False, max_iter=5)
_DEEP_TREE = HierarchicalLabelTree(16, 100, balanced=False, max_iter=5)

_PRESETS = {
    "fast": {"weight_threshold": 0.2, "beam_width": 5},
    "balanced": {"label_tree": _WIDE_TREE, "positive_weight": 1.5},
    # The mean of several trees hides small errors of each: with a tolerance of 0.4 it ranks as well
    # as with 0.1, and the fit takes a fifth less time.
    "best": {
        "label_tree": [_WIDE_TREE, _DEEP_TREE],
        "n_trees": 4,
        "positive_weight": 1.5,
        "tol": 0.4,
    },
}

PRESET_NAMES = tuple(_PRESETS)


def preset(name):
    """Return recommended parameters for `XRLinearClassifier`.

    Parameters
    ----------
    name : {"fast", "balanced", "best"}
        "fast": fewer weights and a narrower beam than the default. The model has half the size and
        predicts in half the time. "balanced": a wide and shallow tree with unbalanced clusters
        [1]_, which ranks better than the default and takes twice as long to fit. "best": the mean
        of four such trees, two of them wide and two deep, which ranks best and takes four to
        six times as long to fit as the default. See the user guide for measurements.

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
    4
    """
    if name not in _PRESETS:
        raise ValueError(f"name must be one of {', '.join(PRESET_NAMES)}; got {name!r}.")
    # Clones, so that parameters set on the trees of one model do not change other models.
    return {key: clone(value, safe=False) for key, value in _PRESETS[name].items()}

"""The classifier that joins the three stages, and presets of its parameters."""

from skxmr.xr_linear._classifier import CLASSIFIER_CODECS, XRLinearClassifier
from skxmr.xr_linear._ensemble import TreeEnsemble
from skxmr.xr_linear._label_filter import SelectionError
from skxmr.xr_linear._presets import PRESET_NAMES, preset
from skxmr.xr_linear._repr import describe_sizes
from skxmr.xr_linear._tree_model import TreeModel

# Other packages of skxmr use the rest.
__all__ = ["XRLinearClassifier", "preset"]

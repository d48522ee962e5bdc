"""The estimator that joins the three stages, and the parameters to begin with."""

from skxmr.xr_linear._classifier import XRLinearClassifier
from skxmr.xr_linear._ensemble import TreeEnsemble
from skxmr.xr_linear._options import check_combination
from skxmr.xr_linear._presets import PRESET_NAMES, preset
from skxmr.xr_linear._repr import tree_size
from skxmr.xr_linear._tree_model import TreeModel

# Other packages of skxmr use the rest.
__all__ = ["XRLinearClassifier", "preset"]

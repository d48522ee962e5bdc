"""Look into a fitted classifier: why a label, what a cluster is about, how good it is where.

`explain` and `describe_tree` return objects that print, show as HTML in a notebook and hold the
data. The classes named Display draw with matplotlib (``pip install 'skxmr[plot]'``).
"""

from skxmr.inspection._beam_width_display import BeamWidthDisplay
from skxmr.inspection._calibration_display import CalibrationDisplay
from skxmr.inspection._explanation import Explanation, explain
from skxmr.inspection._explanation_display import ExplanationDisplay
from skxmr.inspection._label_frequency_display import LabelFrequencyDisplay
from skxmr.inspection._paths import PathStep
from skxmr.inspection._tree_description import ClusterDescription, TreeDescription, describe_tree
from skxmr.inspection._tree_display import LabelTreeDisplay

# Other packages of skxmr use the rest.
__all__ = [
    "BeamWidthDisplay",
    "CalibrationDisplay",
    "ClusterDescription",
    "Explanation",
    "ExplanationDisplay",
    "LabelFrequencyDisplay",
    "LabelTreeDisplay",
    "PathStep",
    "TreeDescription",
    "describe_tree",
    "explain",
]

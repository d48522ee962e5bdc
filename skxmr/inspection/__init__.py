"""Inspect a fitted classifier: explain rankings, describe the label tree, plot its quality.

`explain` and `describe_tree` return objects that print as text, display as HTML in a notebook and
give access to the data. The Display classes plot with matplotlib (``pip install 'skxmr[plot]'``).
"""

from skxmr.inspection._beam_width_display import BeamWidthDisplay
from skxmr.inspection._calibration_display import CalibrationDisplay
from skxmr.inspection._explanation import Explanation, explain
from skxmr.inspection._explanation_display import ExplanationDisplay
from skxmr.inspection._label_frequency_display import LabelFrequencyDisplay
from skxmr.inspection._paths import PathStep
from skxmr.inspection._tree_description import ClusterDescription, TreeDescription, describe_tree
from skxmr.inspection._tree_display import LabelTreeDisplay

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

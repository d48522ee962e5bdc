"""Labels that have a text, such as a name or a description, but no training rows.

A label tree cannot learn such a label. The classifier of this package finds it by the similarity of
its text and a row, and adds it to the ranking of any estimator.
"""

from skxmr.zero_shot._classifier import LabelTextClassifier
from skxmr.zero_shot._codecs import ZERO_SHOT_CODECS

# Other packages of skxmr use the rest.
__all__ = ["LabelTextClassifier"]

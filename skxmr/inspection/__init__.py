"""Look into a fitted classifier: why a label, what a cluster is about, how good it is where.

`explain` and `describe_tree` return objects that print, show as HTML in a notebook and hold the
data. The classes named Display draw with matplotlib (``pip install 'skxmr[plot]'``).
"""

from skxmr.inspection._explanation import Explanation, explain
from skxmr.inspection._paths import PathStep
from skxmr.inspection._tree_description import ClusterDescription, TreeDescription, describe_tree

__all__ = [
    "ClusterDescription",
    "Explanation",
    "PathStep",
    "TreeDescription",
    "describe_tree",
    "explain",
]

"""Estimate the memory and the time of a fit before the fit.

Only training shows how many weights a model has. So a label tree is made from short label features
(`_tree_sample`), and a few of its clusters are trained as in a fit (`_cluster_sample`). Their costs
are scaled to the whole tree (`_fit_costs`), and expressed as memory (`_memory`) and time (`_time`).
"""

from skxmr.cost_estimate._estimation import CostEstimate, estimate_costs, refuse_if_too_large
from skxmr.cost_estimate._memory import MemoryEstimate
from skxmr.cost_estimate._time import TimeEstimate

__all__ = [
    "CostEstimate",
    "MemoryEstimate",
    "TimeEstimate",
    "estimate_costs",
    "refuse_if_too_large",
]

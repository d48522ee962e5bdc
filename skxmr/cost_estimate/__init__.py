"""What a fit takes, before it is begun: memory and time.

The number of weights decides, and nothing but training tells it. So clusters of the tree are drawn
(`sampled_tree`), trained as a fit does (`trial_training`), and scaled to their levels
(`level_costs`); bytes and seconds of all arrays and stages follow (`memory`, `time`).
"""

from skxmr.cost_estimate._estimation import CostEstimate, estimate_costs
from skxmr.cost_estimate._limits import refuse_if_too_large
from skxmr.cost_estimate._memory import MemoryEstimate
from skxmr.cost_estimate._time import TimeEstimate

# Other packages of skxmr use the rest.
__all__ = [
    "CostEstimate",
    "MemoryEstimate",
    "TimeEstimate",
    "estimate_costs",
    "refuse_if_too_large",
]

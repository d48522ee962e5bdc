"""Seconds of a fit, stage by stage."""

import time
from typing import NamedTuple

import joblib
import numpy as np
from joblib import effective_n_jobs

from skxmr._linear.level_model import DENSE_CHILDREN
from skxmr.cost_estimate._memory import has_vectors

# Bytes that are written to learn what new memory takes.
TOUCHED = 2**25
# Sorting positives by label, once for each level: two sorts, and weighing them.
SORTS = 4
# A trial finds more in caches than a fit does: by this much, on 50,000 to 670,000 labels.
COLD = 1.1


class TimeEstimate(NamedTuple):
    """Processor seconds that a fit is expected to take on this machine, and their wall time.

    Attributes
    ----------
    label_features : float
        Representing the labels.
    tree : float
        Grouping them.
    training : float
        Training the models.
    n_workers : int
        Threads that share the work: those of `n_jobs`, no more than the machine has processors.
    longest : float
        Processor seconds of the largest cluster, which one thread trains.
    """

    label_features: float
    tree: float
    training: float
    n_workers: int = 1
    longest: float = 0.0

    @property
    def cpu(self):
        """Processor seconds in all."""
        return self.label_features + self.tree + self.training

    @property
    def total(self):
        """Wall seconds on a machine that does nothing else."""
        shared = (self.label_features + self.tree) / self.n_workers
        return shared + max(self.training / self.n_workers, self.longest)

    def __str__(self):
        """Show the parts in seconds."""
        parts = f"label features {self.label_features:,.1f}, tree {self.tree:,.1f}"
        shared = f"training {self.training:,.1f}, on {self.n_workers} threads"
        return f"{self.total:,.1f} s (of the processor: {parts}, {shared})"


def estimate_time(costs, n_jobs):
    """Add up the seconds of a fit.

    Parameters
    ----------
    costs : FitCosts
        What was measured.
    n_jobs : int or None
        As in joblib.

    Returns
    -------
    TimeEstimate
    """
    each = _seconds_of_new_memory()
    trees = longest = training = 0.0
    for tree in costs.trees:
        trees += tree.seconds
        training += SORTS * costs.sort_seconds * len(tree.levels)
        for level in tree.levels:
            written = 8 * level.weights + 2 * level.features + 40 * level.words
            if has_vectors(level, kept=True):
                written += 16 * level.weights + DENSE_CHILDREN * costs.weight_bytes * level.features
            training += COLD * level.seconds + level.join_seconds + each * written
            longest = max(longest, COLD * level.longest)
    return TimeEstimate(
        label_features=float(costs.feature_seconds),
        tree=float(trees),
        training=float(training),
        n_workers=min(effective_n_jobs(n_jobs), joblib.cpu_count()),
        longest=float(longest),
    )


def _seconds_of_new_memory():
    begun = time.process_time()
    np.ones(TOUCHED, dtype=np.uint8)
    return (time.process_time() - begun) / TOUCHED

"""Time of a fit: processor seconds of each stage."""

from typing import NamedTuple

from joblib import cpu_count, effective_n_jobs


class TimeEstimate(NamedTuple):
    """Processor seconds that a fit is expected to take on this machine, and their wall time.

    Attributes
    ----------
    label_features, tree, training : float
        Seconds of representing labels, of grouping them, and of training the models.
    n_workers : int
        Number of threads: those of `n_jobs`, at most the number of processors.
    longest : float
        Seconds of the largest cluster, which one thread trains.
    """

    label_features: float
    tree: float
    training: float
    n_workers: int = 1
    longest: float = 0.0

    @property
    def cpu(self):
        """Processor seconds of all stages."""
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


def time_of(costs, n_jobs):
    """Return the `TimeEstimate` of `FitCosts`; `n_jobs` is as in joblib."""
    levels = [level for tree in costs.trees for level in tree]
    return TimeEstimate(
        label_features=costs.feature_seconds,
        tree=costs.tree_seconds,
        training=float(sum(level.total.seconds for level in levels)),
        n_workers=min(effective_n_jobs(n_jobs), cpu_count()),
        longest=float(max(level.largest.seconds for level in levels)),
    )

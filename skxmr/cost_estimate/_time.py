"""Time of a fit: processor seconds of each stage, and elapsed seconds."""

from typing import NamedTuple

from joblib import cpu_count

from skxmr._core.threads import count_workers


class TimeEstimate(NamedTuple):
    """Processor seconds that a fit is expected to take on this machine, and its elapsed seconds.

    Attributes
    ----------
    label_features, tree, training : float
        Processor seconds of representing labels, of grouping them, and of training the models.
    training_elapsed : float
        Elapsed seconds of training. Trees are trained one after another. Each tree takes at least
        the seconds of its largest sampled cluster, because one thread trains a cluster.
    n_workers : int
        Number of threads given by `n_jobs`, at most the number of processors.
    """

    label_features: float
    tree: float
    training: float
    training_elapsed: float
    n_workers: int

    @property
    def cpu(self):
        """Processor seconds of all stages."""
        return self.label_features + self.tree + self.training

    @property
    def total(self):
        """Elapsed seconds if no other program runs."""
        return (self.label_features + self.tree) / self.n_workers + self.training_elapsed

    def __str__(self):
        """Show the elapsed seconds, and the processor seconds of each stage."""
        stages = f"label features {self.label_features:,.1f}, tree {self.tree:,.1f}"
        threads = f"{self.n_workers} thread{'s' * (self.n_workers > 1)}"
        stages += f", training {self.training:,.1f}; {threads}"
        return f"{self.total:,.1f} s (processor seconds: {stages})"


def estimate_time(costs, n_jobs):
    """Return the `TimeEstimate` of `FitCosts`; `n_jobs` is as in joblib."""
    n_workers = min(count_workers(n_jobs), cpu_count())
    training = elapsed = 0.0
    for tree in costs.trees:
        seconds = float(sum(level.total.seconds for level in tree))
        longest = float(max(level.largest.seconds for level in tree))
        training += seconds
        elapsed += max(seconds / n_workers, longest)
    return TimeEstimate(costs.feature_seconds, costs.tree_seconds, training, elapsed, n_workers)

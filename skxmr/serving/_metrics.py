"""Metrics in the format of Prometheus, over all worker processes."""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """Counters of one app.

    If the environment variable PROMETHEUS_MULTIPROC_DIR was set before prometheus_client was
    imported, the counters are files in that folder, and `render` adds those of all processes.

    Attributes
    ----------
    requests, texts, reloads, failed_reloads : Counter
        Numbers of requests by path and status, of texts, and of reloads of the model.
    seconds : Histogram
        Response times of requests for suggestions.
    """

    def __init__(self):
        self._registry = CollectorRegistry()

        def make(kind, name, text, *labels, **options):
            return kind(f"skxmr_{name}", text, labels, registry=self._registry, **options)

        self.requests = make(Counter, "requests", "Requests.", "path", "status")
        self.seconds = make(
            Histogram, "suggest_seconds", "Response times of /suggest.", buckets=BUCKETS
        )
        self.texts = make(Counter, "texts", "Texts with suggestions.")
        self.reloads = make(Counter, "reloads", "Models that a worker loaded after its start.")
        self.failed_reloads = make(
            Counter, "failed_reloads", "Models that a worker could not load after its start."
        )

    def count_reload(self, succeeded):
        """Count a reload.

        Parameters
        ----------
        succeeded : bool
            Whether the new model is served.
        """
        (self.reloads if succeeded else self.failed_reloads).inc()

    def render(self):
        """Return all metrics as text.

        Returns
        -------
        bytes
            Text in the format of Prometheus.
        """
        registry = self._registry
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return generate_latest(registry)

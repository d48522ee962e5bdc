"""Refuse a fit that this machine has not the memory for."""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from joblib import effective_n_jobs

from skxmr.cost_estimate._level_costs import measure_costs
from skxmr.cost_estimate._memory import estimate_memory, target_bytes
from skxmr.indexing import CLUSTERED_ENTRIES

# What an estimate may be wrong by: a fit is refused only beyond this many times the memory.
UNCERTAINTY = 1.5
# More bytes than were ever seen for each entry of the rows of labels, with all weights kept and
# with a threshold. They spare most fits the estimate.
MOST_BYTES = 400
MOST_BYTES_ABOVE = {0.05: 40}


def refuse_if_too_large(classifier, X, Y):
    """Raise if a fit cannot end: long before the system runs out of memory, and kills it.

    Parameters
    ----------
    classifier : XRLinearClassifier
        Its parameters.
    X : tuple
        (indptr, indices, data, n_features) of the rows.
    Y : csr_array
        Indicator.

    Raises
    ------
    MemoryError
        If the estimate is more than half as much again as the memory of the machine or its
        container.
    """
    limit = memory_limit()
    if limit is None or _most(classifier, X, Y) < UNCERTAINTY * limit:
        return
    costs = measure_costs(classifier, X, Y)
    estimate = estimate_memory(costs, 0, classifier.n_jobs, classifier.model_dir)
    if estimate.peak < UNCERTAINTY * limit:
        return
    changes = []
    if classifier.model_dir is None:
        changes.append("give a model_dir, so that weights go to files")
        if classifier.weight_dtype == "float32":
            changes.append("keep weights as weight_dtype='float16'")
        changes.append(f"raise weight_threshold (now {classifier.weight_threshold})")
        if classifier.n_trees > 1:
            changes.append(f"lower n_trees (now {classifier.n_trees})")
    elif effective_n_jobs(classifier.n_jobs) > 1:
        changes.append(f"lower n_jobs (now {classifier.n_jobs})")
    changes.append("train on fewer rows")
    raise MemoryError(
        f"This fit would take about {estimate.peak / 1e9:,.1f} GB, and there are "
        f"{limit / 1e9:,.1f} GB: {' or '.join(changes)}. {estimate}."
    )


def memory_limit():
    """Return the bytes of memory that this process can have, or None where that is not known."""
    limits = []
    with suppress(AttributeError, ValueError, OSError):  # Windows
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    root = Path("/sys/fs/cgroup")
    candidates = [root / "memory.max", root / "memory" / "memory.limit_in_bytes"]
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            candidates.append(root / line.rpartition(":")[2].lstrip("/") / "memory.max")
    for file in candidates:
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return min(limits, default=None)


def _most(classifier, X, Y):
    # A bound of the peak that takes no time.
    n_workers = effective_n_jobs(classifier.n_jobs)
    row_sizes = np.diff(X[0])
    entries = float(row_sizes @ np.diff(Y.indptr))
    n_rows, n_labels = Y.shape
    most = target_bytes(n_rows, n_labels, Y.nnz) + 200 * Y.nnz
    most += 12 * min(entries, n_labels * CLUSTERED_ENTRIES) + 24 * n_workers * X[2].size
    if classifier.model_dir is None:
        threshold = classifier.weight_threshold
        each = [size for least, size in MOST_BYTES_ABOVE.items() if threshold >= least]
        most += classifier.n_trees * entries * min(each, default=MOST_BYTES)
    return most

"""Refuse a fit that needs more memory than the machine has."""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from joblib import effective_n_jobs

from skxmr.cost_estimate._fit_costs import measure_fit
from skxmr.cost_estimate._memory import memory_of

# A fit is refused if its estimate is more than this many times the memory.
UNCERTAINTY = 1.5
# Bytes per entry of the rows of each label, more than any measured fit took: label features, and
# the model with all weights or with `weight_threshold` of at least 0.05.
MAX_FEATURE_BYTES, MAX_MODEL_BYTES, MAX_CUT_MODEL_BYTES = 14, 400, 40


def refuse_if_too_large(classifier, rows, Y):
    """Raise MemoryError if the estimate is more than 1.5 times the memory of the machine.

    `rows` are the `Rows` of X, and `Y` is the indicator.
    """
    limit = memory_limit()
    if limit is None or memory_bound(classifier, rows, Y) < UNCERTAINTY * limit:
        return
    estimate = memory_of(measure_fit(classifier, rows, Y), classifier, copied=0)
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
    """Return the bytes of memory that this process can have, or None if they are unknown."""
    limits = []
    with suppress(AttributeError, ValueError, OSError):  # Windows
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    root = Path("/sys/fs/cgroup")
    files = [root / "memory.max", root / "memory" / "memory.limit_in_bytes"]
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            files.append(root / line.rpartition(":")[2].lstrip("/") / "memory.max")
    for file in files:
        with suppress(OSError, ValueError):  # no such file, or "max"
            limits.append(int(file.read_text()))
    return min(limits, default=None)


def memory_bound(classifier, rows, Y):
    """Return more bytes than a fit takes, in no time: most fits need no estimate then."""
    row_sizes = np.diff(rows.indptr)
    per_entry = MAX_FEATURE_BYTES
    if classifier.model_dir is None:
        is_cut = classifier.weight_threshold >= 0.05
        per_entry += classifier.n_trees * (MAX_CUT_MODEL_BYTES if is_cut else MAX_MODEL_BYTES)
    per_thread = 24 * row_sizes.sum() + 16 * rows.n_features
    others = 230 * Y.nnz + 100 * sum(Y.shape) + effective_n_jobs(classifier.n_jobs) * per_thread
    return float(row_sizes @ np.diff(Y.indptr)) * per_entry + others

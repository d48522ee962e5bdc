"""One phase of one peer, in a process and an interpreter of its own; runner.py starts it.

The only argument is the path of a job, a JSON file. The result goes to the path it names.
"""

import importlib
import json
import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from peer import load_matrix
from peers import PEERS

try:
    import resource
except ImportError:  # Windows
    resource = None

# The batch is predicted so often, or for so many seconds, and the fastest counts.
MIN_PASSES, MAX_PASSES, ENOUGH_SECONDS, TOO_MANY_SECONDS = 3, 20, 1.0, 30.0
N_WARM_UP, QUERY_SECONDS = 20, 20.0


def cpu_seconds():
    """CPU seconds, all threads, and those of child processes that have ended."""
    seconds = time.process_time()
    if resource is not None:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds += usage.ru_utime + usage.ru_stime
    return seconds


def peak_memory():
    """Largest resident memory of this process so far in MB, or None where it cannot be told."""
    try:
        # On Linux a new process takes over ru_maxrss from the one that started it; VmHWM is its
        # own.
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6  # macOS counts bytes


def forget_peak():
    """Start the peak anew where the system can: reading the data is not training."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def measure(function, *args):
    """Return what the function returns, its CPU seconds and its wall seconds."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    result = function(*args)
    return result, cpu_seconds() - cpu, time.perf_counter() - wall


def folder_size(path):
    """Size of all files of a folder in MB."""
    files = (os.path.join(where, name) for where, _, names in os.walk(path) for name in names)
    return sum(map(os.path.getsize, files)) / 1e6


def probe(peer, job):
    """Say which versions there are; the imports have succeeded."""
    versions = {"python": platform.python_version()}
    for package in peer.packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # imported from a source tree
            versions[package] = getattr(sys.modules.get(package), "__version__", None)
    return {"versions": versions}


def fit(peer, job):
    """Train and save."""
    data = peer.read(job["data"])
    forget_peak()
    before = peak_memory()
    _, cpu, wall = measure(peer.fit, *data)
    peak = peak_memory()
    _, _, save_wall = measure(peer.save)
    return {
        "fit_cpu_s": cpu * peer.scale,
        "fit_wall_s": wall * peer.scale,
        "save_wall_s": save_wall * peer.scale,
        "fit_writes_model": peer.fit_writes_model,
        "n_weights": peer.count_weights(),
        "model_mb": folder_size(peer.path) * peer.scale,
        "fit_peak_mb": peak,
        "before_fit_mb": before,
        "scale": peer.scale,
    }


def predict(peer, job):
    """Load, then predict the test rows at once and one by one."""
    X = load_matrix(job["data"], "X_test")
    forget_peak()
    first = peer.query(X, 0)
    _, _, load_wall = measure(peer.load)
    _, _, first_wall = measure(peer.predict_one, first)
    peer.predict(X[:50])
    passes, spent = [], 0.0
    while len(passes) < MIN_PASSES or (spent < ENOUGH_SECONDS and len(passes) < MAX_PASSES):
        raw, *seconds = measure(peer.predict, X)
        passes.append(seconds)
        spent += seconds[1]
        if spent > TOO_MANY_SECONDS:
            break
    np.save(job["ids"], peer.ranking(raw).astype(np.int64))
    batch_peak = peak_memory()

    cpu, wall = np.min(passes, axis=0) * 1e6 / X.shape[0]
    return {
        "batch_cpu_us": cpu,
        "batch_wall_us": wall,
        "predict_peak_mb": batch_peak,
        "load_wall_s": load_wall,
        "first_wall_s": first_wall,
        "n_passes": len(passes),
        **(ask(peer, X, job["n_queries"]) if job["n_queries"] else {}),
    }


def ask(peer, X, most):
    """Predict at most so many rows one by one."""
    queries = [peer.query(X, i) for i in range(min(most, X.shape[0]))]
    for query in queries[:N_WARM_UP]:
        peer.predict_one(query)
    times, spent = [], 0.0
    for query in queries:
        start = time.perf_counter()
        peer.predict_one(query)
        times.append(time.perf_counter() - start)
        spent += times[-1]
        if spent > QUERY_SECONDS:
            break
    p50, p99 = np.percentile(times, [50, 99]) * 1e6
    return {"single_p50_us": p50, "single_p99_us": p99, "n_queries": len(times)}


def main(job_path):
    with open(job_path, encoding="utf-8") as file:
        job = json.load(file)
    peer = PEERS[job["peer"]](job)
    for module in peer.modules:
        importlib.import_module(module)
    result = {"probe": probe, "fit": fit, "predict": predict}[job["phase"]](peer, job)
    with open(job["result"], "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main(sys.argv[1])

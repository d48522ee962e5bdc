"""Run one phase of one peer in a separate process; runner.py starts it.

The only argument is the path of a JSON file that describes the job. The result is written to the
path in its entry "result".
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

# Passes over the batch; the fastest pass is reported. After MIN_PASSES, passes stop at
# TARGET_SECONDS in total. They always stop at MAX_SECONDS.
MIN_PASSES, MAX_PASSES, TARGET_SECONDS, MAX_SECONDS = 3, 20, 1.0, 30.0
N_WARM_UP, MAX_QUERY_SECONDS = 20, 20.0


def get_cpu_seconds():
    """Return the CPU seconds of all threads and of child processes that have ended."""
    seconds = time.process_time()
    if resource is not None:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds += usage.ru_utime + usage.ru_stime
    return seconds


def get_peak_memory():
    """Return the peak resident memory of this process in MB, or None if it is unknown."""
    try:
        # On Linux, a new process inherits ru_maxrss from its parent, but not VmHWM.
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


def reset_peak_memory():
    """Reset the peak memory if the system supports it, to exclude reading the data."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def measure(function, *args):
    """Return what the function returns, its CPU seconds and its wall seconds."""
    wall, cpu = time.perf_counter(), get_cpu_seconds()
    result = function(*args)
    return result, get_cpu_seconds() - cpu, time.perf_counter() - wall


def get_folder_size(path):
    """Return the size of all files of a folder in MB."""
    files = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sum(map(os.path.getsize, files)) / 1e6


def probe(peer, job):
    """Return the versions of the packages, which have been imported successfully."""
    versions = {"python": platform.python_version()}
    for package in peer.packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # imported from a source tree
            versions[package] = getattr(sys.modules.get(package), "__version__", None)
    return {"versions": versions}


def fit(peer, job):
    """Train and save the model."""
    data = peer.read(job["data"])
    reset_peak_memory()
    before = get_peak_memory()
    _, cpu, wall = measure(peer.fit, *data)
    peak = get_peak_memory()
    _, _, save_wall = measure(peer.save)
    return {
        "fit_cpu_s": cpu * peer.scale,
        "fit_wall_s": wall * peer.scale,
        "save_wall_s": save_wall * peer.scale,
        "fit_writes_model": peer.fit_writes_model,
        "n_weights": peer.count_weights(),
        "model_mb": get_folder_size(peer.path) * peer.scale,
        "fit_peak_mb": peak,
        "before_fit_mb": before,
        "scale": peer.scale,
    }


def predict(peer, job):
    """Load the model, then predict the test rows in one call and one by one."""
    X = load_matrix(job["data"], "X_test")
    reset_peak_memory()
    first = peer.make_query(X, 0)
    _, _, load_wall = measure(peer.load)
    _, _, first_wall = measure(peer.predict_one, first)
    peer.predict(X[:50])
    passes, spent = [], 0.0
    while len(passes) < MIN_PASSES or (spent < TARGET_SECONDS and len(passes) < MAX_PASSES):
        predictions, *seconds = measure(peer.predict, X)
        passes.append(seconds)
        spent += seconds[1]
        if spent > MAX_SECONDS:
            break
    np.save(job["ids"], peer.to_ranking(predictions).astype(np.int64))
    batch_peak = get_peak_memory()

    cpu, wall = np.min(passes, axis=0) * 1e6 / X.shape[0]
    return {
        "batch_cpu_us": cpu,
        "batch_wall_us": wall,
        "predict_peak_mb": batch_peak,
        "load_wall_s": load_wall,
        "first_wall_s": first_wall,
        "n_passes": len(passes),
        **(measure_queries(peer, X, job["n_queries"]) if job["n_queries"] else {}),
    }


def measure_queries(peer, X, max_queries):
    """Predict rows one by one, at most `max_queries`."""
    queries = [peer.make_query(X, i) for i in range(min(max_queries, X.shape[0]))]
    for query in queries[:N_WARM_UP]:
        peer.predict_one(query)
    times, spent = [], 0.0
    for query in queries:
        start = time.perf_counter()
        peer.predict_one(query)
        times.append(time.perf_counter() - start)
        spent += times[-1]
        if spent > MAX_QUERY_SECONDS:
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

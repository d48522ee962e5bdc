"""Compare fits in worker processes with fits in threads, on one machine.

Threads, loky and a local dask cluster alternate, with two workers of one thread each. Each fit runs
in a separate process. Wall time is the time of the fit only, because the workers run before it
starts. CPU time is the sum over this process and its workers, from their start to their end, minus
the CPU time of workers that only start and end.
"""

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import time

import data
import joblib
import numpy as np
import options
from peer import SEED
from peers import PEERS

from skxmr import XRLinearClassifier

BACKENDS = ("threading", "loky", "dask")
N_WORKERS = 2


def parse_arguments(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("folders", nargs="+", type=options.data_folder, metavar="DIR")
    parser.add_argument("--turns", type=options.positive, default=5, metavar="N")
    parser.add_argument("--one", choices=BACKENDS, help=argparse.SUPPRESS)
    parser.add_argument("--empty", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


@contextlib.contextmanager
def running_workers(backend):
    """Start workers, and end them, because only then their CPU time is known."""
    if backend == "dask":
        from dask.distributed import Client, LocalCluster

        settings = {"n_workers": N_WORKERS, "threads_per_worker": 1, "dashboard_address": ":0"}
        with LocalCluster(host="127.0.0.1", **settings) as cluster, Client(cluster) as client:
            client.run(import_package)
            yield
        return
    if backend == "loky":
        joblib.Parallel(N_WORKERS)(joblib.delayed(import_package)() for _ in range(8 * N_WORKERS))
    yield
    if backend == "loky":
        joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


def import_package():
    """Import the modules that a task needs."""
    import skxmr._linear  # noqa: F401

    time.sleep(0.05)


def fit_once(folder, backend, empty):
    """Fit with a backend; return wall seconds, CPU seconds and a hash of the model."""
    X, Y = data.prepare(data.read(folder), normalized=True)[:2]
    settings = PEERS["skxmr"].equal_settings
    model = XRLinearClassifier(random_state=SEED, n_jobs=N_WORKERS, **settings)
    model_hash = ""
    with running_workers(backend), joblib.parallel_config(backend=backend, n_jobs=N_WORKERS):
        wall, cpu = time.perf_counter(), time.process_time()
        if not empty:
            model.fit(X, Y)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if not empty:
            model_hash = joblib.hash([level.arrays for level in model._model.levels])
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu += children.ru_utime + children.ru_stime
    return {"wall": wall, "cpu": cpu, "model": model_hash}


def fit_in_process(folder, backend, *flags):
    """Run `fit_once` in a new process."""
    command = [sys.executable, __file__, str(folder), "--one", backend, *flags]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main():
    args = parse_arguments()
    if args.one:
        print(json.dumps(fit_once(args.folders[0], args.one, args.empty)))
        return
    print("| | backend | wall, s | CPU, s | wall / threads | CPU / threads |")
    print("|---|---|--:|--:|--:|--:|")
    for folder in args.folders:
        overhead = {each: fit_in_process(folder, each, "--empty")["cpu"] for each in BACKENDS}
        turns = [
            {each: fit_in_process(folder, each) for each in BACKENDS} for _ in range(args.turns)
        ]
        if len({fit["model"] for turn in turns for fit in turn.values()}) > 1:
            raise SystemExit(
                f"{folder}: models must be equal for all backends; got different models"
            )
        seconds = np.array(
            [
                [(t[each]["wall"], t[each]["cpu"] - overhead[each]) for each in BACKENDS]
                for t in turns
            ]
        )
        ratios = np.median(seconds / seconds[:, :1], axis=0)
        name = os.path.basename(os.path.abspath(folder))
        for backend, (wall, cpu), ratio in zip(BACKENDS, seconds.min(axis=0), ratios, strict=True):
            row = f"| {name} | {backend} | {wall:.1f} | {cpu:.1f} "
            print(f"{row}| {ratio[0]:.2f} | {ratio[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()

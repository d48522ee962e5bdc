"""Measure what a fit in worker processes costs beside one in threads, on one machine.

Threads, loky and a local dask cluster, two workers of one thread each, take turns; each fit has a
process of its own. Wall time is that of the fit alone: workers are running when it begins. CPU time
is that of the fit here, and of the workers from their start to their end, less that of workers that
were started for nothing.
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
WORKERS = 2


def parse_arguments(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("folders", nargs="+", type=options.data_folder, metavar="DIR")
    parser.add_argument("--turns", type=options.positive, default=5, metavar="N")
    parser.add_argument("--one", choices=BACKENDS, help=argparse.SUPPRESS)
    parser.add_argument("--empty", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


@contextlib.contextmanager
def workers(backend):
    """Start workers; end them, so that their CPU time is known."""
    if backend == "dask":
        from dask.distributed import Client, LocalCluster

        settings = {"n_workers": WORKERS, "threads_per_worker": 1, "dashboard_address": ":0"}
        with LocalCluster(host="127.0.0.1", **settings) as cluster, Client(cluster) as client:
            client.run(import_package)
            yield
        return
    if backend == "loky":
        joblib.Parallel(WORKERS)(joblib.delayed(import_package)() for _ in range(8 * WORKERS))
    yield
    if backend == "loky":
        joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


def import_package():
    """Import what a task imports."""
    import skxmr._linear  # noqa: F401

    time.sleep(0.05)


def fit_once(folder, backend, empty):
    """Fit under a backend; return wall and CPU seconds, and a hash of the model."""
    X, Y = data.prepare(data.read(folder), normalized=True)[:2]
    settings = PEERS["skxmr"].equal_settings
    model = XRLinearClassifier(random_state=SEED, n_jobs=WORKERS, **settings)
    made = ""
    with workers(backend), joblib.parallel_config(backend=backend, n_jobs=WORKERS):
        wall, cpu = time.perf_counter(), time.process_time()
        if not empty:
            model.fit(X, Y)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if not empty:
            made = joblib.hash([level.arrays for level in model._model.levels])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall": wall, "cpu": cpu + used.ru_utime + used.ru_stime, "model": made}


def in_a_process(folder, backend, *flags):
    """Run `fit_once` in a fresh process."""
    command = [sys.executable, __file__, str(folder), "--one", backend, *flags]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main():
    args = parse_arguments()
    if args.one:
        print(json.dumps(fit_once(args.folders[0], args.one, args.empty)))
        return
    print("| | backend | wall, s | CPU, s | wall beside threads | CPU beside threads |")
    print("|---|---|--:|--:|--:|--:|")
    for folder in args.folders:
        start = {each: in_a_process(folder, each, "--empty")["cpu"] for each in BACKENDS}
        turns = [{each: in_a_process(folder, each) for each in BACKENDS} for _ in range(args.turns)]
        if len({fit["model"] for turn in turns for fit in turn.values()}) > 1:
            raise SystemExit(f"{folder}: the backends gave different models")
        seconds = np.array(
            [[(t[each]["wall"], t[each]["cpu"] - start[each]) for each in BACKENDS] for t in turns]
        )
        ratios = np.median(seconds / seconds[:, :1], axis=0)
        name = os.path.basename(os.path.abspath(folder))
        for backend, (wall, cpu), ratio in zip(BACKENDS, seconds.min(axis=0), ratios, strict=True):
            row = f"| {name} | {backend} | {wall:.1f} | {cpu:.1f} "
            print(f"{row}| {ratio[0]:.2f} | {ratio[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()

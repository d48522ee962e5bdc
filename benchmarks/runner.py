"""Run measurements of libraries in child processes, for all benchmarks."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

import data
import memory_limit
import numpy as np

from skxmr.metrics import label_propensities, ndcg_at_k, precision_at_k, psprecision_at_k

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)


class Entry(NamedTuple):
    """A library with settings that is measured under one name.

    Attributes
    ----------
    peer : str
        Name of the library.
    settings : dict
        Settings that differ from the defaults, with the parameter names of the library.
    seeds : sequence of int
        Seed of each turn.
    threads : int or None
        Number of threads, if it differs from the other entries.
    """

    peer: str
    settings: dict
    seeds: list
    threads: int | None = None


class Runner:
    """Runs the phases of a measurement in child processes.

    Parameters
    ----------
    interpreters : dict
        Path of the interpreter of each peer that does not use the current interpreter.
    folder : str
        Folder of the data and of the files that the processes exchange.
    threads : int
        Number of threads of a peer.
    predict_threads : int or None
        Number of threads for prediction, if it is different.
    n_queries : int
        Maximum number of rows that are predicted one by one.
    max_bytes : int or None
        Resident memory at which a child process is ended. None means no limit.
    **options
        Further entries of the job, see `Peer`.
    """

    def __init__(
        self,
        interpreters,
        folder,
        *,
        threads,
        n_queries,
        predict_threads=None,
        max_bytes=None,
        **options,
    ):
        self.folder = folder
        self.max_bytes = max_bytes
        self.interpreters = interpreters
        self.threads = {"predict": predict_threads or threads}
        self.job = {
            "threads": threads,
            "n_queries": n_queries,
            "data": folder,
            "model": os.path.join(folder, "model"),
            "ids": os.path.join(folder, "ids.npy"),
            "result": os.path.join(folder, "result.json"),
            **options,
        }

    def run(self, entry, phase, seed):
        """Run a phase and return its result.

        Raises RuntimeError with the last output line of the child process if it fails, and its
        subclass MemoryLimitExceeded if its memory exceeds the limit.
        """
        if phase == "fit":
            shutil.rmtree(self.job["model"], ignore_errors=True)
            os.mkdir(self.job["model"])
        if os.path.exists(self.job["result"]):
            os.remove(self.job["result"])
        path = os.path.join(self.folder, "job.json")
        with open(path, "w", encoding="utf-8") as file:
            threads = entry.threads or self.threads.get(phase, self.job["threads"])
            job = {"peer": entry.peer, "settings": entry.settings, "phase": phase, "seed": seed}
            json.dump({**self.job, **job, "threads": threads}, file)
        status, output = memory_limit.run(
            [self.interpreters.get(entry.peer, sys.executable), WORKER, path],
            self.max_bytes,
            env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        if status != 0 or not os.path.exists(self.job["result"]):
            lines = output.split("\n")
            last_line = next(
                (line.strip() for line in reversed(lines) if line.strip()), "no message"
            )
            raise RuntimeError(f"{phase}, exit status {status}: {last_line}")
        with open(self.job["result"], encoding="utf-8") as file:
            return json.load(file)

    def take_turn(self, entry, seed, Y_test, propensities=None):
        """Fit and predict once."""
        turn = self.run(entry, "fit", seed)
        if turn["scale"] == 1:  # a model of a sample of the labels has no ranking
            turn.update(self.predict(entry, seed, Y_test, propensities))
        return turn

    def predict(self, entry, seed, Y_test, propensities=None):
        """Predict with the model that was fitted last, and compute the metrics."""
        result = self.run(entry, "predict", seed)
        ids = np.load(self.job["ids"])
        # The metrics only need the order of the labels, so any decreasing scores will do.
        scores = np.broadcast_to(-np.arange(ids.shape[1], dtype=np.float32), ids.shape)
        for k in (1, 3, 5):
            result[f"p_at_{k}"] = 100 * precision_at_k(Y_test, (ids, scores), k=k)
            result[f"ndcg_at_{k}"] = 100 * ndcg_at_k(Y_test, (ids, scores), k=k)
            if propensities is not None:
                result[f"psp_at_{k}"] = 100 * psprecision_at_k(
                    Y_test, (ids, scores), k=k, propensities=propensities
                )
        return result

    def probe(self, entries):
        """Find out which peers are installed; return a dict with an empty result per entry."""
        probes = {}
        for entry in entries.values():
            if entry.peer not in probes:
                try:
                    versions = self.run(entry, "probe", 0)
                    probes[entry.peer] = {"status": "measured", **versions}
                except (RuntimeError, OSError) as error:
                    probes[entry.peer] = {"status": "not installed", "reason": str(error)}
        results = {}
        for name, entry in entries.items():
            results[name] = {"peer": entry.peer, "settings": entry.settings, **probes[entry.peer]}
            if results[name]["status"] == "measured":
                results[name]["turns"] = []
        return results

    def measure(self, entries, results, Y_test, propensities=None):
        """Measure all entries in each turn, and add the measurements to `results`."""
        n_turns = max(len(entry.seeds) for entry in entries.values())
        for turn in range(n_turns):
            for name, entry in entries.items():
                result = results[name]
                if result["status"] != "measured" or turn >= len(entry.seeds):
                    continue
                print(f"turn {turn + 1} of {n_turns}: {name}", file=sys.stderr, flush=True)
                try:
                    seed = entry.seeds[turn]
                    measured = self.take_turn(entry, seed, Y_test, propensities)
                    result["turns"].append(measured)
                except RuntimeError as error:
                    result.update(status="failed", reason=str(error))


def measure(args, entries, *, propensities=False, **options):
    """Measure the entries on the data set of the command line.

    Parameters
    ----------
    args : Namespace
        Result of `options.parse`.
    entries : dict of Entry
        Entries to measure, by name.
    propensities : bool
        Whether to also measure PSP@5, with the propensities of the training labels.
    **options
        Arguments of `Runner`.

    Returns
    -------
    sizes : dict
        Name and sizes of the data.
    results : dict
        Measurements of each entry.
    """
    with tempfile.TemporaryDirectory(prefix="skxmr-benchmark-") as folder:
        runner = Runner(dict(args.python), folder, **options)
        results = runner.probe(entries)
        try:
            source = data.generate(*args.generate) if args.generate else data.read(args.data)
            matrices = data.prepare(source, not args.no_normalize)
            propensity_values = label_propensities(matrices[1]) if propensities else None
        except (ValueError, OSError) as error:
            program = os.path.basename(sys.argv[0])
            raise SystemExit(f"{program}: the data cannot be used: {error}.") from error
        installed = [
            result["peer"] for result in results.values() if result["status"] == "measured"
        ]
        data.write(*matrices[:3], folder, text="omikuji" in installed)
        name = "generated" if args.generate else os.path.basename(os.path.abspath(args.data))
        sizes = {"name": name, **data.describe(*matrices)}
        Y_test = matrices[3]
        del source, matrices
        runner.measure(entries, results, Y_test, propensity_values)
    return sizes, results

"""Measure libraries in child processes: what the benchmarks share."""

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

from skxmr.metrics import label_propensities, precision_at_k, psprecision_at_k

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)


class Entry(NamedTuple):
    """What is measured under one name.

    Attributes
    ----------
    peer : str
        Name of the library.
    settings : dict
        In the library's own names; what is not named is the library's default.
    seeds : sequence of int
        The seed of each turn.
    threads : int or None
        Of this entry, if not as many as of the others.
    """

    peer: str
    settings: dict
    seeds: list
    threads: int | None = None


class Runner:
    """Starts the phases of peers in child processes.

    Parameters
    ----------
    interpreters : dict
        Path of the interpreter of each peer, where it is not this one.
    folder : str
        Folder of the data and of what the processes exchange.
    threads : int
        Threads of a peer.
    predict_threads : int or None
        The same for prediction, if it is another number.
    n_queries : int
        Most rows that are predicted one by one.
    most_bytes : int or None
        Resident memory at which a child is ended; None for no limit.
    **options
        More for the job, see `Peer`.
    """

    def __init__(
        self,
        interpreters,
        folder,
        *,
        threads,
        n_queries,
        predict_threads=None,
        most_bytes=None,
        **options,
    ):
        self.folder = folder
        self.most_bytes = most_bytes
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
        """Return the result of a phase; RuntimeError with a line of the child's if it fails.

        MemoryLimitExceeded, a RuntimeError, if it took more memory than it may.
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
            self.most_bytes,
            env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        if status != 0 or not os.path.exists(self.job["result"]):
            lines = output.split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
            raise RuntimeError(f"{phase}, exit status {status}: {last}")
        with open(self.job["result"], encoding="utf-8") as file:
            return json.load(file)

    def take_turn(self, entry, seed, Y_test, propensities=None):
        """Fit and predict once."""
        turn = self.run(entry, "fit", seed)
        if turn["scale"] == 1:  # with a part of the labels there is nothing to rank
            turn.update(self.predict(entry, seed, Y_test, propensities))
        return turn

    def predict(self, entry, seed, Y_test, propensities=None):
        """Predict with the model that was fitted last, and score what is found."""
        found = self.run(entry, "predict", seed)
        ids = np.load(self.job["ids"])
        # Only the order counts; made-up scores keep it as the peer gave it.
        scores = np.broadcast_to(-np.arange(ids.shape[1], dtype=np.float32), ids.shape)
        for k in (1, 3, 5):
            found[f"p_at_{k}"] = 100 * precision_at_k(Y_test, (ids, scores), k=k)
        if propensities is not None:
            found["psp_at_5"] = 100 * psprecision_at_k(
                Y_test, (ids, scores), k=5, propensities=propensities
            )
        return found

    def probe(self, entries):
        """Start the result of each entry: find out which of their peers there are."""
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
        """Measure all entries in turn; what is found is added to the results."""
        n_turns = max(len(entry.seeds) for entry in entries.values())
        for turn in range(n_turns):
            for name, entry in entries.items():
                result = results[name]
                if result["status"] != "measured" or turn >= len(entry.seeds):
                    continue
                print(f"turn {turn + 1} of {n_turns}: {name}", file=sys.stderr, flush=True)
                try:
                    taken = self.take_turn(entry, entry.seeds[turn], Y_test, propensities)
                    result["turns"].append(taken)
                except RuntimeError as error:
                    result.update(status="failed", reason=str(error))


def measure(args, entries, *, propensities=False, **options):
    """Measure the entries on the data that the command line names.

    Parameters
    ----------
    args : Namespace
        What `options.parse` returned.
    entries : dict of Entry
        What to measure, by name.
    propensities : bool
        Whether PSP@5 is measured too, with the propensities of the training labels.
    **options
        For the Runner.

    Returns
    -------
    sizes : dict
        Name and sizes of the data.
    results : dict
        What was found of each entry.
    """
    with tempfile.TemporaryDirectory(prefix="skxmr-benchmark-") as folder:
        runner = Runner(dict(args.python), folder, **options)
        results = runner.probe(entries)
        try:
            source = data.generate(*args.generate) if args.generate else data.read(args.data)
            matrices = data.prepare(source, not args.no_normalize)
            shares = label_propensities(matrices[1]) if propensities else None
        except (ValueError, OSError) as error:
            program = os.path.basename(sys.argv[0])
            raise SystemExit(f"{program}: the data cannot be used: {error}.") from error
        found = [result["peer"] for result in results.values() if result["status"] == "measured"]
        data.write(*matrices[:3], folder, text="omikuji" in found)
        name = "generated" if args.generate else os.path.basename(os.path.abspath(args.data))
        sizes = {"name": name, **data.describe(*matrices)}
        Y_test = matrices[3]
        del source, matrices
        runner.measure(entries, results, Y_test, shares)
    return sizes, results

"""Measure the speedup of a fit with two threads, compared with the possible speedup.

Each turn times a fit with one thread, a fit with two threads, and two simultaneous fits with one
thread each in independent processes. The measurements alternate, so that changes of the machine's
speed affect all of them. The two simultaneous fits are the control: if they slow each other down,
two threads cannot be faster than that.
"""

import argparse
import multiprocessing
import os
import time

import data
import numpy as np
import options
from peer import SEED
from peers import PEERS

from skxmr import XRLinearClassifier


def parse_arguments(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("folders", nargs="+", type=options.data_folder, metavar="DIR")
    parser.add_argument("--turns", type=options.positive, default=9, metavar="N")
    return parser.parse_args(argv)


def load(folder):
    """Return the training rows in the format that compare.py uses for all peers."""
    return data.prepare(data.read(folder), normalized=True)[:2]


def fit(X, Y, n_jobs):
    """Fit with the settings of compare.py and return the wall seconds."""
    settings = PEERS["skxmr"].equal_settings
    model = XRLinearClassifier(random_state=SEED, n_jobs=n_jobs, **settings)
    start = time.perf_counter()
    model.fit(X, Y)
    return time.perf_counter() - start


def fit_repeatedly(folder, barrier, turns):
    """Fit with one thread whenever all processes are ready; one of the two control processes."""
    X, Y = load(folder)
    for _ in range(turns):
        barrier.wait()
        fit(X, Y, 1)
        barrier.wait()


def measure(folder, turns):
    """Return wall seconds (turns, 3): one thread, two threads, two simultaneous fits."""
    X, Y = load(folder)
    barrier = multiprocessing.Barrier(3)
    children = [
        multiprocessing.Process(target=fit_repeatedly, args=(folder, barrier, turns), daemon=True)
        for _ in range(2)
    ]
    for child in children:
        child.start()
    fit(X, Y, 2)
    seconds = []
    for _ in range(turns):
        seconds_of_fits = [fit(X, Y, n_jobs) for n_jobs in (1, 2)]
        barrier.wait()
        start = time.perf_counter()
        barrier.wait()
        seconds.append((*seconds_of_fits, time.perf_counter() - start))
    return np.array(seconds)


def format_ratios(ratios):
    """Return the median and the range as text."""
    return f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def main():
    args = parse_arguments()
    print("| | one thread, s | two threads, s | speedup per turn | of minima | control per turn |")
    print("|---|--:|--:|--:|--:|--:|")
    for folder in args.folders:
        seconds = measure(folder, args.turns)
        one_thread, two_threads, two_fits = seconds.T
        minima = seconds.min(axis=0)
        name = os.path.basename(os.path.abspath(folder))
        print(
            f"| {name} | {minima[0]:.2f} | {minima[1]:.2f} "
            f"| {format_ratios(one_thread / two_threads)} "
            f"| {minima[0] / minima[1]:.2f} | {format_ratios(2 * one_thread / two_fits)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

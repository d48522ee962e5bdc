"""Measure what a second thread gains a fit, beside what it could gain on this machine.

Three things are timed in turn, so that the machine's mood is the same for all: a fit on one thread,
a fit on two, and two fits on one thread each at the same time, in processes that share nothing. The
last is the control: where two unrelated fits slow each other, two threads cannot do better.
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
    """Return the training rows, in the form that compare.py gives to all."""
    return data.prepare(data.read(folder), normalized=True)[:2]


def fit(X, Y, n_jobs):
    """Return the wall seconds of a fit with the settings of compare.py."""
    settings = PEERS["skxmr"].equal_settings
    model = XRLinearClassifier(random_state=SEED, n_jobs=n_jobs, **settings)
    start = time.perf_counter()
    model.fit(X, Y)
    return time.perf_counter() - start


def keep_fitting(folder, barrier, turns):
    """Fit on one thread each time that all are ready: one of the two of the control."""
    rows = load(folder)
    for _ in range(turns):
        barrier.wait()
        fit(*rows, 1)
        barrier.wait()


def measure(folder, turns):
    """Return (turns, 3) wall seconds: one thread, two, and two fits at once."""
    rows = load(folder)
    barrier = multiprocessing.Barrier(3)
    children = [
        multiprocessing.Process(target=keep_fitting, args=(folder, barrier, turns), daemon=True)
        for _ in range(2)
    ]
    for child in children:
        child.start()
    fit(*rows, 2)
    seconds = []
    for _ in range(turns):
        alone = [fit(*rows, n_jobs) for n_jobs in (1, 2)]
        barrier.wait()
        start = time.perf_counter()
        barrier.wait()
        seconds.append((*alone, time.perf_counter() - start))
    return np.array(seconds)


def spread(ratios):
    """Write a median and its range."""
    return f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def main():
    args = parse_arguments()
    print("| | one thread, s | two threads, s | gain, by turn | least times | control, by turn |")
    print("|---|--:|--:|--:|--:|--:|")
    for folder in args.folders:
        seconds = measure(folder, args.turns)
        one, two, both = seconds.T
        least = seconds.min(axis=0)
        name = os.path.basename(os.path.abspath(folder))
        print(
            f"| {name} | {least[0]:.2f} | {least[1]:.2f} | {spread(one / two)} "
            f"| {least[0] / least[1]:.2f} | {spread(2 * one / both)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Run libraries in processes of their own, in turn, with one thread; print a table of the means."""

import json
import os
import subprocess
import sys
import time

import numpy as np

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure_cpu(function, *args):
    """Return the CPU seconds of a call, and its result."""
    started = time.process_time()
    result = function(*args)
    return time.process_time() - started, result


def add_arguments(parser):
    """Add the arguments of `run_in_turns`."""
    parser.add_argument("--pecos", help="interpreter of an environment with libpecos")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--library", choices=("skxmr", "pecos"), help="run only this, print JSON")
    parser.add_argument("--seed", type=int, default=0)


def run_in_turns(script, arguments, parser, args, run_library):
    """Measure both libraries and return the means; or measure one, if `--library` asks for it.

    Parameters
    ----------
    script : str
        Path of the benchmark.
    arguments : list of str
        Its arguments that describe the data.
    parser : ArgumentParser
        Parser, which reports a missing argument.
    args : Namespace
        Parsed arguments of `add_arguments`.
    run_library : callable
        Function of a library and a seed that returns a dict of measurements.

    Returns
    -------
    dict of dict, or None
        Mean of each measurement by library. None if only one library was measured.
    """
    if args.library is not None:
        print(json.dumps(run_library(args.library, args.seed)))
        return None
    if args.pecos is None:
        parser.error("--pecos is required")
    interpreters = {"pecos": args.pecos, "skxmr": sys.executable}
    turns = {name: [] for name in interpreters}
    for seed in range(args.turns):
        for name, interpreter in interpreters.items():
            command = [interpreter, script, *arguments, "--library", name, "--seed", str(seed)]
            output = subprocess.run(
                command,
                env={**os.environ, **dict.fromkeys(THREADS, "1")},
                stdout=subprocess.PIPE,
                check=True,
                encoding="utf-8",
            ).stdout
            turns[name].append(json.loads(output.splitlines()[-1]))
    return {
        name: {key: float(np.mean([turn[key] for turn in turns[name]])) for key in turns[name][0]}
        for name in turns
    }


def print_table(means, columns, ratios):
    """Print the means of both libraries, and the ratios pecos / skxmr of some columns.

    Parameters
    ----------
    means : dict of dict
        Result of `run_in_turns`.
    columns : dict of str to (str, str)
        Heading and number format of each measurement.
    ratios : list of str
        Measurements whose ratios are printed.
    """
    print("| | " + " | ".join(heading for heading, _ in columns.values()) + " |")
    print("|---|" + "--:|" * len(columns))
    for name, mean in means.items():
        cells = [
            format(mean[key], spec) if key in mean else "" for key, (_, spec) in columns.items()
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    cells = [
        f"{means['pecos'][key] / means['skxmr'][key]:.1f}" if key in ratios else ""
        for key in columns
    ]
    print("| pecos / skxmr | " + " | ".join(cells) + " |")

"""Measure time, memory and model size against the number of labels.

A size at a time: data are made, each library is fitted and asked in fresh processes, and a line
of JSON is added to a file. So sizes can be measured one by one; `--report` makes the tables and
the picture of the documentation from the file. README.md, beside this file, tells more.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import data
import memory_limit
import options
import report
import scale_report
import scipy.sparse as sp
from peer import SEED
from peers import PEERS
from runner import Entry, Runner

N_QUERIES = 1000
# From so many labels up skxmr writes its model while it trains.
STREAM_FROM = 200_000
LINES = {
    "skxmr": ("skxmr", PEERS["skxmr"].equal_settings),
    "pecos": ("pecos", PEERS["pecos"].equal_settings),
    "skxmr-default": ("skxmr", {}),
}
SMALLEST = 100


class Shape(NamedTuple):
    """The sizes of generated data."""

    name: str
    n_train: int
    n_test: int
    n_features: int
    n_labels: int
    features_per_row: float
    labels_per_row: float


NAMED_SHAPES = {
    "amazon-670k": Shape("amazon-670k", 490_449, 153_025, 135_909, 670_091, 76, 5.4),
    "amazon-3m": Shape("amazon-3m", 1_717_899, 742_507, 337_067, 2_812_281, 49, 36),
}
DEFAULT_SIZES = "10000,50000,200000,amazon-670k,amazon-3m"


def scaled_shape(n_labels):
    """Return the Amazon-670K shape with another number of labels.

    Rows grow as labels do, features as their square root, the way vocabularies grow with a text
    (Heaps' law). Rows have as many features and labels at any size.
    """
    whole = NAMED_SHAPES["amazon-670k"]
    part = n_labels / whole.n_labels
    return whole._replace(
        name=str(n_labels),
        n_train=round(whole.n_train * part),
        n_test=round(whole.n_test * part),
        n_features=round(whole.n_features * part**0.5),
        n_labels=n_labels,
    )


def shapes(text):
    """Type of an argument: sizes with commas between."""
    found = []
    for size in text.split(","):
        if size in NAMED_SHAPES:
            found.append(NAMED_SHAPES[size])
        elif size.isascii() and size.isdigit() and SMALLEST <= int(size) < 2**31:
            found.append(scaled_shape(int(size)))
        else:
            raise argparse.ArgumentTypeError(
                f"a size must be a number of labels from {SMALLEST} up, or one of "
                f"{', '.join(NAMED_SHAPES)}; got {size!r}"
            )
    return found


def line_names(text):
    """Type of an argument: names of lines with commas between."""
    names = text.split(",")
    for name in names:
        if name not in LINES:
            raise argparse.ArgumentTypeError(
                f"must be names out of {','.join(LINES)} with commas between; got {name!r}"
            )
    return list(dict.fromkeys(names))


def most_labels(text):
    """Type of an argument: LINE=N."""
    name, _, number = text.partition("=")
    if name not in LINES:
        raise argparse.ArgumentTypeError(
            f"must be LINE=N with a line out of {', '.join(LINES)}; got {text!r}"
        )
    return name, options.positive(number)


def gigabytes(text):
    """Type of an argument: a memory limit in bytes, given in GB."""
    if not memory_limit.can_watch():
        raise argparse.ArgumentTypeError("the memory of a process cannot be watched here")
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not 0.5 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of GB from 0.5 up; got {text!r}")
    return int(number * 1e9)


def parse_arguments(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n\n")[0],
        epilog="Data and models lie in a temporary folder (see TMPDIR) until a size is done.",
    )
    add = parser.add_argument
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--sizes",
        type=shapes,
        default=DEFAULT_SIZES,
        metavar="SIZES",
        help="numbers of labels to make data for in the Amazon-670K shape, or the names "
        f"{' and '.join(NAMED_SHAPES)}, with commas between (default: {DEFAULT_SIZES})",
    )
    source.add_argument(
        "--data", type=options.data_folder, metavar="DIR", help="one data set, as compare.py reads"
    )
    source.add_argument(
        "--report",
        action="store_true",
        help="measure nothing; put the tables of FILE into doc/benchmarks/scale.md, and draw them",
    )
    add(
        "--lines",
        type=line_names,
        default=["skxmr", "pecos"],
        metavar="NAMES",
        help=f"what to measure, out of {','.join(LINES)} (default: skxmr,pecos)",
    )
    add(
        "--up-to",
        type=most_labels,
        action="append",
        default=[],
        metavar="LINE=N",
        help="leave a line out where there are more than N labels; may be given once a line",
    )
    add(
        "--python",
        type=options.interpreter,
        action="append",
        default=[],
        metavar="PEER=PATH",
        help="interpreter of a peer (default: the one that runs this)",
    )
    add(
        "--threads",
        type=options.positive,
        default=2,
        metavar="N",
        help="threads of a fit (default: 2); prediction has one",
    )
    add(
        "--repeat",
        type=options.positive,
        default=1,
        metavar="N",
        help="measure each size N times, all lines in turn; the least counts (default: 1)",
    )
    add(
        "--memory-limit",
        type=gigabytes,
        metavar="GB",
        help="end a process whose resident memory is more (default: no limit)",
    )
    add(
        "--output",
        type=options.output_file,
        default="scale.jsonl",
        metavar="FILE",
        help="JSON lines to add to (default: scale.jsonl)",
    )
    return parser.parse_args(argv)


def write_data(source, folder):
    """Make or read data, write them for the children, and return their sizes."""
    if isinstance(source, Shape):
        name = source.name
        matrices = data.generate(
            source.n_train,
            source.n_test,
            source.n_features,
            source.n_labels,
            n_features_per_sample=source.features_per_row,
            n_labels_per_sample=source.labels_per_row,
        )
    else:
        name, matrices = os.path.basename(os.path.abspath(source)), data.read(source)
    matrices = data.prepare(matrices, normalized=True)
    data.write(*matrices[:3], folder, text=False)
    sp.save_npz(os.path.join(folder, "Y_test.npz"), matrices[3], compressed=False)
    return {"name": name, **data.describe(*matrices)}


def elsewhere(function, *args):
    """Call a function in a process of its own: its memory is free again when it is done."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args).result()


def take_turn(runner, entry, Y_test):
    """Fit and predict once; what was measured before something went wrong is kept."""
    turn, phase, start = {}, "fit", time.perf_counter()
    try:
        turn.update(runner.run(entry, "fit", SEED))
        phase = "prediction"
        turn.update(runner.predict(entry, SEED, Y_test))
    except memory_limit.MemoryLimitExceeded as error:
        return {"status": "stopped", "phase": phase, "reason": str(error), "turn": turn}
    except RuntimeError as error:
        return {"status": "failed", "phase": phase, "reason": str(error), "turn": turn}
    return {"status": "measured", "total_wall_s": time.perf_counter() - start, "turn": turn}


def chosen_entries(args, n_labels):
    """Return what is measured with so many labels."""
    most = dict(args.up_to)
    return {
        name: Entry(*LINES[name], [SEED] * args.repeat)
        for name in args.lines
        if n_labels <= most.get(name, n_labels)
    }


def measure_size(source, args):
    """Measure all lines on one data set; yield what is found, turn by turn."""
    # How many labels a folder has is known when it has been read.
    entries = chosen_entries(args, source.n_labels if isinstance(source, Shape) else 0)
    if not entries:
        return
    with tempfile.TemporaryDirectory(prefix="skxmr-benchmark-") as folder:
        runner = Runner(
            dict(args.python),
            folder,
            threads=args.threads,
            predict_threads=1,
            n_queries=N_QUERIES,
            most_bytes=args.memory_limit,
            mapped=True,
        )
        known = runner.probe(entries)
        sizes = elsewhere(write_data, source, folder)
        runner.job["stream"] = sizes["n_labels"] >= STREAM_FROM
        Y_test = sp.load_npz(os.path.join(folder, "Y_test.npz"))
        entries = chosen_entries(args, sizes["n_labels"])
        for _ in range(args.repeat):
            for name, entry in entries.items():
                circumstances = {"line": name, "data": sizes, **report.describe_run(args.threads)}
                if args.memory_limit is not None:
                    circumstances["memory_limit_gb"] = args.memory_limit / 1e9
                found = known[name]
                if found["status"] == "measured":
                    found = {**found, **take_turn(runner, entry, Y_test)}
                    found.pop("turns")
                yield {**circumstances, **found}


def main():
    args = parse_arguments()
    if args.report:
        try:
            return scale_report.write(args.output)
        except (OSError, ValueError) as error:
            raise SystemExit(f"scale.py: {args.output} cannot be reported: {error}.") from error
    well = True
    for source in [args.data] if args.data else args.sizes:
        for record in measure_size(source, args):
            with open(args.output, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            print(scale_report.one_line(record), flush=True)
            well = well and record["status"] != "failed"
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())

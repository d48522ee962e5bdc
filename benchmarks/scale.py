"""Measure time, memory and model size against the number of labels.

For each size, the script generates data. It fits and queries each entry of `LINES` in new
processes, and appends one JSON record per entry and turn to a file. Sizes can therefore be measured
one by one. `--report` makes the tables and the figure of the documentation from the file. See
README.md in this folder for details.
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
# With at least this many labels, skxmr writes its model during fit.
MIN_STREAMED_LABELS = 200_000
LINES = {
    "skxmr": ("skxmr", PEERS["skxmr"].equal_settings),
    "pecos": ("pecos", PEERS["pecos"].equal_settings),
    "skxmr-default": ("skxmr", {}),
}
MIN_LABELS = 100


class Shape(NamedTuple):
    """Sizes of generated data."""

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

    The number of rows is proportional to the number of labels. The number of features grows with
    its square root, as vocabularies grow with the length of a text (Heaps' law). The numbers of
    features and labels per row are constant.
    """
    original = NAMED_SHAPES["amazon-670k"]
    fraction = n_labels / original.n_labels
    return original._replace(
        name=str(n_labels),
        n_train=round(original.n_train * fraction),
        n_test=round(original.n_test * fraction),
        n_features=round(original.n_features * fraction**0.5),
        n_labels=n_labels,
    )


def parse_shapes(text):
    """Parse an argument: sizes, separated by commas."""
    parsed = []
    for size in text.split(","):
        if size in NAMED_SHAPES:
            parsed.append(NAMED_SHAPES[size])
        elif size.isascii() and size.isdigit() and MIN_LABELS <= int(size) < 2**31:
            parsed.append(scaled_shape(int(size)))
        else:
            raise argparse.ArgumentTypeError(
                f"a size must be a number of labels, at least {MIN_LABELS}, or one of "
                f"{', '.join(NAMED_SHAPES)}; got {size!r}"
            )
    return parsed


def parse_lines(text):
    """Parse an argument: names of lines, separated by commas."""
    names = text.split(",")
    for name in names:
        if name not in LINES:
            raise argparse.ArgumentTypeError(
                f"must be names from {','.join(LINES)}, separated by commas; got {name!r}"
            )
    return list(dict.fromkeys(names))


def parse_max_labels(text):
    """Parse an argument: LINE=N."""
    name, _, number = text.partition("=")
    if name not in LINES:
        raise argparse.ArgumentTypeError(
            f"must be LINE=N with a line from {', '.join(LINES)}; got {text!r}"
        )
    return name, options.positive(number)


def parse_gigabytes(text):
    """Parse an argument: a memory limit in GB; return bytes."""
    if not memory_limit.can_measure_memory():
        raise argparse.ArgumentTypeError("cannot be used: the memory of other processes is unknown")
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not 0.5 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of GB, at least 0.5; got {text!r}")
    return int(number * 1e9)


def parse_arguments(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n\n")[0],
        epilog="Data and models of a size are stored in a temporary folder (see TMPDIR).",
    )
    add = parser.add_argument
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--sizes",
        type=parse_shapes,
        default=DEFAULT_SIZES,
        metavar="SIZES",
        help="numbers of labels of generated data in the Amazon-670K shape, or the names "
        f"{' and '.join(NAMED_SHAPES)}, separated by commas (default: {DEFAULT_SIZES})",
    )
    source.add_argument(
        "--data",
        type=options.data_folder,
        metavar="DIR",
        help="folder of a data set",
    )
    source.add_argument(
        "--report",
        action="store_true",
        help="do not measure; write the report of FILE to doc/benchmarks/scale.md",
    )
    add(
        "--lines",
        type=parse_lines,
        default=["skxmr", "pecos"],
        metavar="NAMES",
        help=f"lines to measure, from {','.join(LINES)} (default: skxmr,pecos)",
    )
    add(
        "--up-to",
        type=parse_max_labels,
        action="append",
        default=[],
        metavar="LINE=N",
        help="skip a line if there are more than N labels; may be repeated for other lines",
    )
    add(
        "--python",
        type=options.interpreter,
        action="append",
        default=[],
        metavar="PEER=PATH",
        help="interpreter of a peer (default: this interpreter)",
    )
    add(
        "--threads",
        type=options.positive,
        default=2,
        metavar="N",
        help="number of threads of a fit (default: 2); prediction uses one thread",
    )
    add(
        "--repeat",
        type=options.positive,
        default=1,
        metavar="N",
        help="number of turns per size; the minimum is reported (default: 1)",
    )
    add(
        "--memory-limit",
        type=parse_gigabytes,
        metavar="GB",
        help="end a process if its resident memory exceeds this (default: no limit)",
    )
    add(
        "--output",
        type=options.output_file,
        default="scale.jsonl",
        metavar="FILE",
        help="file to which JSON lines are appended (default: scale.jsonl)",
    )
    return parser.parse_args(argv)


def generate(shape):
    """Return generated matrices of a shape: training rows and labels, test rows and labels."""
    return data.generate(
        shape.n_train,
        shape.n_test,
        shape.n_features,
        shape.n_labels,
        n_features_per_sample=shape.features_per_row,
        n_labels_per_sample=shape.labels_per_row,
    )


def write_data(source, folder):
    """Generate or read data, write it for the child processes, and return its sizes."""
    if isinstance(source, Shape):
        name = source.name
        matrices = generate(source)
    else:
        name, matrices = os.path.basename(os.path.abspath(source)), data.read(source)
    matrices = data.prepare(matrices, normalized=True)
    data.write(*matrices[:3], folder, text=False)
    sp.save_npz(os.path.join(folder, "Y_test.npz"), matrices[3], compressed=False)
    return {"name": name, **data.describe(*matrices)}


def call_in_process(function, *args):
    """Call a function in a separate process, which frees its memory at the end."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args).result()


def take_turn(runner, entry, Y_test):
    """Fit and predict once; keep the measurements made before an error."""
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


def select_entries(args, n_labels):
    """Return the entries to measure for this number of labels."""
    max_labels = dict(args.up_to)
    return {
        name: Entry(*LINES[name], [SEED] * args.repeat)
        for name in args.lines
        if n_labels <= max_labels.get(name, n_labels)
    }


def measure_size(source, args):
    """Measure all lines on one data set; yield one record per turn and line."""
    # The number of labels of a folder is not known yet. Entries are selected again below.
    entries = select_entries(args, source.n_labels if isinstance(source, Shape) else 0)
    if not entries:
        return
    with tempfile.TemporaryDirectory(prefix="skxmr-benchmark-") as folder:
        runner = Runner(
            dict(args.python),
            folder,
            threads=args.threads,
            predict_threads=1,
            n_queries=N_QUERIES,
            max_bytes=args.memory_limit,
            mapped=True,
        )
        probes = runner.probe(entries)
        sizes = call_in_process(write_data, source, folder)
        runner.job["stream"] = sizes["n_labels"] >= MIN_STREAMED_LABELS
        Y_test = sp.load_npz(os.path.join(folder, "Y_test.npz"))
        entries = select_entries(args, sizes["n_labels"])
        for _ in range(args.repeat):
            for name, entry in entries.items():
                environment = {"line": name, "data": sizes, **report.describe_run(args.threads)}
                if args.memory_limit is not None:
                    environment["memory_limit_gb"] = args.memory_limit / 1e9
                result = probes[name]
                if result["status"] == "measured":
                    result = {**result, **take_turn(runner, entry, Y_test)}
                    result.pop("turns")
                yield {**environment, **result}


def main():
    args = parse_arguments()
    if args.report:
        try:
            return scale_report.update_page(args.output)
        except (OSError, ValueError) as error:
            raise SystemExit(f"scale.py: no report from {args.output}: {error}.") from error
    has_failed = False
    for source in [args.data] if args.data else args.sizes:
        for record in measure_size(source, args):
            with open(args.output, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            print(scale_report.format_record(record), flush=True)
            has_failed = has_failed or record["status"] == "failed"
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main())

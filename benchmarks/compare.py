"""Compare skxmr with its peers on one data set: time, precision, size and memory.

Every peer is fitted and asked in fresh processes, one after another, in its own interpreter if
need be. A table is printed, and all measurements are written as JSON. README.md, beside this
file, says what the columns mean and how to install the peers.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import data
import numpy as np
import report
from peer import SETTINGS
from peers import PEERS

from skxmr.metrics import precision_at_k

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)


def positive(text):
    """Type of an argument: an integer from 1 up."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an integer from 1 up; got {text!r}")
    return int(text)


def data_folder(text):
    """Type of an argument: a folder that holds the files of a data set."""
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"must be a folder; {text!r} is none")
    if data.find_files(text) is None:
        wanted = f"{', '.join(data.NPZ)}, or {' and '.join(data.TXT)}"
        raise argparse.ArgumentTypeError(f"the folder must hold {wanted}; {text!r} does not")
    return text


def peer_names(text):
    """Type of an argument: names of peers with commas between."""
    names = text.split(",")
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(
                f"must be names out of {','.join(PEERS)} with commas between; got {name!r}"
            )
    return list(dict.fromkeys(names))


def interpreter(text):
    """Type of an argument: PEER=PATH."""
    name, equals, path = text.partition("=")
    if not equals or name not in PEERS:
        raise argparse.ArgumentTypeError(
            f"must be PEER=PATH with a peer out of {', '.join(PEERS)}; got {text!r}"
        )
    found = shutil.which(os.path.expanduser(path))
    if found is None:
        raise argparse.ArgumentTypeError(f"PATH must be an interpreter; {path!r} cannot be run")
    return name, os.path.abspath(found)  # a link is not followed: it makes the environment


def output_file(text):
    """Type of an argument: a file that can be written."""
    folder = os.path.dirname(os.path.abspath(text))
    if os.path.isdir(text) or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"must be a file in a folder to write to; got {text!r}")
    return os.path.abspath(text)


def parse_arguments(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n\n")[0],
        epilog="Peers that cannot be imported by their interpreter are listed as not installed.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data",
        type=data_folder,
        metavar="DIR",
        help=f"folder with {', '.join(data.NPZ)} (scipy.sparse), or with {' and '.join(data.TXT)} "
        "in the text format of the Extreme Classification Repository",
    )
    source.add_argument(
        "--generate",
        type=positive,
        nargs=4,
        metavar=tuple(name.upper() for name in data.SMALLEST),
        help="make data of this size with skxmr.datasets.make_extreme_multilabel",
    )
    parser.add_argument(
        "--peers",
        type=peer_names,
        default=list(PEERS),
        metavar="NAMES",
        help=f"which to compare, with commas between (default: {','.join(PEERS)})",
    )
    parser.add_argument(
        "--python",
        type=interpreter,
        action="append",
        default=[],
        metavar="PEER=PATH",
        help="interpreter of a peer; may be given once a peer (default: the one that runs this)",
    )
    parser.add_argument(
        "--threads", type=positive, default=1, metavar="N", help="threads of each (default: 1)"
    )
    parser.add_argument(
        "--repeat",
        type=positive,
        default=1,
        metavar="N",
        help="measure all peers N times in turn, the least counts (default: 1)",
    )
    parser.add_argument(
        "--no-normalize", action="store_true", help="leave rows as they are, not of unit l2 norm"
    )
    parser.add_argument(
        "--sklearn-labels",
        type=positive,
        default=500,
        metavar="N",
        help="fit the scikit-learn baseline on at most N labels, and scale up (default: 500)",
    )
    parser.add_argument(
        "--output",
        type=output_file,
        default="comparison.json",
        metavar="FILE",
        help="JSON file to write, replaced if there is one (default: comparison.json)",
    )
    args = parser.parse_args(argv)
    if args.generate:
        for size, (name, smallest) in zip(args.generate, data.SMALLEST.items(), strict=True):
            if size < smallest:
                parser.error(
                    f"argument --generate: {name.upper()} must be at least {smallest}; got {size}"
                )
    return args


class Runner:
    """Starts the phases of peers in child processes."""

    def __init__(self, args, folder):
        self.folder = folder
        self.interpreters = dict(args.python)
        threads = dict.fromkeys(THREAD_VARIABLES, str(args.threads))
        self.environment = {**os.environ, **threads}
        self.job = {
            "threads": args.threads,
            "max_labels": args.sklearn_labels,
            "data": folder,
            "model": os.path.join(folder, "model"),
            "ids": os.path.join(folder, "ids.npy"),
            "result": os.path.join(folder, "result.json"),
        }

    def run(self, name, phase):
        """Return the result of a phase; RuntimeError with a line of the child's if it fails."""
        if phase == "fit":
            shutil.rmtree(self.job["model"], ignore_errors=True)
            os.mkdir(self.job["model"])
        if os.path.exists(self.job["result"]):
            os.remove(self.job["result"])
        path = os.path.join(self.folder, "job.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**self.job, "peer": name, "phase": phase}, file)
        command = [self.interpreters.get(name, sys.executable), WORKER, path]
        child = subprocess.run(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        if child.returncode != 0 or not os.path.exists(self.job["result"]):
            lines = child.stdout.split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
            raise RuntimeError(f"{phase}, exit status {child.returncode}: {last}")
        with open(self.job["result"], encoding="utf-8") as file:
            return json.load(file)

    def take_turn(self, name, Y_test):
        """Fit and predict once."""
        turn = self.run(name, "fit")
        if turn["scale"] == 1:  # with a part of the labels there is nothing to rank
            turn.update(self.run(name, "predict"))
            ids = np.load(self.job["ids"])
            # Only the order counts; made-up scores keep it as the peer gave it.
            scores = np.broadcast_to(-np.arange(ids.shape[1], dtype=np.float32), ids.shape)
            for k in (1, 3, 5):
                turn[f"p_at_{k}"] = 100 * precision_at_k(Y_test, (ids, scores), k=k)
        return turn


def probe(runner, names):
    """Find out which peers there are."""
    results = {}
    for name in names:
        try:
            results[name] = {"status": "measured", **runner.run(name, "probe"), "turns": []}
        except (RuntimeError, OSError) as error:
            results[name] = {"status": "not installed", "reason": str(error)}
    return results


def compare(runner, results, Y_test, repeat):
    """Measure all peers in turn; what is found is added to the results."""
    for turn in range(repeat):
        for name, result in results.items():
            if result["status"] != "measured":
                continue
            print(f"turn {turn + 1} of {repeat}: {name}", file=sys.stderr, flush=True)
            try:
                result["turns"].append(runner.take_turn(name, Y_test))
            except RuntimeError as error:
                result.update(status="failed", reason=str(error))
    for result in results.values():
        if result["status"] == "measured":
            result["summary"] = report.summarize(result["turns"])
    own = results.get("skxmr", {}).get("summary")
    for name, result in results.items():
        if own and name != "skxmr" and "summary" in result:
            result["ratios"] = report.ratios(result["summary"], own)


def main():
    args = parse_arguments()
    circumstances = {
        "date": report.now(),
        "machine": report.machine(),
        "load_average": report.load_average(),
        "threads": args.threads,
        "repeat": args.repeat,
        "normalized": not args.no_normalize,
        "settings": SETTINGS,
    }
    with tempfile.TemporaryDirectory(prefix="skxmr-compare-") as folder:
        runner = Runner(args, folder)
        results = probe(runner, args.peers)
        try:
            source = data.generate(*args.generate) if args.generate else data.read(args.data)
            matrices = data.prepare(source, not args.no_normalize)
        except (ValueError, OSError) as error:
            raise SystemExit(f"compare.py: the data cannot be used: {error}.") from error
        has_omikuji = results.get("omikuji", {}).get("status") == "measured"
        data.write(*matrices[:3], folder, text=has_omikuji)
        name = "generated" if args.generate else os.path.basename(os.path.abspath(args.data))
        sizes = {"name": name, **data.describe(*matrices)}
        Y_test = matrices[3]
        del source, matrices
        compare(runner, results, Y_test, args.repeat)

    with open(args.output, "w", encoding="utf-8") as file:
        json.dump({**circumstances, "data": sizes, "peers": results}, file, indent=1)
        file.write("\n")
    print_report(circumstances, sizes, results)
    return int(any(result["status"] == "failed" for result in results.values()))


def print_report(circumstances, sizes, results):
    machine = circumstances["machine"]
    print(
        f"{sizes['name']}: {sizes['n_train']} rows to train, {sizes['n_test']} to test, "
        f"{sizes['n_features']} features, {sizes['n_labels']} labels"
    )
    print(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['os']}; "
        f"threads {circumstances['threads']}, repeat {circumstances['repeat']}, "
        f"{circumstances['date']}"
    )
    print(f"\n{report.table(results)}\n")
    if any("ratios" in result for result in results.values()):
        print("In brackets: how many times skxmr's.")
    print("\n".join(report.notes(results, circumstances["load_average"])))


if __name__ == "__main__":
    sys.exit(main())

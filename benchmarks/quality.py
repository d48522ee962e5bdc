"""Compare the precision of several settings of skxmr and its peers on one data set.

compare.py compares speed at equal settings. This script measures each library with its defaults
and with settings that are known to be better. See README.md in this folder for the columns.
"""

import sys
from argparse import ArgumentTypeError
from typing import NamedTuple

import numpy as np
import options
import report
from runner import Entry, measure

# Settings that differ from the defaults, with the parameter names of each library.
TFN_MAN = {"negative_sampling_scheme": "tfn+man"}
RELEVANCE = {"rel_mode": "induce", "rel_norm": "l1"}  # relevance 1 for each label of a row
BONSAI = {"cluster_balanced": False, "cluster_k": 100, "max_depth": 3}
SETTINGS = {
    "skxmr": {
        "default": {},
        "fast": {"preset": "fast"},
        "balanced": {"preset": "balanced"},
        "best": {"preset": "best"},
        "beam-30": {"beam_width": 30},
        "tfn+random": {"negatives": "tfn+random"},
    },
    "pecos": {
        "default": {},
        "tfn+man": TFN_MAN,
        "relevance-l1": RELEVANCE,
        "relevance-l1-l4": {**RELEVANCE, "post_processor": "l4-hinge"},
        "B64": {"nr_splits": 64},
        "B64-relevance-l1": {**RELEVANCE, "nr_splits": 64},
        "3-trees": {"n_trees": 3},
        "B64-3-trees": {"nr_splits": 64, "n_trees": 3},
    },
    "omikuji": {
        "default": {},  # three balanced binary trees
        "1-tree": {"n_trees": 1},
        "bonsai": BONSAI,
        "bonsai-1-tree": {**BONSAI, "n_trees": 1},
    },
    "napkinxc": {
        "default": {},
        "3-trees": {"ensemble": 3},
        # One model per label, with the loss and the cost of the other libraries.
        "one-vs-rest": {"model": "BR", "loss": "l2", "liblinear_c": 1.0},
    },
    "sklearn": {
        "one-vs-rest": {},
    },
}
# With more labels, one-vs-rest of scikit-learn takes hours; it is then fitted on a sample of the
# labels, which gives its time and size but no precision.
MAX_SKLEARN_LABELS = 16_000
# Peers with --seeds turns. The other peers are slow, and omikuji cannot be seeded.
SEEDED = ("skxmr", "pecos")
NAMES = {f"{peer}/{name}": (peer, name) for peer in SETTINGS for name in SETTINGS[peer]}
REFERENCE = "pecos/default"  # its fit time is divided by the fit times of skxmr


class Column(NamedTuple):
    """A column of the table."""

    key: str
    title: str
    is_percentage: bool


COLUMNS = [
    Column("p_at_1", "P@1", True),
    Column("p_at_3", "P@3", True),
    Column("p_at_5", "P@5", True),
    Column("p_mean", "mean", True),
    Column("ndcg_at_5", "nDCG@5", True),
    Column("psp_at_1", "PSP@1", True),
    Column("psp_at_5", "PSP@5", True),
    Column("fit_cpu_s", "fit, CPU s", False),
    Column("batch_cpu_us", "batch, us/row", False),
    Column("n_weights", "weights, 10^6", False),
    Column("model_mb", "model, MB", False),
    Column("fit_peak_mb", "memory, MB", False),
]


def setting_names(text):
    """Parse an argument: names of settings, or of peers for all their settings, with commas."""
    selected = []
    for part in text.split(","):
        matches = [name for name, (peer, _) in NAMES.items() if part in (name, peer)]
        if not matches:
            raise ArgumentTypeError(
                f"must be names from {','.join([*SETTINGS, *NAMES])}, separated by commas; "
                f"got {part!r}"
            )
        selected += matches
    return list(dict.fromkeys(selected))


def parse_arguments(argv=None):
    parser = options.make_parser(__doc__, "quality.json")
    parser.add_argument(
        "--only",
        type=setting_names,
        default=list(NAMES),
        metavar="NAMES",
        help="settings such as pecos/B64, or peers for all their settings, separated by commas "
        f"(default: {','.join(NAMES)})",
    )
    parser.add_argument(
        "--seeds",
        type=options.positive,
        default=1,
        metavar="N",
        help=f"measure {' and '.join(SEEDED)} with the seeds 0 to N - 1 (default: 1)",
    )
    parser.add_argument(
        "--repeat",
        type=options.positive,
        default=1,
        metavar="N",
        help="measure the other peers N times, with seeds 0 to N - 1 if possible (default: 1)",
    )
    return options.parse(parser, argv)


def summarize(turns):
    """Return the means over the turns, and the standard deviations of several turns."""
    means, deviations = {}, {}
    for turn in turns:
        if "p_at_1" in turn:
            turn["p_mean"] = float(np.mean([turn[f"p_at_{k}"] for k in (1, 3, 5)]))
    for key in turns[0]:
        values = [turn[key] for turn in turns]
        means[key] = None if None in values else float(np.mean(values))
        if means[key] is not None and len(turns) > 1:
            deviations[key] = float(np.std(values, ddof=1))
    return means, deviations


def make_table(results):
    """Return a Markdown table with one row per setting."""
    rows = [["", "turns", *(column.title for column in COLUMNS)]]
    for name, result in results.items():
        if "summary" in result:
            cells = [_format_cell(result, column) for column in COLUMNS]
            rows.append([name, str(len(result["turns"])), *cells])
    return report.align_table(rows)


def _format_cell(result, column):
    value = result["summary"].get(column.key)
    if value is None:
        return "-"
    if not column.is_percentage:
        return report.format_number(value / 1e6 if column.key == "n_weights" else value)
    deviation = result["spread"].get(column.key)
    return f"{value:.2f}" + (f" ±{deviation:.2f}" if deviation is not None else "")


def make_lead_table(results):
    """Return a Markdown table: each setting of skxmr minus the best setting of the peers.

    None if there are no results of skxmr or of the peers.
    """
    measured = {name: result for name, result in results.items() if "summary" in result}
    skxmr = {name: result for name, result in measured.items() if result["peer"] == "skxmr"}
    peers = {name: result for name, result in measured.items() if name not in skxmr}
    if not skxmr or not peers:
        return None
    columns = [column for column in COLUMNS if column.is_percentage]
    best = {
        column.key: max(peers, key=lambda name: peers[name]["summary"][column.key])
        for column in columns
    }
    rows = [["lead", *(column.title for column in columns), f"{REFERENCE} / fit"]]
    for name, result in skxmr.items():
        summary = result["summary"]
        cells = [f"{summary[key] - peers[best[key]]['summary'][key]:+.2f}" for key in best]
        reference = peers.get(REFERENCE)
        ratio = reference["summary"]["fit_cpu_s"] / summary["fit_cpu_s"] if reference else None
        rows.append([name, *cells, "-" if ratio is None else report.format_number(ratio)])
    rows.append(["best peer", *best.values(), ""])
    return report.align_table(rows)


def make_setting_notes(results, load):
    """Return the lines below the tables: one per library, and one per failed setting."""
    # The settings of a library have the same versions, so one result per library is enough.
    selected = {}
    for name, result in results.items():
        selected[name if result["status"] == "failed" else result["peer"]] = result
    return report.make_notes(selected, load)


def main():
    args = parse_arguments()
    turns = {"seeds": args.seeds, "repeat": args.repeat}
    environment = {**report.describe_run(1, not args.no_normalize), **turns}
    entries = {}
    for name in args.only:
        peer, setting = NAMES[name]
        n_turns = args.seeds if peer in SEEDED else args.repeat
        entries[name] = Entry(peer, SETTINGS[peer][setting], list(range(n_turns)))
    sizes, results = measure(
        args, entries, propensities=True, threads=1, n_queries=0, max_labels=MAX_SKLEARN_LABELS
    )
    for result in results.values():
        if result["status"] == "measured":
            result["summary"], result["spread"] = summarize(result["turns"])
    report.write_json(args.output, {**environment, "data": sizes, "settings": results})
    print(report.make_heading(environment, sizes, f"seeds {args.seeds}, repeat {args.repeat}"))
    print(f"\n{make_table(results)}\n")
    lead_table = make_lead_table(results)
    if lead_table:
        print(f"{lead_table}\n")
    print("\n".join(make_setting_notes(results, environment["load_average"])))
    return report.get_exit_status(results)


if __name__ == "__main__":
    sys.exit(main())

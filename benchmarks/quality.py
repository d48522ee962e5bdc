"""Compare the precision that settings of skxmr and its peers reach on one data set.

compare.py compares speed at equal settings; this takes each library at its defaults and at the
settings that are known to be better. README.md, beside this file, says what the columns mean.
"""

import sys
from argparse import ArgumentTypeError

import numpy as np
import options
import report
from runner import Entry, measure

# Settings in each library's own names, for what is not its default. A new one is one line.
TFN_MAN = {"negative_sampling_scheme": "tfn+man"}
RELEVANCE = {"rel_mode": "induce", "rel_norm": "l1"}  # of every label of a row: 1
BONSAI = {"cluster_balanced": False, "cluster_k": 100, "max_depth": 3}
SETTINGS = {
    "skxmr": {
        "default": {},
        "fast": {"preset": "fast"},
        "balanced": {"preset": "balanced"},
        "best": {"preset": "best"},
    },
    "pecos": {
        "default": {},
        "tfn+man": TFN_MAN,
        "relevance-l1": RELEVANCE,
        "relevance-l1-l4": {**RELEVANCE, "post_processor": "l4-hinge"},
        "B64": {"nr_splits": 64},
        "B64-relevance-l1": {**RELEVANCE, "nr_splits": 64},
    },
    "omikuji": {
        "default": {},  # three balanced binary trees
        "1-tree": {"n_trees": 1},
        "bonsai": BONSAI,
        "bonsai-1-tree": {**BONSAI, "n_trees": 1},
    },
    "napkinxc": {
        "default": {},
    },
}
SEEDED = ("skxmr", "pecos")  # by --seeds; the others are slow, and omikuji takes no seed
NAMES = {f"{peer}/{name}": (peer, name) for peer in SETTINGS for name in SETTINGS[peer]}
YARDSTICK = "pecos/default"  # whose time of fit is compared with

# Key, title, whether it is a percentage.
COLUMNS = [
    ("p_at_1", "P@1", True),
    ("p_at_3", "P@3", True),
    ("p_at_5", "P@5", True),
    ("p_mean", "mean", True),
    ("psp_at_5", "PSP@5", True),
    ("fit_cpu_s", "fit, CPU s", False),
    ("batch_cpu_us", "batch, us/row", False),
    ("n_weights", "weights, 10^6", False),
    ("model_mb", "model, MB", False),
]


def setting_names(text):
    """Type of an argument: names of settings, or of peers for all of theirs, with commas."""
    chosen = []
    for part in text.split(","):
        found = [name for name, (peer, _) in NAMES.items() if part in (name, peer)]
        if not found:
            raise ArgumentTypeError(
                f"must be names out of {','.join([*SETTINGS, *NAMES])} with commas between; "
                f"got {part!r}"
            )
        chosen += found
    return list(dict.fromkeys(chosen))


def parse_arguments(argv=None):
    parser = options.make_parser(__doc__, "quality.json")
    parser.add_argument(
        "--only",
        type=setting_names,
        default=list(NAMES),
        metavar="NAMES",
        help="settings such as pecos/B64, or peers for all of theirs, with commas between "
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
        help="measure the others N times, with these seeds if they take one (default: 1)",
    )
    return options.parse(parser, argv)


def summarize(turns):
    """Return the means over the turns, and the standard deviations if there are several."""
    means, spread = {}, {}
    for turn in turns:
        turn["p_mean"] = float(np.mean([turn[f"p_at_{k}"] for k in (1, 3, 5)]))
    for key in turns[0]:
        values = [turn[key] for turn in turns]
        means[key] = None if None in values else float(np.mean(values))
        if means[key] is not None and len(turns) > 1:
            spread[key] = float(np.std(values, ddof=1))
    return means, spread


def table(results):
    """Make a Markdown table: a row a setting."""
    rows = [["", "turns", *(title for _, title, _ in COLUMNS)]]
    for name, result in results.items():
        if "summary" in result:
            cells = [_cell(result, key, percent) for key, _, percent in COLUMNS]
            rows.append([name, str(len(result["turns"])), *cells])
    return report.align(rows)


def _cell(result, key, percent):
    value = result["summary"].get(key)
    if value is None:
        return "-"
    if not percent:
        return report.short(value / 1e6 if key == "n_weights" else value)
    spread = result["spread"].get(key)
    return f"{value:.2f}" + (f" ±{spread:.2f}" if spread is not None else "")


def leads(results):
    """Make a Markdown table: how far each setting of skxmr is ahead of the best of the peers.

    None if either is missing.
    """
    measured = {name: result for name, result in results.items() if "summary" in result}
    own = {name: result for name, result in measured.items() if result["peer"] == "skxmr"}
    others = {name: result for name, result in measured.items() if name not in own}
    if not own or not others:
        return None
    percentages = [(key, title) for key, title, percent in COLUMNS if percent]
    best = {
        key: max(others, key=lambda name: others[name]["summary"][key]) for key, _ in percentages
    }
    rows = [["ahead by", *(title for _, title in percentages), f"{YARDSTICK} / fit"]]
    for name, result in own.items():
        summary = result["summary"]
        cells = [f"{summary[key] - others[best[key]]['summary'][key]:+.2f}" for key in best]
        yardstick = others.get(YARDSTICK)
        ratio = yardstick["summary"]["fit_cpu_s"] / summary["fit_cpu_s"] if yardstick else None
        rows.append([name, *cells, "-" if ratio is None else report.short(ratio)])
    rows.append(["of the peers the best", *best.values(), ""])
    return report.align(rows)


def notes(results, load):
    """Return the lines below the tables: each library once, and each setting that failed."""
    lines = {}
    for name, result in results.items():
        lines[name if result["status"] == "failed" else result["peer"]] = result
    return report.notes(lines, load)


def main():
    args = parse_arguments()
    turns = {"seeds": args.seeds, "repeat": args.repeat}
    circumstances = {**report.describe_run(1, not args.no_normalize), **turns}
    entries = {}
    for name in args.only:
        peer, setting = NAMES[name]
        n_turns = args.seeds if peer in SEEDED else args.repeat
        entries[name] = Entry(peer, SETTINGS[peer][setting], list(range(n_turns)))
    sizes, results = measure(args, entries, propensities=True, threads=1, n_queries=0)
    for result in results.values():
        if result["status"] == "measured":
            result["summary"], result["spread"] = summarize(result["turns"])
    report.write(args.output, {**circumstances, "data": sizes, "settings": results})
    print(report.heading(circumstances, sizes, f"seeds {args.seeds}, repeat {args.repeat}"))
    print(f"\n{table(results)}\n")
    ahead = leads(results)
    if ahead:
        print(f"{ahead}\n")
    print("\n".join(notes(results, circumstances["load_average"])))
    return report.exit_status(results)


if __name__ == "__main__":
    sys.exit(main())

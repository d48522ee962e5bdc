"""Compare skxmr with its peers on one data set: time, precision, size and memory.

Every peer is fitted and asked in fresh processes, one after another, in its own interpreter if
need be. A table is printed, and all measurements are written as JSON. README.md, beside this
file, says what the columns mean and how to install the peers.
"""

import argparse
import sys

import options
import report
from peer import SEED, SETTINGS
from peers import PEERS
from runner import Entry, measure

N_QUERIES = 1000


def peer_names(text):
    """Type of an argument: names of peers with commas between."""
    names = text.split(",")
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(
                f"must be names out of {','.join(PEERS)} with commas between; got {name!r}"
            )
    return list(dict.fromkeys(names))


def parse_arguments(argv=None):
    parser = options.make_parser(__doc__, "comparison.json")
    parser.add_argument(
        "--peers",
        type=peer_names,
        default=list(PEERS),
        metavar="NAMES",
        help=f"which to compare, with commas between (default: {','.join(PEERS)})",
    )
    parser.add_argument(
        "--threads",
        type=options.positive,
        default=1,
        metavar="N",
        help="threads of each (default: 1)",
    )
    parser.add_argument(
        "--own-threads",
        type=options.positive,
        metavar="N",
        help="measure skxmr on N threads too, in the same turns",
    )
    parser.add_argument(
        "--repeat",
        type=options.positive,
        default=1,
        metavar="N",
        help="measure all peers N times in turn, the least counts (default: 1)",
    )
    parser.add_argument(
        "--sklearn-labels",
        type=options.positive,
        default=500,
        metavar="N",
        help="fit the scikit-learn baseline on at most N labels, and scale up (default: 500)",
    )
    return options.parse(parser, argv)


def summarize(results):
    """Add the least of all turns to the results, and how many times skxmr's it is."""
    for result in results.values():
        if result["status"] == "measured":
            result["summary"] = report.least(result["turns"])
    own = results.get("skxmr", {}).get("summary")
    for name, result in results.items():
        if own and name != "skxmr" and "summary" in result:
            result["ratios"] = report.ratios(result["summary"], own)


def main():
    args = parse_arguments()
    circumstances = {
        **report.describe_run(args.threads, not args.no_normalize),
        "repeat": args.repeat,
        "settings": SETTINGS,
    }
    entries = {
        name: Entry(name, PEERS[name].equal_settings, [SEED] * args.repeat) for name in args.peers
    }
    if args.own_threads:
        name = f"skxmr, {args.own_threads} threads"
        settings = PEERS["skxmr"].equal_settings
        entries[name] = Entry("skxmr", settings, [SEED] * args.repeat, args.own_threads)
    sizes, results = measure(
        args,
        entries,
        threads=args.threads,
        n_queries=N_QUERIES,
        max_labels=args.sklearn_labels,
    )
    summarize(results)
    report.write(args.output, {**circumstances, "data": sizes, "peers": results})
    print(report.heading(circumstances, sizes, f"repeat {args.repeat}"))
    print(f"\n{report.table(results)}\n")
    if any("ratios" in result for result in results.values()):
        print("In brackets: how many times skxmr's.")
    print("\n".join(report.notes(results, circumstances["load_average"])))
    return report.exit_status(results)


if __name__ == "__main__":
    sys.exit(main())

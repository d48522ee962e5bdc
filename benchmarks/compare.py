"""Compare skxmr with its peers on one data set: time, precision, size and memory.

Each peer is fitted and queried in new processes, one after the other, with its own interpreter if
necessary. The script prints a table and writes all measurements as JSON. See README.md in this
folder for the columns and the installation of the peers.
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
    """Parse an argument: names of peers, separated by commas."""
    names = text.split(",")
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(
                f"must be names from {','.join(PEERS)}, separated by commas; got {name!r}"
            )
    return list(dict.fromkeys(names))


def parse_arguments(argv=None):
    parser = options.make_parser(__doc__, "comparison.json")
    parser.add_argument(
        "--peers",
        type=peer_names,
        default=list(PEERS),
        metavar="NAMES",
        help=f"peers to compare, separated by commas (default: {','.join(PEERS)})",
    )
    parser.add_argument(
        "--threads",
        type=options.positive,
        default=1,
        metavar="N",
        help="number of threads of each peer (default: 1)",
    )
    parser.add_argument(
        "--own-threads",
        type=options.positive,
        metavar="N",
        help="also measure skxmr with N threads, in the same turns",
    )
    parser.add_argument(
        "--repeat",
        type=options.positive,
        default=1,
        metavar="N",
        help="number of turns of all peers; the minimum is reported (default: 1)",
    )
    parser.add_argument(
        "--sklearn-labels",
        type=options.positive,
        default=500,
        metavar="N",
        help="maximum number of labels of the scikit-learn baseline, scaled up (default: 500)",
    )
    return options.parse(parser, argv)


def summarize(results):
    """Add the minima of all turns to the results, and their ratios to those of skxmr."""
    for result in results.values():
        if result["status"] == "measured":
            result["summary"] = report.take_minima(result["turns"])
    reference = results.get("skxmr", {}).get("summary")
    for name, result in results.items():
        if reference and name != "skxmr" and "summary" in result:
            result["ratios"] = report.compute_ratios(result["summary"], reference)


def main():
    args = parse_arguments()
    environment = {
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
    report.write_json(args.output, {**environment, "data": sizes, "peers": results})
    print(report.make_heading(environment, sizes, f"repeat {args.repeat}"))
    print(f"\n{report.make_table(results)}\n")
    if any("ratios" in result for result in results.values()):
        print("In brackets: ratio to the value of skxmr.")
    print("\n".join(report.make_notes(results, environment["load_average"])))
    return report.get_exit_status(results)


if __name__ == "__main__":
    sys.exit(main())

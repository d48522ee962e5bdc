"""Print a table that compares the results of compare.py with targets.

Pass the JSON file of each data set, measured with --own-threads 2 and at least
--peers skxmr,pecos.
"""

import argparse
import json
from typing import NamedTuple


class Target(NamedTuple):
    """A figure with its minimum target and its goal."""

    figure: str
    floor: float
    aim: float
    is_higher_better: bool


TARGETS = [
    Target("fit, libpecos / skxmr", 6, 12, True),
    Target("batch, libpecos / skxmr", 4, 8, True),
    Target("one row p50, libpecos / skxmr", 4, 10, True),
    Target("fit, one thread / two, wall", 1.7, 1.95, True),
    Target("batch, one thread / two, wall", 1.7, 1.95, True),
    Target("peak memory, skxmr / libpecos", 1, 0.6, False),
    Target("pickle of skxmr / files of libpecos", 1, 0.5, False),
]

REQUIRED = ("skxmr", "pecos", "skxmr, 2 threads")


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def compute_figures(measured):
    """Return the figures of one data set, in the order of `TARGETS`."""
    skxmr, pecos, two_threads = (measured["peers"][name]["summary"] for name in REQUIRED)
    return [
        pecos["fit_cpu_s"] / skxmr["fit_cpu_s"],
        pecos["batch_cpu_us"] / skxmr["batch_cpu_us"],
        pecos["single_p50_us"] / skxmr["single_p50_us"],
        skxmr["fit_wall_s"] / two_threads["fit_wall_s"],
        skxmr["batch_wall_us"] / two_threads["batch_wall_us"],
        skxmr["fit_peak_mb"] / pecos["fit_peak_mb"],
        skxmr["model_mb"] / pecos["model_mb"],
    ]


def format_cell(value, target):
    """Return a figure as text: bold if it reaches the aim, with (!) if it misses the floor."""
    text = f"{value:.2f}" if value < 10 else f"{value:.1f}"
    if (value >= target.aim) if target.is_higher_better else (value <= target.aim):
        return f"**{text}**"
    meets_floor = value >= target.floor if target.is_higher_better else value <= target.floor
    return text if meets_floor else f"{text} (!)"


def format_precision(summary):
    return " ".join(f"{summary[f'p_at_{k}']:.2f}" for k in (1, 3, 5))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("files", nargs="+", metavar="JSON", help="output of compare.py")
    paths = parser.parse_args().files
    runs = [read(path) for path in paths]
    for run, path in zip(runs, paths, strict=True):
        missing = [name for name in REQUIRED if "summary" not in run["peers"].get(name, {})]
        if missing or run["threads"] != 1:
            parser.error(
                f"{path} must contain measurements of {'; '.join(REQUIRED)}, "
                f"the first two with one thread; got {'; '.join(run['peers'])} with "
                f"{run['threads']} threads"
            )
    names = [run["data"]["name"] for run in runs]
    print("| figure | floor | aim | " + " | ".join(names) + " |")
    print("|---|--:|--:|" + "--:|" * len(runs))
    columns = [compute_figures(run) for run in runs]
    for target, *values in zip(TARGETS, *columns, strict=True):
        cells = [format_cell(value, target) for value in values]
        print(f"| {target.figure} | {target.floor} | {target.aim} | " + " | ".join(cells) + " |")
    for name in ("skxmr", "pecos"):
        cells = [format_precision(run["peers"][name]["summary"]) for run in runs]
        print(f"| P@1 3 5, {name} | | | " + " | ".join(cells) + " |")
    print("\nBold: the aim is reached. (!): the floor is not reached.")


if __name__ == "__main__":
    main()

"""Make the table of targets from what compare.py has measured.

Give the file of each data set, measured with --own-threads 2 and --peers skxmr,pecos at least.
"""

import argparse
import json

# Figure, its floor, its aim, whether more is better.
TARGETS = [
    ("fit, libpecos / skxmr", 6, 12, True),
    ("batch, libpecos / skxmr", 4, 8, True),
    ("one row p50, libpecos / skxmr", 4, 10, True),
    ("fit, one thread / two, wall", 1.7, 1.95, True),
    ("batch, one thread / two, wall", 1.7, 1.95, True),
    ("peak memory, skxmr / libpecos", 1, 0.6, False),
    ("saved model, skxmr / libpecos", 1, 0.5, False),
]

NEEDED = ("skxmr", "pecos", "skxmr, 2 threads")


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def figures(measured):
    """Return the ratios of the table for one data set, in its order."""
    own, peer, pair = (measured["peers"][name]["summary"] for name in NEEDED)
    return [
        peer["fit_cpu_s"] / own["fit_cpu_s"],
        peer["batch_cpu_us"] / own["batch_cpu_us"],
        peer["single_p50_us"] / own["single_p50_us"],
        own["fit_wall_s"] / pair["fit_wall_s"],
        own["batch_wall_us"] / pair["batch_wall_us"],
        own["fit_peak_mb"] / peer["fit_peak_mb"],
        own["model_mb"] / peer["model_mb"],
    ]


def cell(value, floor, aim, rising):
    """Write a figure: bold where it meets the aim, with a mark where it misses the floor."""
    text = f"{value:.2f}" if value < 10 else f"{value:.1f}"
    if (value >= aim) if rising else (value <= aim):
        return f"**{text}**"
    met = (value >= floor) if rising else (value <= floor)
    return text if met else f"{text} (!)"


def precision(summary):
    return " ".join(f"{summary[f'p_at_{k}']:.2f}" for k in (1, 3, 5))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("files", nargs="+", metavar="JSON", help="what compare.py has written")
    paths = parser.parse_args().files
    runs = [read(path) for path in paths]
    for run, path in zip(runs, paths, strict=True):
        missing = [name for name in NEEDED if "summary" not in run["peers"].get(name, {})]
        if missing or run["threads"] != 1:
            parser.error(
                f"{path} must hold {'; '.join(NEEDED)}, all measured, the first two on one thread; "
                f"got {'; '.join(run['peers'])}, on {run['threads']}"
            )
    names = [run["data"]["name"] for run in runs]
    print("| figure | floor | aim | " + " | ".join(names) + " |")
    print("|---|--:|--:|" + "--:|" * len(runs))
    columns = [figures(run) for run in runs]
    for target, *values in zip(TARGETS, *columns, strict=True):
        cells = [cell(value, *target[1:]) for value in values]
        print(f"| {target[0]} | {target[1]} | {target[2]} | " + " | ".join(cells) + " |")
    for name in ("skxmr", "pecos"):
        cells = [precision(run["peers"][name]["summary"]) for run in runs]
        print(f"| P@1 3 5, {name} | | | " + " | ".join(cells) + " |")
    print("\nBold: the aim is met; (!): the floor is not.")


if __name__ == "__main__":
    main()

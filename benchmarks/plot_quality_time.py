"""Plot precision against training time and prediction time, one row of panels per data set.

With files that quality.py wrote, the figures of the plot are first collected from them into
results/quality_time.json. Without files, the collected figures are drawn again.
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import report
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "quality_time.json"
PICTURE = HERE.parent / "doc" / "pictures" / "quality_time.svg"

KEPT = ("p_at_1", "p_at_3", "p_at_5", "fit_cpu_s", "batch_cpu_us")
X_AXES = {
    "fit_cpu_s": "training time, CPU seconds",
    "batch_cpu_us": "prediction time, CPU microseconds per row",
}
TITLES = {
    "wordnet-hypernyms": "WordNet: definitions to hypernyms",
    "debian-deps-bysource": "Debian: package descriptions to dependencies",
    "yso-titles-sv": "Finna: Swedish titles to subjects",
}
# Name, color and marker of each library. Color-blind readers can tell the colors apart, and the
# colors are dark enough for text on white.
LIBRARIES = {
    "skxmr": ("skxmr", "#0067A5", "o"),
    "pecos": ("PECOS", "#C24A00", "s"),
    "omikuji": ("omikuji", "#00795A", "^"),
    "napkinxc": ("napkinXC", "#9B3D77", "D"),
}
# Labels of settings whose names in quality.py are too short or too long for a plot.
LABELS = {
    "skxmr/fast": "fast",  # a line joins these to the point that has the name of the library
    "skxmr/default": "default",
    "skxmr/balanced": "balanced",
    "pecos/relevance-l1-l4": "PECOS, relevance",
    "omikuji/default": "omikuji, 3 trees",
    "omikuji/1-tree": "omikuji, 1 tree",
    "omikuji/bonsai": "omikuji, 3 Bonsai trees",
    "omikuji/bonsai-1-tree": "omikuji, 1 Bonsai tree",
    "napkinxc/default": "napkinXC",
}
# Offset in points and alignment of a label, in order of preference.
PLACES = [
    (8, 0, "left", "center"),
    (-8, 0, "right", "center"),
    (0, 7, "center", "bottom"),
    (0, -7, "center", "top"),
    (5, 5, "left", "bottom"),
    (5, -5, "left", "top"),
    (-5, 5, "right", "bottom"),
    (-5, -5, "right", "top"),
    (0, 17, "center", "bottom"),
    (0, -17, "center", "top"),
    (-8, 11, "right", "center"),
    (-8, -11, "right", "center"),
    (8, 11, "left", "center"),
    (8, -11, "left", "center"),
]
MARKER = 9  # pixels around the center of a point that a label must not cover
GRAY = "#595959"
STYLE = {
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.edgecolor": GRAY,
    "axes.labelcolor": GRAY,
    "xtick.color": GRAY,
    "ytick.color": GRAY,
    "text.color": "#1F1F1F",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],  # two fonts of equal widths
    "svg.fonttype": "none",  # text, not outlines: a third of the size
    "svg.hashsalt": "skxmr",  # the same SVG each time
}


def collect(paths):
    """Return the runs that the files of quality.py describe, with the figures that are drawn."""
    runs = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            measured = json.load(file)
        results = {
            name: result for name, result in measured["settings"].items() if "summary" in result
        }
        names = ",".join(results)
        turns = f"--seeds {measured['seeds']} --repeat {measured['repeat']}"
        circumstances = ("date", "load_average", "threads", "seeds", "repeat", "data")
        run = {key: measured[key] for key in circumstances}
        run["machine"] = {key: measured["machine"][key] for key in ("cpu", "cores")}
        run["command"] = (
            f"python benchmarks/quality.py --data {run['data']['name']} --only {names} {turns}"
        )
        run["versions"] = {result["peer"]: result["versions"] for result in results.values()}
        run["settings"] = {
            name: {
                "peer": result["peer"],
                "settings": result["settings"],
                "turns": len(result["turns"]),
                "mean": {key: result["summary"][key] for key in KEPT},
                "standard_deviation": {key: result["spread"].get(key) for key in KEPT},
            }
            for name, result in results.items()
        }
        runs.append(run)
    return runs


def draw(runs, k):
    """Return a figure with a row of panels per run: precision at k against two times."""
    size = 8.33, 0.7 + 2.7 * len(runs)  # 800 pixels wide
    fig, axes = plt.subplots(len(runs), 2, figsize=size, sharey="row", squeeze=False)
    fig.suptitle(f"Precision at {k} on test rows against time, one thread", x=0.01, ha="left")
    fig.text(0.01, 0.1 / size[1], notes(runs), color=GRAY, va="bottom")
    for row, run in zip(axes, runs, strict=True):
        data = run["data"]
        title = f"{TITLES.get(data['name'], data['name'])} ({data['n_labels']:,} labels)"
        row[0].set_title(title, loc="left", weight="bold")
        row[0].set_ylabel(f"P@{k}, %")
        for ax, x_key in zip(row, X_AXES, strict=True):
            draw_points(ax, run["settings"], x_key, f"p_at_{k}")
    fig.tight_layout(rect=(0, 0.3 / size[1], 1, 1))
    for row, run in zip(axes, runs, strict=True):
        for ax, x_key in zip(row, X_AXES, strict=True):
            draw_labels(ax, run["settings"], x_key, f"p_at_{k}")
    return fig


def notes(runs):
    """Return the versions of the libraries, the date and the number of fits in a line."""
    versions = {}
    for run in runs:
        for peer, packages in run["versions"].items():
            package = list(packages)[1]  # the first is Python
            versions[f"{LIBRARIES[peer][0]} {packages[package]}"] = None
    date = max(run["date"] for run in runs)[:10]
    n_fits = [result["turns"] for run in runs for result in run["settings"].values()]
    fits = "One fit each"
    if max(n_fits) > 1:
        fits = f"Bars: standard deviation of {max(n_fits)} fits"
    return f"{', '.join(versions)}; {date}. {fits}."


def draw_points(ax, settings, x_key, y_key):
    """Draw a point per setting, and a line through the presets of skxmr."""
    for result in settings.values():
        _, color, marker = LIBRARIES[result["peer"]]
        ax.errorbar(
            result["mean"][x_key],
            result["mean"][y_key],
            result["standard_deviation"][y_key],
            color=color,
            marker=marker,
            markersize=8,
            markeredgecolor="white",
            markeredgewidth=0.8,
            elinewidth=1,
            zorder=3,
        )
    line = sorted(
        (result["mean"][x_key], result["mean"][y_key])
        for result in settings.values()
        if result["peer"] == "skxmr"
    )
    ax.plot(*zip(*line, strict=True), color=LIBRARIES["skxmr"][1], linewidth=1, alpha=0.6)
    ax.set(xlabel=X_AXES[x_key], xscale="log")
    ax.margins(x=0.2, y=0.22)
    first, last = ax.get_xlim()
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if last < 100 * first else (1, 3)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5)))
    ax.grid(color="#E8E8E8")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(which="both", length=0)
    ax.annotate("↖ better", (0, 1), (5, 0), "axes fraction", "offset points", color=GRAY, va="top")


def draw_labels(ax, settings, x_key, y_key):
    """Write the name of each setting where it covers the least of what is already drawn."""
    to_pixels = ax.transData.transform
    lines = [to_pixels(line.get_xydata()) for line in ax.lines if len(line.get_xdata()) > 1]
    lines += [to_pixels(bar) for bars in ax.collections for bar in bars.get_segments()]
    drawn = [text.get_window_extent() for text in ax.texts]
    drawn += [box for corners in lines for box in boxes_along(corners)]
    labels = []
    for name, result in settings.items():
        library, color, _ = LIBRARIES[result["peer"]]
        text = LABELS.get(name, f"{library}, {name.partition('/')[2]}")
        point = result["mean"][x_key], result["mean"][y_key]
        label = ax.annotate(text, point, (0, 0), textcoords="offset points", color=color)
        if result["peer"] == "skxmr":
            label.set_weight("bold")
        labels.append(label)
        drawn.append(Bbox([to_pixels(point) - MARKER, to_pixels(point) + MARKER]))
    boxes = {}
    for _ in range(3):  # later passes know where all other labels are
        for label in labels:
            others = drawn + [box for other, box in boxes.items() if other is not label]
            put(label, min(PLACES, key=lambda place: covered(put(label, place), others, ax.bbox)))
            boxes[label] = label.get_window_extent()


def boxes_along(corners, n_boxes=50):
    """Cover each part of a line with small boxes."""
    for start, end in pairwise(corners):
        for point in start + np.linspace(0, 1, n_boxes)[:, None] * (end - start):
            yield Bbox([point - 1, point + 1])


def put(label, place):
    """Move a label, and return its box."""
    *offset, horizontal, vertical = place
    label.set(position=offset, horizontalalignment=horizontal, verticalalignment=vertical)
    return label.get_window_extent()


def covered(box, others, frame):
    """Return the area of a box that is in other boxes or out of the frame."""
    outside = area(box) - area(Bbox.intersection(box, frame))
    return 10 * outside + sum(area(Bbox.intersection(box, other)) for other in others)


def area(box):
    return 0 if box is None else box.width * box.height


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("files", nargs="*", metavar="JSON", help="files that quality.py wrote")
    parser.add_argument("--k", type=int, choices=(1, 3, 5), default=1, help="(default: 1)")
    parser.add_argument("--data", metavar="NAME", help="data set to draw (default: all)")
    parser.add_argument(
        "--results",
        default=RESULTS,
        metavar="FILE",
        help=f"file of the collected figures (default: {RESULTS.name} in {RESULTS.parent.name})",
    )
    parser.add_argument(
        "--output",
        default=PICTURE,
        metavar="FILE",
        help=f"picture, its suffix names the format (default: {PICTURE.name} in doc/pictures)",
    )
    args = parser.parse_args()
    if args.files:
        report.write_json(args.results, {"runs": collect(args.files)})
    with open(args.results, encoding="utf-8") as file:
        runs = json.load(file)["runs"]
    if args.data:
        runs = [run for run in runs if run["data"]["name"] == args.data]
    with mpl.rc_context(STYLE):
        figure = draw(runs, args.k)
        metadata = {"Date": None} if Path(args.output).suffix == ".svg" else {}
        figure.savefig(args.output, dpi=96, facecolor="white", metadata=metadata)


if __name__ == "__main__":
    main()

"""Draw the pictures of the guide as SVG beside this file: ``python doc/pictures/draw.py``.

Names as arguments draw these only: ``python doc/pictures/draw.py beam lanes``.

The figures of ``settings.svg`` are read from the tables of ``doc/benchmarks/quality.md``, those of
``transformer.svg`` from ``doc/guide/transformer.md``, those of ``scale.svg`` from
``doc/benchmarks/scale.md``.
"""

import re
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#999999"
TITLES = {
    "wordnet-hypernyms": "WordNet, 19,000 labels",
    "debian-deps-bysource": "Debian, 37,000 labels",
    "yso-titles-sv": "Swedish titles, 16,000 labels",
}
STYLES = {
    "skxmr": (BLUE, "o"),
    "pecos": (ORANGE, "s"),
    "omikuji": (GREEN, "^"),
    "napkinxc": (PINK, "D"),
}


def save(fig, name):
    """Write a picture that is the same each time."""
    fig.savefig(HERE / name, metadata={"Date": None}, facecolor="white")
    plt.close(fig)


def draw_settings():
    """Mean precision against time of the fit: each setting of each library, by data set."""
    page = (HERE.parent / "benchmarks" / "quality.md").read_text()
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.9), layout="constrained")
    for ax, (name, title) in zip(axes, TITLES.items(), strict=True):
        table = page.partition(f"## {name}\n")[2].partition("\n## ")[0]
        for line in re.findall(r"^\| (\w+/.*) \|$", table, re.MULTILINE):
            setting, _, _, _, _, mean, _, _, _, seconds, *_ = [
                cell.strip() for cell in line.split("|")
            ]
            library, _, setting = setting.partition("/")
            if library not in STYLES or setting in ("beam-30", "tfn+random"):
                continue  # one-vs-rest takes hundreds of times as long; others are near "default"
            color, marker = STYLES[library]
            place = float(seconds), float(mean.split()[0])
            ax.scatter(*place, color=color, marker=marker, s=45, zorder=3)
            if library == "skxmr":
                offset, side = {
                    "fast": ((0, -14), "center"),
                    "balanced": ((-6, 5), "right"),
                }.get(setting, ((6, 5), "left"))
                ax.annotate(
                    setting, place, xytext=offset, textcoords="offset points", color=color, ha=side
                )
        ax.set(title=title, xscale="log", xlabel="CPU seconds of the fit")
        ax.margins(x=0.2, y=0.15)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("mean of P@1, P@3, P@5, %")
    for library, (color, marker) in STYLES.items():
        axes[0].scatter([], [], color=color, marker=marker, label=library)
    axes[0].legend(loc="lower right", fontsize=8)
    save(fig, "settings.svg")


def draw_transformer():
    """Precision against time of the fit: without an encoder, with a frozen and a trained one."""
    page = (HERE.parent / "guide" / "transformer.md").read_text()
    tables = re.findall(r"^\| \| P@1 .*\n\|[-:|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    titles = "WordNet, 20,000 rows to train", "Debian, 10,000 rows to train"
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.9), layout="constrained")
    for ax, table, title in zip(axes, tables, titles, strict=True):
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        chosen = [row for row in rows if not re.search("alone|mean", row[0])]
        seconds = [float(row[7]) for row in chosen]
        looks = [(BLUE, "o"), (ORANGE, "s"), (GREEN, "^")]
        for column, (k, (color, marker)) in enumerate(zip((1, 3, 5), looks, strict=True), start=1):
            values = [float(row[column]) for row in chosen]
            ax.plot(seconds, values, color=color, marker=marker, label=f"P@{k}")
        for name, x, row in zip(["TF-IDF", "frozen", "fine-tuned"], seconds, chosen, strict=True):
            ax.annotate(
                name, (x, float(row[1])), xytext=(0, 7), textcoords="offset points", ha="center"
            )
        ax.set(title=title, xscale="log", xlabel="CPU seconds of the fit")
        ax.margins(x=0.15, y=0.15)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("precision on test rows, %")
    axes[1].legend(loc="center right", fontsize=8)
    save(fig, "transformer.svg")


def read_table(page, title):
    """Return the rows of the first table that has a column of that title, as dicts of text."""
    tables = re.findall(r"^((?:\|.*\n){3,})", page, re.MULTILINE)
    for table in tables:
        lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        if title in lines[0]:
            return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]
    raise ValueError(f"no table with a column {title!r}")


def draw_scale():
    """Time, memory and model size of a fit against the number of labels."""
    rows = read_table((HERE.parent / "benchmarks" / "scale.md").read_text(), "fit, wall s")
    for row in rows:
        row["x"] = int(row["labels"].replace(",", ""))
    usual = rows[0]["labels per row"]
    panels = [
        ("fit, wall s", "fit, seconds by the clock"),
        ("memory, GB", "largest memory of the fit, GB"),
        ("model, GB", "saved model, GB"),
    ]
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.9), layout="constrained")
    for ax, (column, title) in zip(axes, panels, strict=True):
        for line in dict.fromkeys(row["line"] for row in rows):
            color, marker = STYLES[line.partition("-")[0]]
            own = [row for row in rows if row["line"] == line]
            whole = [row for row in own if re.match(r"\d", row[column])]
            places = [(row["x"], float(row[column])) for row in whole]
            # Another number of labels a row is another problem: beside the line, not of it.
            same = [row["labels per row"] == usual for row in whole]
            for i in range(1, len(whole)):
                style = "--" if not (same[i - 1] and same[i]) else ":" if "-" in line else "-"
                ax.plot(*zip(*places[i - 1 : i + 1], strict=True), color=color, ls=style, lw=1.5)
            for place, is_same in zip(places, same, strict=True):
                face = color if is_same else "white"
                ax.scatter(*place, s=42, marker=marker, facecolor=face, edgecolor=color, zorder=3)
            for row in own:
                if row[column].startswith(">"):
                    place = row["x"], float(row[column][1:])
                    ax.scatter(*place, s=42, marker="x", color=color, zorder=3)
                    ax.annotate(
                        "stopped",
                        place,
                        xytext=(0, -14),
                        textcoords="offset points",
                        color=color,
                        ha="center",
                    )
            if line == rows[0]["line"]:
                x, y = [place for place, is_same in zip(places, same, strict=True) if is_same][-1]
                ends = [rows[0]["x"], rows[-1]["x"]]
                ax.plot(ends, [y * end / x for end in ends], color=GREY, lw=1, ls=":", zorder=0)
        ax.set(title=title, xscale="log", yscale="log", xlabel="labels")
        ax.xaxis.set_major_formatter("{x:,.0f}")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.margins(0.1, 0.12)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    for line in dict.fromkeys(row["line"] for row in rows):
        color, marker = STYLES[line.partition("-")[0]]
        axes[0].plot([], [], color=color, marker=marker, ls=":" if "-" in line else "-", label=line)
    axes[0].plot([], [], color=GREY, lw=1, ls=":", label="in proportion to labels")
    others = dict.fromkeys(row["labels per row"] for row in rows if row["labels per row"] != usual)
    for number in others:
        label = f"{float(number):.0f} labels a row, not {float(usual):.1f}"
        axes[0].scatter([], [], s=42, facecolor="white", edgecolor="0.3", label=label)
    axes[0].legend(fontsize=8)
    save(fig, "scale.svg")


def draw_tree(scores, kept, labels, notes, name):
    """Draw a tree of nine leaf clusters; the clusters of `kept` are blue.

    `scores` are the scores of the nodes of the two lower levels that are scored, `labels` the
    labels of each kept leaf cluster, and `notes` pairs of a height and a text.
    """
    fig, ax = plt.subplots(figsize=(9, 4.2), layout="constrained")
    places = [{0: 4.0}, {i: 1 + 3 * i for i in range(3)}, {i: float(i) for i in range(9)}]
    for level in (1, 2):
        for node, x in places[level].items():
            parent = node // 3 if level == 2 else 0
            is_kept = node in kept[level]
            color = BLUE if is_kept else "0.75"
            above = places[level - 1][parent]
            ax.plot(
                [above, x], [1 - level, -level], color=color, lw=2.5 if is_kept else 1, zorder=1
            )
    for level, nodes in enumerate(places):
        for node, x in nodes.items():
            is_kept = node in kept[level]
            is_scored = level == 0 or node in scores[level - 1]
            face = BLUE if is_kept else ("white" if is_scored else "0.9")
            edge = BLUE if is_scored else "0.75"
            ax.scatter(x, -level, s=620, color=face, edgecolor=edge, zorder=2)
            if level and is_scored:
                text = f"{scores[level - 1][node]:.1f}"
                color = "white" if is_kept else BLUE
                ax.text(x, -level, text, ha="center", va="center", color=color, fontsize=9)
    for leaf, values in labels.items():
        for i, value in enumerate(values):
            x = leaf + (0.24 if len(values) > 3 else 0.32) * (i - (len(values) - 1) / 2)
            ax.plot([leaf, x], [-2, -2.75], color=GREEN, lw=1, zorder=1)
            ax.scatter(x, -2.75, s=60, marker="s", color=GREEN, zorder=2)
            if value is not None:
                ax.text(x, -3, f"{value:.2f}"[1:], ha="center", va="center", fontsize=8)
    for y, text in notes:
        ax.text(9, y, text, va="center", color="0.3", fontsize=9.5)
    ax.set(xlim=(-0.6, 13.2), ylim=(-3.15, 0.35))
    ax.axis("off")
    save(fig, name)


def draw_beam():
    """A tree in which a beam of two is kept on each level."""
    scores = [
        {0: 0.7, 1: 0.2, 2: 0.6},
        {0: 0.1, 1: 0.6, 2: 0.3, 6: 0.5, 7: 0.2, 8: 0.1},
    ]
    notes = [
        (0, "root"),
        (-1, "keep the two best"),
        (-2, "score the children of these only"),
        (-2.75, "rank the labels of the leaves that are left"),
    ]
    labels = {1: [None] * 4, 6: [None] * 4}
    draw_tree(scores, [{0}, {0, 2}, {1, 6}], labels, notes, "beam.svg")


def draw_exact():
    """A tree in which clusters with at least the score of the second best label are visited."""
    scores = [
        {0: 0.9, 1: 0.3, 2: 0.6},
        {0: 0.8, 1: 0.5, 2: 0.2, 6: 0.5, 7: 0.4, 8: 0.1},
    ]
    notes = [
        (0, "root"),
        (-1, "0.3 is less than 0.45:\nnothing below can be among the two best"),
        (-2, "0.4 is less than 0.45, too"),
        (-2.75, "the two best labels: 0.70 and 0.45"),
    ]
    labels = {0: [0.70, 0.45, 0.10], 1: [0.41, 0.20, 0.05], 6: [0.30, 0.12, 0.02]}
    draw_tree(scores, [{0}, {0, 2}, {0, 1, 6}], labels, notes, "exact.svg")


def draw_lanes():
    """What an entry of a row meets: one weight, or a cache line of sixteen."""
    fig, (left, right) = plt.subplots(
        1, 2, figsize=(9, 3.7), width_ratios=[1, 1.9], layout="constrained"
    )
    features = [2, 5, 6]
    for ax, lanes, title in [(left, 1, "a label at a time"), (right, 16, "sixteen at once")]:
        for feature in range(9):
            used = feature in features
            for lane in range(lanes):
                ax.add_patch(
                    plt.Rectangle(
                        (lane, -feature),
                        0.92,
                        0.86,
                        facecolor=BLUE if used else "0.9",
                        alpha=1 if lane == 0 or not used else 0.75,
                    )
                )
            if used:
                ax.annotate(
                    "",
                    (-0.15, 0.43 - feature),
                    (-1.7, 0.43 - feature),
                    arrowprops={"arrowstyle": "-|>", "color": ORANGE, "lw": 1.8},
                )
        ax.text(-1.8, -3.6, "entries of a row", rotation=90, ha="right", va="center", color=ORANGE)
        ax.text(lanes / 2, 1.3, "label" if lanes == 1 else "labels", ha="center", color="0.3")
        ax.text(lanes + 0.3, -3.6, "features", rotation=90, va="center", color="0.3")
        ax.set(xlim=(-3.2, lanes + 1.4), ylim=(-8.3, 2), title=title, aspect="equal")
        ax.axis("off")
    save(fig, "lanes.svg")


if __name__ == "__main__":
    mpl.use("Agg")
    # Text as text, and ids that do not change from run to run.
    mpl.rcParams.update({"svg.hashsalt": "skxmr", "font.size": 10})
    pictures = {
        "settings": draw_settings,
        "transformer": draw_transformer,
        "beam": draw_beam,
        "exact": draw_exact,
        "lanes": draw_lanes,
        "scale": draw_scale,
    }
    unknown = set(sys.argv[1:]) - set(pictures)
    if unknown:
        sys.exit(f"draw.py: pictures are {', '.join(pictures)}; got {', '.join(sorted(unknown))}")
    for name in sys.argv[1:] or pictures:
        pictures[name]()

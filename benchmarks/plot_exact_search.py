"""Plot the number of leaf clusters that exact search must score.

A leaf cluster must be scored if its score is at least that of the k-th label. With folders of data,
the numbers are measured first, on these data and on generated data with increasing numbers of
labels, and written to results/exact_search.json. Without folders, the results are drawn again.

    python benchmarks/plot_exact_search.py [DIR ...]
"""

import argparse
import json
from pathlib import Path

import data
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from plot_quality_time import TITLES

from skxmr import XRLinearClassifier
from skxmr._core.rows import as_rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "exact_search.json"
PICTURE = HERE.parent / "doc" / "pictures" / "opened.svg"

RANKS = (1, 2, 5, 10, 20)
N_ROWS = 2000  # test rows that are searched
# Numbers of training rows, features and labels of the generated data.
SIZES = [
    (10_000, 20_000, 5_000),
    (40_000, 60_000, 20_000),
    (100_000, 60_000, 50_000),
    (200_000, 100_000, 200_000),
    (490_000, 136_000, 670_000),
]
COLORS = ["#0067A5", "#C24A00", "#00795A", "#9B3D77", "#555555"]


def count_clusters(matrices):
    """Fit a classifier, and return the numbers of clusters to be scored, one row per rank."""
    X_train, Y_train, X_test, _ = data.prepare(matrices, normalized=True)
    model = XRLinearClassifier(random_state=0).fit(X_train, Y_train)
    tree, params = model._model, model._score_params()
    *cluster_transforms, _ = tree.score_rule(params).transforms
    rows = as_rows(X_test[:N_ROWS], length=model._row_length)
    counts = np.zeros((len(RANKS), rows.n_rows), dtype=int)
    for start in range(0, rows.n_rows, 100):
        block = rows.block(start, min(start + 100, rows.n_rows))
        clusters = tree.matcher.match(block, None, cluster_transforms)
        row_of = np.repeat(np.arange(block.n_rows), np.diff(clusters.indptr))
        for at, k in enumerate(RANKS):
            ranking = tree.rank(block, None, params, k, best_first=True)
            worst = ranking.scores[ranking.indptr[1:] - 1]
            needed = row_of[clusters.scores >= worst[row_of]]
            counts[at, start : start + block.n_rows] = np.bincount(needed, minlength=block.n_rows)
    return {
        "n_labels": int(Y_train.shape[1]),
        "n_clusters": int(tree.hierarchy.level_sizes[-2]),
        "k": list(RANKS),
        "mean": np.round(counts.mean(axis=1), 2).tolist(),
        "p99": np.round(np.quantile(counts, 0.99, axis=1), 1).tolist(),
    }


def measure(folders):
    """Measure data from folders, then generated data, and write the results."""
    results = {"folders": {}, "generated": []}
    for folder in folders:
        results["folders"][Path(folder).name] = count_clusters(data.read(folder))
        print(results["folders"][Path(folder).name], flush=True)
    for n_train, n_features, n_labels in SIZES:
        matrices = data.generate(n_train, N_ROWS, n_features, n_labels)
        results["generated"].append(count_clusters(matrices))
        print(results["generated"][-1], flush=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def draw(results):
    """Draw the picture: against k by data set, and against the number of labels by k."""
    mpl.rcParams["svg.hashsalt"] = "skxmr"
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", sharey=True)
    for (name, found), color in zip(results["folders"].items(), COLORS, strict=False):
        title = TITLES.get(name, name).partition(":")[0]
        left.plot(found["k"], found["mean"], "o-", color=color)
        left.annotate(
            f"{title} ({found['n_clusters']})",
            (found["k"][-1], found["mean"][-1]),
            xytext=(6, -8 if name == "wordnet-hypernyms" else 0),
            textcoords="offset points",
            color=color,
        )
    left.set(xlabel="k", ylabel="leaf clusters scored per row", yscale="log", xscale="log")
    left.set_title("three data sets (clusters in all)", fontsize=10)
    left.set_xlim(0.85, 75)  # space for the names
    left.set_xticks(RANKS, [str(k) for k in RANKS])
    generated = results["generated"]
    labels = [found["n_labels"] for found in generated]
    for at, color in zip((0, 2, 3), COLORS, strict=False):
        means = [found["mean"][at] for found in generated]
        right.plot(labels, means, "o-", color=color)
        right.annotate(
            f"k = {RANKS[at]}",
            (labels[-1], means[-1]),
            xytext=(6, -3),
            textcoords="offset points",
            color=color,
        )
    clusters = [found["n_clusters"] for found in generated]
    right.plot(labels, clusters, ":", color="#999999")
    right.annotate(
        "all clusters",
        (labels[2], clusters[2]),
        xytext=(-4, 6),
        textcoords="offset points",
        ha="right",
        color="#777777",
    )
    right.set(xlabel="number of labels", xscale="log")
    right.set_title("generated data", fontsize=10)
    right.margins(x=0.2)
    for ax in (left, right):
        ax.minorticks_off()
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        ticks = [1, 3, 10, 30, 100, 1000, 10000]
        ax.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    ticks = [5_000, 50_000, 500_000]
    right.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    fig.savefig(PICTURE, metadata={"Date": None}, facecolor="white")


def main():
    """Measure if folders are given, then draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", help="folders of data, as for compare.py --data")
    folders = parser.parse_args().folders
    if folders:
        measure(folders)
    draw(json.loads(RESULTS.read_text()))


if __name__ == "__main__":
    main()

"""Measure predictions with filters that allow a part of the labels.

For each filter, the script prints CPU time per row of a batch and of single rows, with one thread,
in turn with predictions without a filter; and the time to prepare the filter. The allowed labels
are drawn at random, so they are spread over all clusters: the worst case of a filter.

    python benchmarks/label_filters.py --shape amazon-670k --model MODEL_FOLDER

The model is fitted with the defaults on generated data, and saved in the folder. If the folder
exists, the model is loaded.
"""

import argparse
import os
import time

import data
import numpy as np
from scale import NAMED_SHAPES, generate, scaled_shape
from turns import measure_cpu

from skxmr import XRLinearClassifier, load_model, save_model

FRACTIONS = (0.001, 0.01, 0.1, 0.9)
K = 10
N_SINGLE = 300


def measure(model, X, labels):
    """Return microseconds per row of a batch, and the median of single rows."""
    batch, _ = measure_cpu(lambda: model.predict_topk(X, K, labels=labels))
    times = []
    for row in range(N_SINGLE):
        x = X[row]
        started = time.perf_counter()
        model.predict_topk(x, K, labels=labels)
        times.append(time.perf_counter() - started)
    return 1e6 * batch / X.shape[0], 1e6 * np.median(times)


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--labels", type=int, default=50_000, help="number of labels of generated data")
    add("--shape", choices=NAMED_SHAPES, help="shape of generated data, instead of --labels")
    add("--model", required=True, help="folder of the model")
    add("--rows", type=int, default=2_000, help="rows of a batch")
    add("--turns", type=int, default=5)
    add("--beam-width", type=int, default=10, help="0 searches all clusters exactly")
    args = parser.parse_args()
    shape = NAMED_SHAPES[args.shape] if args.shape else scaled_shape(args.labels)
    X, Y, X_test, _ = data.prepare(generate(shape), normalized=True)
    if not os.path.exists(args.model):
        save_model(XRLinearClassifier(random_state=0, n_jobs=-1).fit(X, Y), args.model)
    model = load_model(args.model).set_params(n_jobs=1, beam_width=args.beam_width or None)
    X_test = X_test[: args.rows]
    rng = np.random.default_rng(0)
    n_labels = len(model.classes_)
    filters, preparation = {"none": None}, {"none": 0.0}
    for fraction in FRACTIONS:
        allowed = rng.permutation(n_labels)[: round(fraction * n_labels)]
        name = f"{100 * fraction:g} %"
        preparation[name], filters[name] = measure_cpu(model.label_filter, allowed)
    times = {name: [] for name in filters}
    for _ in range(args.turns):
        for name, label_filter in filters.items():
            times[name].append(measure(model, X_test, label_filter))
    print(f"{n_labels} labels, {X_test.shape[0]} rows, load average {os.getloadavg()[0]:.1f}")
    print("| allowed labels | batch, µs per row | single row, µs | preparation, ms |")
    print("|---|--:|--:|--:|")
    for name, measured in times.items():
        batch, single = np.min(measured, axis=0)
        print(f"| {name} | {batch:.1f} | {single:.0f} | {1e3 * preparation[name]:.1f} |")


if __name__ == "__main__":
    main()

"""Measure updates of a model with new labels, compared with full fits.

Labels are drawn at random as new labels; rows with one of them are new rows. A model of the other
rows is updated with all rows, once and in several steps. The script prints CPU seconds with one
thread, the part of the clusters of labels that keep their weights, and the precision on test rows
with and without new labels, for both values of `upper_levels` and for a full fit with a new tree.

    python benchmarks/label_updates.py DIR
    python benchmarks/label_updates.py --shape amazon-670k
"""

import argparse
import time
from typing import NamedTuple

import data
import numpy as np
import scipy.sparse as sp
from scale import NAMED_SHAPES, generate, scaled_shape

from skxmr import XRLinearClassifier
from skxmr.metrics import precision_at_k


class Split(NamedTuple):
    """Training rows in the order of the updates, and labels with the new ones last."""

    X: sp.csr_array
    Y: sp.csr_array
    n_rows: list  # before the first update, and after each
    n_labels: list


def split(X, Y, n_new, n_steps, rng):
    """Return the `Split`, and the column of each label in it."""
    n_labels = Y.shape[1]
    with_rows = np.flatnonzero(np.diff(Y.tocsc().indptr))
    new = rng.choice(with_rows, n_new, replace=False)
    order = np.concatenate([np.setdiff1d(np.arange(n_labels), new), new])
    Y = sp.csr_array(Y)[:, order]
    # The step of a row is the step of its newest label.
    step_of_label = np.zeros(n_labels, dtype=int)
    step_of_label[n_labels - n_new :] = 1 + np.arange(n_new) * n_steps // n_new
    step_of_row = np.zeros(Y.shape[0], dtype=int)
    rows = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
    np.maximum.at(step_of_row, rows, step_of_label[Y.indices])
    by_step = np.argsort(step_of_row, kind="stable")
    steps = np.arange(n_steps + 1)
    parts = Split(
        X[by_step],
        Y[by_step],
        np.searchsorted(step_of_row[by_step], steps, side="right").tolist(),
        np.searchsorted(step_of_label, steps, side="right").tolist(),
    )
    return parts, order


def take(parts, step):
    """Return the rows and labels after a step."""
    rows, labels = parts.n_rows[step], parts.n_labels[step]
    return parts.X[:rows], parts.Y[:rows, :labels]


def count_kept(model, before):
    """Return the fraction of the clusters of labels with unchanged weights."""
    now = model._model.ranker.level.arrays["fingerprints"]
    return np.isin(now, before).mean()


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("folder", nargs="?", help="folder of a data set; without it, data are generated")
    add("--labels", type=int, default=50_000, help="number of labels of generated data")
    add("--shape", choices=NAMED_SHAPES, help="shape of generated data, instead of --labels")
    add("--new", type=int, default=1_000, help="number of new labels")
    add("--steps", type=int, default=10, help="number of updates in a row; 0 skips them")
    args = parser.parse_args()
    shape = NAMED_SHAPES[args.shape] if args.shape else scaled_shape(args.labels)
    matrices = data.read(args.folder) if args.folder else generate(shape)
    X, Y, X_test, Y_test = data.prepare(matrices, normalized=True)
    parts, order = split(X, Y, args.new, max(args.steps, 1), np.random.default_rng(0))
    Y_test = sp.csr_array(Y_test)[:, order]
    n_old = parts.n_labels[0]
    has_new = np.asarray((Y_test[:, n_old:]).sum(axis=1)).ravel() > 0
    print(
        f"{Y.shape[0]:,} rows, {Y.shape[1]:,} labels; new: {args.new:,} labels and "
        f"{Y.shape[0] - parts.n_rows[0]:,} rows; {has_new.sum():,} of {len(has_new):,} test rows "
        "have a new label",
        flush=True,
    )
    print("model | CPU s | kept | P@1 P@3 P@5, rows with a new label | other rows")

    def report(name, cpu, model, kept=""):
        ranking = model.predict_topk(X_test, 5)
        cells = []
        for rows in (has_new, ~has_new):
            found = [
                100 * precision_at_k(Y_test[rows], tuple(part[rows] for part in ranking), k)
                for k in (1, 3, 5)
            ]
            cells.append(" ".join(f"{value:.2f}" for value in found))
        print(f"{name} | {cpu:.2f} | {kept} | " + " | ".join(cells), flush=True)

    def timed(function):
        start = time.process_time()
        result = function()
        return time.process_time() - start, result

    def fit(step):
        return XRLinearClassifier(random_state=0).fit(*take(parts, step))

    cpu, model = timed(lambda: fit(-1))
    report("full fit", cpu, model)
    del model
    for upper_levels in ("retrain", "keep"):
        model = fit(0)
        before = model._model.ranker.level.arrays["fingerprints"].copy()
        now = take(parts, -1)
        cpu, _ = timed(lambda m=model, u=upper_levels, n=now: m.update(*n, upper_levels=u))
        report(f"update, {upper_levels}", cpu, model, f"{count_kept(model, before):.0%}")
        del model
    for upper_levels in ("retrain", "keep") if args.steps else ():
        model, total = fit(0), 0.0
        for step in range(1, args.steps + 1):
            now = take(parts, step)
            cpu, _ = timed(lambda m=model, u=upper_levels, n=now: m.update(*n, upper_levels=u))
            total += cpu
        report(f"{args.steps} updates, {upper_levels}", total, model)
        del model


if __name__ == "__main__":
    main()

"""
==============================================================
How can a model learn from the clicks on its own suggestions?
==============================================================

A model suggests labels, and users click on those that are right. The clicks are new training data,
but only for labels that were suggested: a model that always shows its best labels confirms itself.
``sample_topk`` draws one of the labels at random and returns the probability of each label to be
shown, its propensity. With propensities, clicks train a better model, and estimate how often users
would click on the suggestions of a model that was never shown to them.
"""

# %%
# Simulate users
# --------------
# The texts are 3,000 definitions of words, and the labels are their topics. A first model is
# trained with 100 rows. Its suggestions for the next 1,900 texts are shown to users, who click on
# every right topic. The last 1,000 texts come later.

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import MultiLabelBinarizer

from skxmr import XRLinearClassifier
from skxmr.datasets import EXAMPLE_CSV, load_texts
from skxmr.text import TfidfVectorizer

texts, topics = load_texts(EXAMPLE_CSV, text=["word", "definition"], labels="topics", separator=";")
X = TfidfVectorizer(sublinear_tf=True, dtype=np.float32).fit_transform(texts)
Y = sp.csr_array(MultiLabelBinarizer(sparse_output=True).fit_transform(topics))
bounds, k = [100, 2000], 3
print(f"{Y.shape[1]} topics, {Y.nnz / len(texts):.1f} per text")


def click(Y, shown):
    """Return whether each shown label is right."""
    return np.take_along_axis(Y.toarray(), shown, axis=1) > 0


# %%
# Log clicks and train again
# --------------------------
# ``sample_topk`` shows the two best labels, and draws the third from the next eight. The first
# model knows little, so ``gamma`` is small: it explores much. A click on a label with the
# propensity 0.1 counts as ten clicks. ``relevance`` has these weights, and ``relevance_norm=None``
# keeps them. Rows without a click say nothing about the right labels, so they are left out.


def train(X, Y, relevance=None):
    return XRLinearClassifier(relevance_norm=None, random_state=0).fit(X, Y, relevance=relevance)


def learn(X, Y, X_log, shown, propensities, clicked):
    """Train with rows that have all labels, and with clicks; return a model per kind of weight."""
    rows, places = np.nonzero(clicked)
    labels = shown[rows, places]
    shape = (len(shown), Y.shape[1])
    clicks = sp.csr_array((np.ones(len(rows)), (rows, labels)), shape=shape)
    weights = sp.csr_array((1 / propensities[rows, places], (rows, labels)), shape=shape)
    has_click = clicked.any(axis=1)
    X_all = sp.vstack([X, X_log[has_click]], format="csr")
    Y_all = sp.vstack([Y, clicks[has_click]], format="csr")
    weights = sp.vstack([Y, weights[has_click]], format="csr")
    return train(X_all, Y_all), train(X_all, Y_all, relevance=weights)


# %%
# Evaluate a model that was never shown
# -------------------------------------
# The first model logs the clicks on the last 1,000 texts, too. Of these, only the clicks on labels
# that another model ranks among its first three count for that model. Three estimates of its
# click-through rate are compared with the true rate, which only a simulation knows: the fraction of
# clicks among the labels that both models show; inverse propensity scoring, which weights each of
# these labels by 1 / propensity; and its self-normalized form, which divides by the sum of the
# weights instead of the number of suggestions.

ESTIMATES = ("no weights", "inverse propensities", "self-normalized")


def estimate_rates(model, X, shown, propensities, clicked):
    top, _ = model.predict_topk(X, k=k)
    is_ranked = (shown[:, :, None] == top[:, None, :]).any(axis=2)
    weights = is_ranked / propensities
    return (
        clicked[is_ranked].mean(),
        (weights * clicked).sum() / top.size,
        (weights * clicked).sum() / weights.sum(),
    )


# %%
# Results are means of ten random orders of the texts.

NAMES = ("first model", "no exploration", "exploration", "exploration, weighted")
EXPLORE = {"gamma": 20.0, "random_state": 0}
true_rates, estimates = [], []
for seed in range(10):
    order = np.random.default_rng(seed).permutation(len(texts))
    X_parts, Y_parts = ([M[part] for part in np.split(order, bounds)] for M in (X, Y))
    (X_first, X_log, X_late), (Y_first, Y_log, Y_late) = X_parts, Y_parts
    first = train(X_first, Y_first)

    shown, _ = first.predict_topk(X_log, k=k)
    always = np.ones(shown.shape)
    unexplored, _ = learn(X_first, Y_first, X_log, shown, always, click(Y_log, shown))
    shown, propensities = first.sample_topk(X_log, k=k, **EXPLORE)
    log = shown, propensities, click(Y_log, shown)
    models = (first, unexplored, *learn(X_first, Y_first, X_log, *log))

    shown, propensities = first.sample_topk(X_late, k=k, **EXPLORE)
    log = shown, propensities, click(Y_late, shown)
    tops = [model.predict_topk(X_late, k=k)[0] for model in models]
    true_rates.append([click(Y_late, top).mean() for top in tops])
    estimates.append([estimate_rates(model, X_late, *log) for model in models])

true_rates, estimates = 100 * np.array(true_rates), 100 * np.array(estimates)
print("clicks per 100 suggestions")
for name, rate in zip(NAMES, true_rates.mean(axis=0), strict=True):
    print(f"  {name:<24}{rate:.1f}")
errors = np.abs(estimates - true_rates[:, :, None]).mean(axis=(0, 1))
print("mean error of the estimates")
for name, error in zip(ESTIMATES, errors, strict=True):
    print(f"  {name:<24}{error:.1f}")

# %%
# Compare the models and the estimates
# ------------------------------------
# Left: clicks help even without exploration. Exploration helps more in each of the ten orders
# (dots), because it finds labels that the first model ranks too low. The weights add a little.
# Right: without weights, the rates of the first model, and of the model that learned without
# exploration, are too high by more than 2. The labels that such a model shares with the log are
# mostly those that the first model is sure of. The weighted estimates have no such error, and need
# no new experiment with users.

COLORS = ("0.6", "#56B4E9", "#E69F00", "#009E73")
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.3), layout="constrained")
places = np.arange(len(NAMES))
left.bar(places, true_rates.mean(axis=0), 0.6, color=COLORS)
shift = np.linspace(-0.2, 0.2, len(true_rates))[:, None]
left.plot(places + shift, true_rates, ".", color="0.2", markersize=4)
left.set_xticks(places, [name.replace(", ", ",\n") for name in NAMES])
left.set(title="Suggestions that are clicked", ylabel="clicks per 100 suggestions")

marks = zip(ESTIMATES, ("#D55E00", "#0072B2", "#CC79A7"), "os^", strict=True)
right.axhline(0, color="0.4")
for i, (name, color, marker) in enumerate(marks):
    error = estimates[:, :, i] - true_rates
    right.errorbar(
        places + 0.2 * (i - 1),
        error.mean(axis=0),
        error.std(axis=0),
        fmt=marker,
        color=color,
        capsize=3,
        label=name,
    )
right.set_xticks(places, [name.replace(", ", ",\n") for name in NAMES])
right.set(
    title="Estimates from the log of the first model",
    ylabel="estimate - true rate (mean, standard deviation)",
)
right.legend()
for ax in (left, right):
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

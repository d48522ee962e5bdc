"""
======================================
Choose beam width and branching factor
======================================

The label tree saves time in training, where a label is separated only from the labels of its
cluster. It also saves time in prediction, where a beam search opens only the best clusters of each
level. Both can cost precision. This grid search shows how much, for ``branching_factor`` (maximum
number of children per cluster) and ``beam_width`` (number of clusters kept per level).
"""

# %%
# Load the data and make the pipeline
# -----------------------------------
# The texts are parts of the documentation of NumPy, SciPy and scikit-learn. The labels are the
# functions and classes that they document. Words are counted once, before the search: counting only
# learns the vocabulary, and inside the pipeline it would be repeated for each candidate. TF-IDF
# weights depend on the training rows, so they are computed in the pipeline.
#
# With ``max_leaf_size=10``, the tree of this small data set is deep enough for the beam width to
# make a difference.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.metrics import topk_scorer

texts, Y = load_api_docs(return_X_y=True)
counts = CountVectorizer(stop_words="english", dtype=np.float32).fit_transform(texts)
pipeline = make_pipeline(
    TfidfTransformer(sublinear_tf=True), XRLinearClassifier(max_leaf_size=10, random_state=0)
)

# %%
# Run the grid search
# -------------------
# ``topk_scorer`` computes a metric from the top labels of each row. The ranking metrics of
# scikit-learn would need a dense score for each label. ``n_jobs`` is not set, so that candidates do
# not run in parallel and the times are comparable.
#
# The search trains a model for each beam width. If you vary only the beam width, train once and
# call ``set_params(beam_width=...)`` on the fitted classifier.

branching_factors = [2, 4, 16, 64]
beam_widths = [1, 2, 4, 8, 16, 32]
search = GridSearchCV(
    pipeline,
    {
        "xrlinearclassifier__branching_factor": branching_factors,
        "xrlinearclassifier__beam_width": beam_widths,
    },
    scoring=topk_scorer("precision", k=1),
    cv=KFold(3, shuffle=True, random_state=0),
    refit=False,
).fit(counts, Y)

# Candidates are in the order of the parameter names; the last parameter varies fastest.
shape = (len(beam_widths), len(branching_factors))
precision, fit_time, score_time = (
    search.cv_results_[name].reshape(shape).T
    for name in ("mean_test_score", "mean_fit_time", "mean_score_time")
)


def table_row(name, values, form):
    return f"{name:<20}" + "".join(f"{value:8{form}}" for value in values)


print(table_row("beam width", beam_widths, "d"))
for title, values, form in [("P@1", precision, ".3f"), ("score (ms)", 1000 * score_time, ".0f")]:
    print(title)
    for factor, row in zip(branching_factors, values, strict=True):
        print(table_row(f"  branching {factor}", row, form))
# The beam width does not affect training, so the fit times of a branching factor are averaged.
fit_time = fit_time.mean(axis=1)
print("fit (ms)")
for factor, seconds in zip(branching_factors, fit_time, strict=True):
    print(table_row(f"  branching {factor}", [1000 * seconds], ".0f"))

# %%
# Compare the results
# -------------------
# A beam width of 1 cannot recover if the correct cluster is not ranked first, and deeper trees have
# more levels at which this can happen. A beam width of 2 recovers most of the precision. Above 8, a
# wider beam only takes more time.
#
# With a wide beam, a larger branching factor still gives a higher precision. The score of a label
# is the product of the scores on its path, and a shorter path has fewer factors with errors.
#
# A tree with fewer levels is also faster to search. Training takes longest with a branching factor
# of 2, which has the most levels. From 16 to 64 the training time increases again, because each
# cluster is separated from more siblings. With more labels, this increase is larger.

# Colors that color-blind readers can distinguish.
styles = [("#0072B2", "o"), ("#E69F00", "s"), ("#009E73", "^"), ("#CC79A7", "D")]
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for factor, p, score, fit, (color, marker) in zip(
    branching_factors, precision, score_time, fit_time, styles, strict=True
):
    left.plot(beam_widths, p, color=color, marker=marker, label=factor)
    right.plot(beam_widths, 1000 * score, color=color, marker=marker)
    right.axhline(1000 * fit, color=color, linestyle="--")
left.set(title="Precision at 1", ylabel="P@1")
left.legend(title="branching factor", reverse=True)
right.set(title="Time per fold", ylabel="milliseconds", ylim=(0, None))
# The legend on the left explains the colors, this one the line styles.
right.plot([], [], color="0.3", linestyle="--", label="fit")
right.plot([], [], color="0.3", marker=".", label="predict and score")
right.legend(loc="upper left", bbox_to_anchor=(0, 0.6))
for ax in (left, right):
    ax.set_xscale("log", base=2)
    ax.set_xticks(beam_widths, beam_widths)
    ax.set_xlabel("beam width")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

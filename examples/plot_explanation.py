"""
====================
Explain a prediction
====================

This example explains why a classifier ranks a label first, and why it does not rank another label.
The classifier answers questions with functions of NumPy, SciPy and scikit-learn. The score of a
function combines the steps on its path through the label tree, and each step is a sum over the
words of the question.

To try your own question, pass it on the command line. To explain a function that is not ranked
first, also pass its name::

    python plot_explanation.py "inverse of a matrix" numpy.linalg.inv

``--output FILE`` saves the figure instead of showing it.
"""

# %%
# Train the model
# ---------------
# The docstrings come from the installed packages. Features are words, which are easy to read in an
# explanation. Character sequences give a higher precision, see
# :ref:`sphx_glr_gallery_plot_api_search.py`.

import argparse

import numpy as np
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.inspection import ExplanationDisplay, LabelTreeDisplay, describe_tree, explain
from skxmr.text import TfidfVectorizer

parser = argparse.ArgumentParser(description="Explain an answer of the API search.")
parser.add_argument("question", nargs="?", default="solve a sparse linear system of equations")
parser.add_argument("function", nargs="?", help="function to explain (default: the best answer)")
parser.add_argument("--output", metavar="FILE", help="save the figure to this file")
arguments = parser.parse_args()

docs = load_api_docs()
pipeline = make_pipeline(
    TfidfVectorizer(stop_words="english", sublinear_tf=True, dtype=np.float32),
    XRLinearClassifier(branching_factor=8, max_leaf_size=60, C=2.0, random_state=0),
).fit(docs.data, docs.target)

# %%
# Explain the best answer
# -----------------------
# On each level, the cluster or function competes with its siblings. The contribution of a feature
# is its TF-IDF value in the question times its weight in the model. Contributions and intercept
# sum to the margin, which is transformed to the score of the step. Answers are ranked by the
# product of these scores.

question = arguments.question
labels, _ = pipeline[-1].predict_topk(pipeline[:-1].transform([question]), k=3)
names = docs.target_names
best, *others = (names[label] for label in labels[0])
print(f"{question}: {best}, then {' and '.join(others)}\n")
report_options = {"label_names": names, "n_features": 4}
explanation = explain(pipeline, question, arguments.function or best, **report_options)
print(explanation)

# %%
# Explain why a label is not ranked
# ---------------------------------
# A label that does not match the question has a low rank, or the beam search drops one of its
# clusters. A beam width of 1 makes this visible here; it is too small for most applications.

pipeline[-1].set_params(beam_width=1)
print("\n" + str(explain(pipeline, question, "numpy.histogram", **report_options)))
pipeline[-1].set_params(beam_width=10)

# %%
# Describe the label tree
# -----------------------
# The words with the largest positive weights describe a cluster. Clusters have equal sizes, so some
# of them contain two subjects.

print(f"\n{describe_tree(pipeline, names, max_depth=1, n_labels=2)}")

# %%
# Plot the explanation and the tree
# ---------------------------------

try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None
    print("\nInstall matplotlib to see the figure.")

if plt is not None:
    n_bars = sum(min(len(step.names), 4) + 4 for step in explanation.path)
    heights = [0.3 * n_bars, 4]
    fig, axes = plt.subplots(
        2, 1, figsize=(9, sum(heights)), height_ratios=heights, layout="constrained"
    )
    ExplanationDisplay(explanation).plot(ax=axes[0])
    LabelTreeDisplay.from_estimator(pipeline, names, max_depth=1, max_children=8, ax=axes[1])

    if arguments.output:
        fig.savefig(arguments.output, dpi=150)
    # Without a display, plt.show() would only print a warning.
    elif fig.canvas.required_interactive_framework:
        plt.show()

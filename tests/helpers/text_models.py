"""Small models that suggest labels for texts."""

import numpy as np

from skxmr import make_text_classifier, save_model

WORDS = [f"word{i}" for i in range(30)]


def make_texts(n_texts, seed):
    """Return texts of 6 of 30 words."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 6, replace=False)) for _ in range(n_texts)]


def save_text_model(path, seed, prefix="tag"):
    """Save a model whose 20 labels begin with a prefix; the label is that of the first word."""
    texts = make_texts(120, seed)
    labels = [[f"{prefix}{int(text.split()[0][4:]) % 20}"] for text in texts]
    # The server must reset n_jobs.
    model = make_text_classifier(max_leaf_size=5, n_jobs=2, random_state=seed).fit(texts, labels)
    save_model(model, path)


def expected_reply(model, texts, k, threshold=None):
    """Return the suggestions of a model in the format of the server."""
    suggestions = model.suggest(texts, k=k, threshold=threshold)
    return {
        "suggestions": [
            [{"label": label, "score": score} for label, score in pairs] for pairs in suggestions
        ]
    }

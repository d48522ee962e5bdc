"""The size of a fitted model, below the name of the classifier in scikit-learn's HTML diagrams."""


def fitted_block(classifier):
    """Return the visual block of a fitted classifier, as `_sk_visual_block_` does."""
    # If this import fails, scikit-learn draws the diagram without the caption.
    try:
        from sklearn.utils._repr_html.estimator import _VisualBlock
    except ImportError:  # scikit-learn < 1.7
        from sklearn.utils._estimator_html_repr import _VisualBlock
    return _VisualBlock(
        "single",
        classifier,
        names=type(classifier).__name__,
        name_details=str(classifier),
        name_caption=_size_caption(classifier),
    )


def _size_caption(classifier):
    model = classifier._model
    n_weights = sum(len(level.arrays["entry_weights"]) for level in model.levels)
    n_trees = len(model.models)
    trees = f"{n_trees} trees, " if n_trees > 1 else ""
    return f"{trees}{describe_sizes(classifier.hierarchy_.level_sizes)}; {n_weights:,} weights"


def describe_sizes(level_sizes):
    """Return the number of labels and clusters as text, for example "90 labels in clusters: 9"."""
    *clusters, labels = (f"{size:,}" for size in level_sizes)
    place = f"clusters: {' -> '.join(clusters)}" if clusters else "one leaf"
    return f"{labels} labels in {place}"

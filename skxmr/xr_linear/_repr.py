"""The size of the fitted trees, under the classifier's name in scikit-learn's HTML diagrams."""


class SizeCaptionMixin:
    """Adds a line to the HTML representation of a classifier whose `_model` ranks rows.

    The hook is the one by which scikit-learn's own compositions say how they are drawn; it works
    inside pipelines too. Without a fit there is no hook, and the diagram is as always.
    """

    @property
    def _sk_visual_block_(self):
        if not hasattr(self, "_model"):
            raise AttributeError("Only a fitted classifier has a caption.")
        return self._captioned_block

    def _captioned_block(self):
        # Where this fails, scikit-learn draws the diagram that has no caption.
        try:
            from sklearn.utils._repr_html.estimator import _VisualBlock
        except ImportError:  # before 1.7
            from sklearn.utils._estimator_html_repr import _VisualBlock
        return _VisualBlock(
            "single",
            self,
            names=type(self).__name__,
            name_details=str(self),
            name_caption=self._size_caption(),
        )

    def _size_caption(self):
        n_weights = sum(len(level.arrays["entry_weights"]) for level in self._model.levels)
        n_trees = len(getattr(self._model, "models", [self._model]))
        several = f"{n_trees} trees, " if n_trees > 1 else ""
        return f"{several}{tree_size(self.hierarchy_.level_sizes)}; {n_weights:,} weights"


def tree_size(level_sizes):
    """Return the numbers of labels and clusters in words."""
    *clusters, labels = (f"{size:,}" for size in level_sizes)
    where = f"clusters: {' -> '.join(clusters)}" if clusters else "one leaf"
    return f"{labels} labels in {where}"

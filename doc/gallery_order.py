"""The order of the examples in the gallery: from a first search to custom stages and serving."""

ORDER = [
    "plot_api_search.py",
    "plot_tag_suggestion.py",
    "plot_beam_width_and_branching_factor.py",
    "plot_ensembles.py",
    "plot_calibration.py",
    "plot_long_tail.py",
    "plot_learn_from_clicks.py",
    "plot_explanation.py",
    "plot_tree_from_taxonomy.py",
    "plot_custom_matcher.py",
    "plot_custom_stages.py",
    "plot_serving.py",
    "plot_embeddings.py",
    "plot_transformer.py",
]


class TeachingOrder:
    """Sort key of sphinx-gallery; examples that the list does not know come last, by name."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, name):
        """Return the place of an example."""
        return (ORDER.index(name) if name in ORDER else len(ORDER)), name

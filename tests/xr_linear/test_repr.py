"""HTML representation in notebooks."""

from html.parser import HTMLParser

import pytest
import sklearn
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import estimator_html_repr

from skxmr import HierarchicalLabelTree, XRLinearClassifier

# The HTML that scikit-learn 1.8 writes for a pipeline has one closing tag too many.
IS_BALANCED = not sklearn.__version__.startswith("1.8.")


class TagBalanceParser(HTMLParser):
    """Parser that fails if a tag is not closed, and collects the texts."""

    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in {"input", "br", "img", "meta", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag or not IS_BALANCED

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_data(self, data):
        self.texts.append(data)


def read_texts(estimator):
    parser = TagBalanceParser()
    parser.feed(estimator_html_repr(estimator))
    assert not (IS_BALANCED and parser.open)
    return parser.texts


def count_weights(model):
    return sum(int(level.arrays["entry_counts"].sum()) for level in model._model.levels)


def test_html_of_a_fitted_classifier_has_a_caption_with_sizes(xmc_data):
    model = XRLinearClassifier(4, 10, random_state=0)
    assert not any("weights" in text and "labels" in text for text in read_texts(model))
    model.fit(*xmc_data)
    sizes = " -> ".join(map(str, model.hierarchy_.level_sizes[:-1]))
    assert f"150 labels in clusters: {sizes}; {count_weights(model):,} weights" in read_texts(model)
    assert "XRLinearClassifier" in read_texts(model)


@pytest.mark.parametrize("tree", [None, HierarchicalLabelTree(4, 10)], ids=["default", "custom"])
def test_html_in_a_pipeline_has_a_caption_with_sizes(tree, xmc_data):
    classifier = XRLinearClassifier(label_tree=tree, n_trees=2)
    model = make_pipeline(MaxAbsScaler(), classifier).fit(*xmc_data)
    texts = read_texts(model)
    (caption,) = [text for text in texts if text.startswith("2 trees, 150 labels in clusters: ")]
    assert caption.endswith(f"; {count_weights(model[-1]):,} weights")
    assert "MaxAbsScaler" in texts


def test_repr_mimebundle_follows_the_display_configuration(xmc_data):
    model = XRLinearClassifier(max_leaf_size=150).fit(*xmc_data)
    bundle = model._repr_mimebundle_()
    assert "150 labels in one leaf" in bundle["text/html"]
    assert "150 labels in one leaf" in model._repr_html_()
    assert bundle["text/plain"] == repr(model)
    with config_context(display="text"):
        assert "text/html" not in model._repr_mimebundle_()


def test_html_has_no_caption_if_scikit_learn_internals_are_missing(xmc_data, monkeypatch):
    model = XRLinearClassifier().fit(*xmc_data)
    for name in ("_repr_html.estimator", "_estimator_html_repr"):
        monkeypatch.setitem(__import__("sys").modules, f"{sklearn.utils.__name__}.{name}", None)
    texts = read_texts(model)
    assert "XRLinearClassifier" in texts
    assert not any("150 labels" in text for text in texts)

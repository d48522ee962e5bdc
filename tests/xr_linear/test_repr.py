"""The HTML of scikit-learn tells the size of a fitted tree, and is whole."""

from html.parser import HTMLParser

import pytest
import sklearn
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import estimator_html_repr

from skxmr import HierarchicalLabelTree, XRLinearClassifier

# scikit-learn 1.8 closes a tag that it did not open in the HTML of a pipeline.
IS_BALANCED = not sklearn.__version__.startswith("1.8.")


class Balance(HTMLParser):
    """Checks that what is opened is closed."""

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


def texts_of(estimator):
    parser = Balance()
    parser.feed(estimator_html_repr(estimator))
    assert not (IS_BALANCED and parser.open)
    return parser.texts


def weights_in(model):
    return sum(int(level.arrays["entry_counts"].sum()) for level in model._model.levels)


def test_a_fitted_classifier_has_a_caption(xmc_data):
    model = XRLinearClassifier(4, 10, random_state=0)
    assert not any("weights" in text and "labels" in text for text in texts_of(model))
    model.fit(*xmc_data)
    sizes = " -> ".join(map(str, model.hierarchy_.level_sizes[:-1]))
    assert f"150 labels in clusters: {sizes}; {weights_in(model):,} weights" in texts_of(model)
    assert "XRLinearClassifier" in texts_of(model)


@pytest.mark.parametrize("tree", [None, HierarchicalLabelTree(4, 10)], ids=["default", "own"])
def test_in_a_pipeline_and_with_an_own_tree(tree, xmc_data):
    classifier = XRLinearClassifier(label_tree=tree, n_trees=2)
    model = make_pipeline(MaxAbsScaler(), classifier).fit(*xmc_data)
    texts = texts_of(model)
    (caption,) = [text for text in texts if text.startswith("2 trees, 150 labels in clusters: ")]
    assert caption.endswith(f"; {weights_in(model[-1]):,} weights")
    assert "MaxAbsScaler" in texts


def test_what_a_notebook_asks_for(xmc_data):
    model = XRLinearClassifier(max_leaf_size=150).fit(*xmc_data)
    bundle = model._repr_mimebundle_()
    assert "150 labels in one leaf" in bundle["text/html"]
    assert "150 labels in one leaf" in model._repr_html_()
    assert bundle["text/plain"] == repr(model)
    with config_context(display="text"):
        assert "text/html" not in model._repr_mimebundle_()


def test_without_scikit_learns_block_the_diagram_is_as_always(xmc_data, monkeypatch):
    model = XRLinearClassifier().fit(*xmc_data)
    for name in ("_repr_html.estimator", "_estimator_html_repr"):
        monkeypatch.setitem(__import__("sys").modules, f"{sklearn.utils.__name__}.{name}", None)
    texts = texts_of(model)
    assert "XRLinearClassifier" in texts
    assert not any("150 labels" in text for text in texts)

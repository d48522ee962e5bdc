"""The guide explains every parameter of the estimators of texts."""

import re

import pytest

from helpers.pages import ROOT
from skxmr.transformer import TransformerEmbedder, TransformerMatcher, XTransformerClassifier

GUIDE = ROOT / "doc" / "guide"
PAGES = {
    TransformerEmbedder: "fine_tuning.md",
    TransformerMatcher: "fine_tuning.md",
    XTransformerClassifier: "transformer.md",
}


@pytest.mark.skipif(not GUIDE.exists(), reason="no source checkout around the tests")
@pytest.mark.parametrize("estimator", PAGES)
def test_every_parameter_is_explained(estimator):
    code = " ".join(re.findall(r"`[^`\n]+`", (GUIDE / PAGES[estimator]).read_text()))
    names = estimator._parameter_constraints
    assert not [name for name in names if not re.search(rf"\b{name}\b", code)]

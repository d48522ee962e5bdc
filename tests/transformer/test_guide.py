"""The guide mentions every parameter of the estimators for texts."""

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


@pytest.mark.skipif(not GUIDE.exists(), reason="needs the source checkout with doc/")
@pytest.mark.parametrize("estimator", PAGES)
def test_guide_mentions_every_parameter(estimator):
    code = " ".join(re.findall(r"`[^`\n]+`", (GUIDE / PAGES[estimator]).read_text()))
    names = estimator._parameter_constraints
    assert not [name for name in names if not re.search(rf"\b{name}\b", code)]

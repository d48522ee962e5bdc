"""The guide explains every parameter of the estimators of texts."""

import re

import pytest
from documents import ROOT

from skxmr.transformer import TransformerEmbedder, TransformerMatcher

PAGE = ROOT / "doc" / "guide" / "fine_tuning.md"


@pytest.mark.skipif(not PAGE.exists(), reason="no source checkout around the tests")
@pytest.mark.parametrize("estimator", [TransformerEmbedder, TransformerMatcher])
def test_every_parameter_is_explained(estimator):
    code = " ".join(re.findall(r"`[^`\n]+`", PAGE.read_text()))
    names = estimator._parameter_constraints
    assert not [name for name in names if not re.search(rf"\b{name}\b", code)]

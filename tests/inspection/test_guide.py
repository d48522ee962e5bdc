import re

import pytest

from helpers.pages import ROOT, run_code
from skxmr.inspection import describe_tree

PAGE = ROOT / "doc" / "guide" / "inspection.md"


@pytest.mark.skipif(not PAGE.exists(), reason="doc/ is only in a source checkout")
def test_guide_shows_the_printed_reports(capsys):
    names = run_code(PAGE, capsys)
    report, tree = re.findall(r"```text\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    assert str(names["explanation"]) == report
    assert str(describe_tree(names["model"], n_features=3)) == tree

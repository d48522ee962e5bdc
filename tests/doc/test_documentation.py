"""Pages outside the guide: the code runs, links exist, and the API reference is complete."""

import importlib
import re
from importlib.util import find_spec

import pytest

from helpers.pages import ROOT, run_code

DOC = ROOT / "doc"
PAGES = sorted(DOC.glob("*.md"))
PAGES_WITH_CODE = [
    pytest.param(page, id=page.stem) for page in PAGES if "```python" in page.read_text()
]
# Names that packages export for other packages of skxmr, not for users.
INTERNAL = {
    "skxmr.matching": {
        "EstimatorMatcher",
        "RecursiveLinearMatcher",
        "count_matched_levels",
        "fit_matcher",
    },
}
PUBLIC = [
    "skxmr",
    "skxmr.calibration",
    "skxmr.datasets",
    "skxmr.indexing",
    "skxmr.inspection",
    "skxmr.matching",
    "skxmr.metrics",
    "skxmr.model_selection",
    "skxmr.pipeline",
    "skxmr.text",
    "skxmr.transformer",
]

pytestmark = pytest.mark.skipif(not DOC.is_dir(), reason="doc/ is only in a source checkout")


@pytest.mark.parametrize("page", PAGES_WITH_CODE)
def test_page_code_prints_documented_output(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_code(page, capsys)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_links_exist(page):
    links = re.findall(r"\]\(([\w./]+)(?:#[\w-]+)?\)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("module", [module for module in PUBLIC if find_spec(module)])
def test_api_reference_lists_all_public_names(module):
    page = (DOC / "api.rst").read_text()
    listed = set(re.findall(r"^(?:   |\.\. py:data:: )(\w+)$", page, re.MULTILINE))
    if module == "skxmr.transformer":
        pytest.importorskip("torch")
    names = set(importlib.import_module(module).__all__) - INTERNAL.get(module, set())
    assert not names - listed

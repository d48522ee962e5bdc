"""The pages beside the guide: code runs, links lead somewhere, the reference is whole."""

import importlib
import re
from importlib.util import find_spec

import pytest

from helpers.pages import ROOT, run_code

DOC = ROOT / "doc"
PAGES = sorted(DOC.glob("*.md"))
SLOW = {"getting_started": pytest.mark.slow(reason="trains on real data, several times")}
PROGRAMS = [
    pytest.param(page, id=page.stem, marks=SLOW.get(page.stem, ()))
    for page in PAGES
    if "```python" in page.read_text()
]
# Of these rooms some names are for the classifier's own use.
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
    "skxmr.transformer",
]

pytestmark = pytest.mark.skipif(not DOC.is_dir(), reason="no source checkout around the tests")


@pytest.mark.parametrize("page", PROGRAMS)
def test_the_code_runs_and_prints_what_it_promises(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_code(page, capsys)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([\w./]+)(?:#[\w-]+)?\)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("module", [module for module in PUBLIC if find_spec(module)])
def test_every_public_name_is_in_the_reference(module):
    listed = set(re.findall(r"^   (\w+)$", (DOC / "api.rst").read_text(), re.MULTILINE))
    if module == "skxmr.transformer":
        pytest.importorskip("torch")
    names = set(importlib.import_module(module).__all__) - INTERNAL.get(module, set())
    assert not names - listed

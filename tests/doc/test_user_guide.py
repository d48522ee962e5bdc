"""The user guide runs, has a row for everything, and tells the truth about what is refused."""

import re

import pytest
from sklearn.utils._param_validation import StrOptions

from helpers.pages import ROOT, run_code
from skxmr import HierarchicalLabelTree, LabelFeatureUnion, LabelHierarchy, XRLinearClassifier
from skxmr.calibration import (
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
)
from skxmr.matching import NearestCentroidMatcher, NearestNeighborsMatcher
from skxmr.matching._negative_sampling import NEGATIVES

OVERVIEW = ROOT / "doc" / "user_guide.md"
PAGES = [OVERVIEW, *sorted((ROOT / "doc" / "guide").glob("*.md"))]
ESTIMATORS = [
    XRLinearClassifier,
    HierarchicalLabelTree,
    LabelFeatureUnion,
    NearestNeighborsMatcher,
    NearestCentroidMatcher,
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
]
# The classifier that a meta-estimator is given first, without its name.
UNNAMED = {"estimator"}

pytestmark = pytest.mark.skipif(not OVERVIEW.exists(), reason="no source checkout around the tests")


SLOW = {"model_selection": pytest.mark.slow(reason="fits many models")}


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.stem, marks=SLOW.get(page.stem, ())) for page in PAGES]
)
def test_the_code_runs_and_prints_what_it_promises(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where it may leave files
    run_code(page, capsys)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([\w./]*)(?:#([\w-]+))?\)", page.read_text()):
        text = (page.parent / target).read_text() if target else page.read_text()
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
        assert not anchor or anchor in anchors, f"{target}#{anchor}"


def test_every_page_of_the_guide_leads_to_all_others():
    pages = {page.name: page.read_text() for page in PAGES if page != OVERVIEW}
    for name, text in pages.items():
        line = text.splitlines()[2]
        linked = re.findall(r"\]\((\w+\.md)\)", line)
        assert set(linked) == set(pages) - {name}, name
        assert line.count("**") == 2, name
    overview = OVERVIEW.read_text()
    for name in pages:
        assert f"](guide/{name})" in overview
        assert f"\nguide/{name.removesuffix('.md')}\n" in overview


def code_in_text():
    """Everything that the guide shows as code."""
    return " ".join(
        code
        for page in PAGES
        for code in re.findall(r"```python\n.*?```|`[^`\n]+`", page.read_text(), re.DOTALL)
    )


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.__name__)
def test_every_parameter_and_every_option_is_explained(estimator):
    code = code_in_text()
    constraints = estimator._parameter_constraints
    unknown = [name for name in constraints if not re.search(rf"\b{name}\b", code)]
    assert set(unknown) <= UNNAMED
    options = [
        option
        for constraint in constraints.values()
        for one in constraint
        if isinstance(one, StrOptions)
        for option in one.options
    ]
    assert not [option for option in options if f'"{option}"' not in code]


def test_every_way_to_negatives_and_to_a_hierarchy_is_explained():
    code = code_in_text()
    makers = [name for name in vars(LabelHierarchy) if name.startswith("from_")]
    assert len(makers) >= 4
    assert not [name for name in NEGATIVES if f'"{name}"' not in code]
    assert not [name for name in makers if f"LabelHierarchy.{name}(" not in code]


def test_every_refusal_of_the_table_is_one(capsys):
    names = run_code(OVERVIEW, capsys)
    table = OVERVIEW.read_text().partition("| options | why not |\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE)
    assert len(rows) == table.count("\n")
    X, Y = names["X"], names["Y"]
    refused_by = {}
    for row in rows:
        parameters = eval(f"dict({row})", names)
        given = {k: parameters.pop(k) for k in ("sample_weight", "relevance") if k in parameters}
        # A tree that has clusters, unless the row brings one.
        shape = {} if "label_tree" in parameters else {"max_leaf_size": 20}
        with pytest.raises(ValueError) as refused:  # noqa: PT011 -- each says something else
            XRLinearClassifier(**{**shape, **parameters}).fit(X, Y, **given)
        refused_by[row] = str(refused.value)
        named = [name for name in (*parameters, *given) if name in refused_by[row]]
        assert named or "clustering" in refused_by[row], refused_by[row]
    assert len(set(refused_by.values())) == len(rows)

"""The user guide: code runs, all parameters are documented, the table of errors is correct."""

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
from skxmr.zero_shot import LabelTextClassifier

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
    LabelTextClassifier,
]
# Parameters that examples pass by position.
POSITIONAL_PARAMETERS = {"estimator"}

pytestmark = pytest.mark.skipif(not OVERVIEW.exists(), reason="doc/ is only in a source checkout")


SLOW = {"model_selection": pytest.mark.slow(reason="fits many models")}


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.stem, marks=SLOW.get(page.stem, ())) for page in PAGES]
)
def test_guide_code_prints_documented_output(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the code may write files
    run_code(page, capsys)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_guide_link_anchors_exist(page):
    for target, anchor in re.findall(r"\]\(([\w./]*)(?:#([\w-]+))?\)", page.read_text()):
        if target and not target.endswith(".md"):
            assert (page.parent / target).exists(), target
            continue
        text = (page.parent / target).read_text() if target else page.read_text()
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
        assert not anchor or anchor in anchors, f"{target}#{anchor}"


def test_guide_pages_link_to_all_other_pages():
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


def read_guide_code():
    """Return all code blocks and inline code of the guide."""
    return " ".join(
        code
        for page in PAGES
        for code in re.findall(r"```python\n.*?```|`[^`\n]+`", page.read_text(), re.DOTALL)
    )


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.__name__)
def test_guide_documents_every_parameter_and_option(estimator):
    code = read_guide_code()
    constraints = estimator._parameter_constraints
    undocumented = [name for name in constraints if not re.search(rf"\b{name}\b", code)]
    assert set(undocumented) <= POSITIONAL_PARAMETERS
    options = [
        option
        for constraint in constraints.values()
        for alternative in constraint
        if isinstance(alternative, StrOptions)
        for option in alternative.options
    ]
    assert not [option for option in options if f'"{option}"' not in code]


def test_guide_documents_every_negatives_scheme_and_hierarchy_constructor():
    code = read_guide_code()
    constructors = [name for name in vars(LabelHierarchy) if name.startswith("from_")]
    assert len(constructors) >= 4
    assert not [name for name in NEGATIVES if f'"{name}"' not in code]
    assert not [name for name in constructors if f"LabelHierarchy.{name}(" not in code]


def test_guide_rejected_combinations_raise_distinct_errors(capsys):
    names = run_code(OVERVIEW, capsys)
    table = OVERVIEW.read_text().partition("| options | why not |\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE)
    assert len(rows) == table.count("\n")
    X, Y = names["X"], names["Y"]
    messages = {}
    for row in rows:
        parameters = eval(f"dict({row})", names)
        given = {k: parameters.pop(k) for k in ("sample_weight", "relevance") if k in parameters}
        # Without a label tree in the row, small leaves make sure that the tree has clusters.
        tree_options = {} if "label_tree" in parameters else {"max_leaf_size": 20}
        with pytest.raises(ValueError) as error:  # noqa: PT011 -- the messages differ
            XRLinearClassifier(**{**tree_options, **parameters}).fit(X, Y, **given)
        messages[row] = str(error.value)
        named = [name for name in (*parameters, *given) if name in messages[row]]
        assert named or "clustering" in messages[row], messages[row]
    assert len(set(messages.values())) == len(rows)

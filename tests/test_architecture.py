"""Imports go down only: each module may import what lies on a lower floor, and its own room."""

import ast
import re
from pathlib import Path

import pytest

import skxmr

ROOT = Path(skxmr.__file__).parent
FLOORS = {
    "skxmr._core": 0,
    "skxmr.metrics": 1,
    "skxmr.datasets": 1,
    "skxmr.indexing": 1,
    "skxmr.linear": 1,
    "skxmr.model_selection": 2,
    "skxmr.matching": 2,
    "skxmr.ranking": 3,
    "skxmr.calibration": 4,
    "skxmr.tree_model": 4,
    "skxmr.prediction": 4,
    "skxmr.pruning": 4,
    "skxmr.tree_ensemble": 4,
    "skxmr.option_checks": 4,
    "skxmr.html_caption": 4,
    "skxmr.cost_estimate": 5,
    "skxmr.presets": 4,
    "skxmr.tree_training": 5,
    "skxmr.unfinished_fit": 5,
    "skxmr.tree_cache": 6,
    "skxmr.classifier": 7,
    "skxmr.inspection": 7,
    "skxmr.transformer": 8,
    "skxmr.persistence": 9,
    "skxmr.cli": 10,
    "skxmr": 11,
}
STAGES = {"skxmr.indexing", "skxmr.matching", "skxmr.ranking"}
MODULES = sorted(p for p in ROOT.rglob("*") if p.suffix in {".py", ".pyx", ".pxd"})


def name_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(module):
    return max((room for room in FLOORS if f"{module}.".startswith(f"{room}.")), key=len)


def imports_of(path):
    """Yield the dotted names that a module imports or cimports."""
    text = path.read_text()
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                yield node.module
    else:
        yield from re.findall(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+[\w.]+)", text, re.M)
        yield from re.findall(r"^\s*c?import\s+([\w.]+)", text, re.M)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down(path):
    room = room_of(name_of(path))
    for imported in imports_of(path):
        if not f"{imported}.".startswith("skxmr."):
            continue
        target = room_of(imported)
        if target == room:
            continue
        assert FLOORS[target] < FLOORS[room], f"{name_of(path)} imports {imported}"
        assert not {room, target} <= STAGES, f"stage {room} imports stage {target}"


@pytest.mark.parametrize("path", [p for p in MODULES if p.suffix == ".pyx"], ids=name_of)
def test_kernels_import_no_python_module_of_ours(path):
    for match in re.finditer(
        r"^\s*(?:from|import)\s+(skxmr[\w.]*)(\s+import)?", path.read_text(), re.M
    ):
        assert match.group(2) is None, f"{path.name} imports {match.group(1)}"
        assert match.group(0).split()[0] == "from", f"{path.name} imports {match.group(1)}"


@pytest.mark.parametrize("path", [p for p in MODULES if p.suffix == ".pxd"], ids=name_of)
def test_a_pxd_exists_only_where_another_kernel_needs_it(path):
    others = [p for p in MODULES if p.suffix in {".pyx", ".pxd"} and p.stem != path.stem]
    assert any(name_of(path) in imports_of(p) for p in others)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= (350 if path.suffix == ".pyx" else 400)


def test_every_kernel_is_in_the_table_of_extensions():
    table = (ROOT.parent / "setup.py").read_text() if (ROOT.parent / "setup.py").exists() else None
    if table is None:
        pytest.skip("no source checkout beside the package")
    for path in MODULES:
        if path.suffix == ".pyx":
            assert f'"{name_of(path)}"' in table


def test_nothing_else_than_the_dependencies_is_needed():
    allowed = {"numpy", "scipy", "sklearn", "joblib", "skxmr"}
    extras = {  # imported when asked for
        "skxmr.matching.similarity_index": {"hnswlib"},
        "skxmr.inspection._axes": {"matplotlib"},
        "skxmr.transformer": {"torch", "transformers", "tqdm"},
        "skxmr.persistence._transformer_kinds": {"torch"},
    }
    standard = set(__import__("sys").stdlib_module_names)
    for path in MODULES:
        if path.suffix == ".py":
            for imported in imports_of(path):
                name = name_of(path)
                known = allowed | standard | extras.get(name, extras.get(room_of(name), set()))
                assert imported.split(".")[0] in known, f"{path}: {imported}"

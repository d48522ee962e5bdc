"""The layers of the packages, the underscores of module names, and the allowed dependencies."""

import ast
import re
from pathlib import Path

import pytest

import skxmr

ROOT = Path(skxmr.__file__).parent
# A package imports only from packages of a lower layer.
LAYERS = {
    "skxmr._core": 0,
    "skxmr._linear": 1,
    "skxmr.datasets": 1,
    "skxmr.indexing": 1,
    "skxmr.metrics": 1,
    "skxmr.calibration": 2,
    "skxmr.matching": 2,
    "skxmr.model_selection": 2,
    "skxmr.cost_estimate": 3,
    "skxmr.ranking": 3,
    "skxmr.xr_linear": 4,
    "skxmr.inspection": 5,
    "skxmr.transformer": 5,
    "skxmr.persistence": 7,
    "skxmr.cli": 8,
    "skxmr": 9,
}
STAGES = {"skxmr.indexing", "skxmr.matching", "skxmr.ranking"}
MODULES = sorted(p for p in ROOT.rglob("*") if p.suffix in {".py", ".pyx", ".pxd"})


def name_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def package_of(module):
    return max((p for p in LAYERS if f"{module}.".startswith(f"{p}.")), key=len)


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
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
    else:
        yield from re.findall(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+[\w.]+)", text, re.M)
        yield from re.findall(r"^\s*c?import\s+([\w.]+)", text, re.M)


def test_every_package_has_a_layer():
    folders = {f"skxmr.{p.parent.name}" for p in ROOT.glob("*/__init__.py")}
    assert folders == set(LAYERS) - {"skxmr"}


def test_top_level_has_no_other_modules():
    assert {p.name for p in MODULES if p.parent == ROOT} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_imports_only_lower_layers(path):
    package = package_of(name_of(path))
    for imported in imports_of(path):
        if not f"{imported}.".startswith("skxmr."):
            continue
        target = package_of(imported)
        if target == package:
            continue
        assert LAYERS[target] < LAYERS[package], f"{name_of(path)} imports {imported}"
        assert not {package, target} <= STAGES, f"stage {package} imports stage {target}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_does_not_import_private_modules_of_other_packages(path):
    package = package_of(name_of(path))
    for imported in imports_of(path):
        if f"{imported}.".startswith("skxmr.") and package_of(imported) != package:
            inside = imported.removeprefix(package_of(imported)).strip(".")
            is_private = inside.startswith("_") and not inside.startswith("__")
            assert not is_private, f"{name_of(path)} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_is_private_once(path):
    # A public package has private modules; a private package has plain modules.
    *folders, name = path.relative_to(ROOT).with_suffix("").parts
    if folders and not name.startswith("__"):
        assert name.startswith("_") != folders[0].startswith("_")


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
        "skxmr.matching._similarity_index": {"hnswlib"},
        "skxmr.inspection._axes": {"matplotlib"},
        "skxmr.transformer": {"torch", "transformers", "tqdm"},
        "skxmr.persistence._transformer_codecs": {"torch"},
    }
    standard = set(__import__("sys").stdlib_module_names)
    for path in MODULES:
        if path.suffix == ".py":
            for imported in imports_of(path):
                name = name_of(path)
                known = allowed | standard | extras.get(name, extras.get(package_of(name), set()))
                assert imported.split(".")[0] in known, f"{path}: {imported}"

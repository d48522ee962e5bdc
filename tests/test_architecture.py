"""Layers of the packages, names of private modules, and allowed dependencies."""

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
    "skxmr.text": 1,
    "skxmr.calibration": 2,
    "skxmr.matching": 2,
    "skxmr.cost_estimate": 3,
    "skxmr.model_selection": 3,
    "skxmr.ranking": 3,
    "skxmr.zero_shot": 3,
    "skxmr.xr_linear": 4,
    "skxmr.inspection": 5,
    "skxmr.interop": 5,
    "skxmr.transformer": 5,
    "skxmr.compose": 6,
    "skxmr.pipeline": 6,
    "skxmr.persistence": 7,
    "skxmr.serving": 8,
    "skxmr.cli": 9,
    "skxmr": 10,
}
STAGES = {"skxmr.indexing", "skxmr.matching", "skxmr.ranking"}
MODULES = sorted(p for p in ROOT.rglob("*") if p.suffix in {".py", ".pyx", ".pxd"})


def get_module_name(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def get_package(module):
    return max((p for p in LAYERS if f"{module}.".startswith(f"{p}.")), key=len)


def find_imports(path):
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


def test_packages_all_have_a_layer():
    folders = {f"skxmr.{p.parent.name}" for p in ROOT.glob("*/__init__.py")}
    assert folders == set(LAYERS) - {"skxmr"}


def test_top_level_has_only_init_and_main():
    assert {p.name for p in MODULES if p.parent == ROOT} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("path", MODULES, ids=get_module_name)
def test_module_imports_only_lower_layers(path):
    package = get_package(get_module_name(path))
    for imported in find_imports(path):
        if not f"{imported}.".startswith("skxmr."):
            continue
        target = get_package(imported)
        if target == package:
            continue
        assert LAYERS[target] < LAYERS[package], f"{get_module_name(path)} imports {imported}"
        assert not {package, target} <= STAGES, f"stage {package} imports stage {target}"


@pytest.mark.parametrize("path", MODULES, ids=get_module_name)
def test_module_does_not_import_private_modules_of_other_packages(path):
    package = get_package(get_module_name(path))
    for imported in find_imports(path):
        if f"{imported}.".startswith("skxmr.") and get_package(imported) != package:
            inside = imported.removeprefix(get_package(imported)).strip(".")
            is_private = inside.startswith("_") and not inside.startswith("__")
            assert not is_private, f"{get_module_name(path)} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=get_module_name)
def test_module_name_is_private_only_in_public_packages(path):
    # A public package has private modules; a private package has plain modules.
    *folders, name = path.relative_to(ROOT).with_suffix("").parts
    if folders and not name.startswith("__"):
        assert name.startswith("_") != folders[0].startswith("_")


@pytest.mark.parametrize("path", [p for p in MODULES if p.suffix == ".pyx"], ids=get_module_name)
def test_pyx_imports_no_python_module_of_skxmr(path):
    for match in re.finditer(
        r"^\s*(?:from|import)\s+(skxmr[\w.]*)(\s+import)?", path.read_text(), re.M
    ):
        assert match.group(2) is None, f"{path.name} imports {match.group(1)}"
        assert match.group(0).split()[0] == "from", f"{path.name} imports {match.group(1)}"


@pytest.mark.parametrize("path", [p for p in MODULES if p.suffix == ".pxd"], ids=get_module_name)
def test_pxd_is_imported_by_another_pyx(path):
    others = [p for p in MODULES if p.suffix in {".pyx", ".pxd"} and p.stem != path.stem]
    assert any(get_module_name(path) in find_imports(p) for p in others)


def test_setup_lists_every_pyx():
    table = (ROOT.parent / "setup.py").read_text() if (ROOT.parent / "setup.py").exists() else None
    if table is None:
        pytest.skip("the package was installed without its setup.py")
    for path in MODULES:
        if path.suffix == ".pyx":
            assert f'"{get_module_name(path)}"' in table


def test_modules_import_only_declared_dependencies():
    allowed = {"numpy", "scipy", "sklearn", "joblib", "skxmr"}
    extras = {  # optional dependencies, imported only when needed
        "skxmr.datasets._tables": {"pyarrow"},
        "skxmr.matching._similarity_index": {"hnswlib"},
        "skxmr.inspection._axes": {"matplotlib"},
        "skxmr.serving": {"h11", "prometheus_client", "starlette", "uvicorn"},
        "skxmr.transformer": {"torch", "transformers", "tqdm"},
        "skxmr.persistence._transformer_codecs": {"torch"},
    }
    standard = set(__import__("sys").stdlib_module_names)
    for path in MODULES:
        if path.suffix == ".py":
            for imported in find_imports(path):
                name = get_module_name(path)
                known = allowed | standard | extras.get(name, extras.get(get_package(name), set()))
                assert imported.split(".")[0] in known, f"{path}: {imported}"

"""The code in the README prints the documented output."""

import re

import pytest

from helpers.pages import ROOT, run_code

README = ROOT / "README.md"

pytestmark = pytest.mark.skipif(not README.exists(), reason="README.md is not installed")


def test_readme_code_prints_documented_output(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_code(README, capsys)


def test_readme_has_no_placeholders():
    assert not re.search(r"\b(?!EXAMPLE_CSV)[A-Z]{4,}_[A-Z]{3,}\b|TODO", README.read_text())

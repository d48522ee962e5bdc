"""The README's lines of use do what they say."""

import re

import pytest

from helpers.pages import ROOT, run_code

README = ROOT / "README.md"

pytestmark = pytest.mark.skipif(not README.exists(), reason="no source checkout around the tests")


def test_the_lines_of_use_print_what_they_promise(capsys):
    run_code(README, capsys)


def test_nothing_is_left_to_fill_in():
    assert not re.search(r"\b[A-Z]{4,}_[A-Z]{3,}\b|TODO", README.read_text())

"""The README's lines of use do what they say."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.skipif(not README.exists(), reason="no source checkout around the tests")
def test_the_lines_of_use_print_what_they_promise(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    exec(code, {})
    promised = re.search(r"print\(.*\)  # (.*)", code).group(1)
    assert capsys.readouterr().out.strip() == promised


@pytest.mark.skipif(not README.exists(), reason="no source checkout around the tests")
def test_nothing_is_left_to_fill_in():
    assert not re.search(r"\b[A-Z]{4,}_[A-Z]{3,}\b|TODO", README.read_text())

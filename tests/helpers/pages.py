"""Run the Python of a Markdown page, and hold what it prints to what its comments promise."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_code(page, capsys):
    """Run the blocks in order, as one program; each `print(...)  # text` must print that text.

    Returns the names that they leave behind.
    """
    code = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
    names = {}
    exec(compile(code, page.name, "exec"), names)
    promised = re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == promised
    return names

"""Run the Python code of a Markdown page and compare its output with the comments."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_code(page, capsys, languages="python"):
    """Run all Python blocks of a page as one program and return its global variables.

    Each line ``print(...)  # text`` must print the text of its comment. `languages` is a regular
    expression: "python|py" also runs the blocks that need other packages or files.
    """
    blocks = re.findall(rf"^```(?:{languages})\n(.*?)```", page.read_text(), re.DOTALL | re.M)
    code = "\n".join(blocks)
    variables = {}
    exec(compile(code, page.name, "exec"), variables)
    expected_lines = re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == expected_lines
    return variables

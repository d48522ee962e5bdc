"""The example about transformers runs offline with any encoder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "plot_transformer.py"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="needs the source checkout with examples/")
def test_example_prints_table_and_saves_figure(tiny_bert, tmp_path):
    pytest.importorskip("torch")
    figure = tmp_path / "figure.png"
    done = subprocess.run(
        [sys.executable, EXAMPLE, "--model", tiny_bert, "--rows", "120", "--output", figure],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = re.findall(r"^  (\S.*?) +([01]\.\d+)  ([01]\.\d+)  \S+$", done.stdout, re.MULTILINE)
    assert [line[0] for line in lines] == [
        "TF-IDF",
        "embeddings",
        "both, frozen",
        "both, fine-tuned",
    ]
    assert len({line[1:] for line in lines}) > 1
    assert figure.exists() or "Install matplotlib" in done.stdout

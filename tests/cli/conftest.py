"""Data files and a trained model of texts."""

import pytest

from helpers.text_files import CONTENT, OPTIONS
from skxmr.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a current folder with the file texts.csv."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.csv").write_bytes(CONTENT)
    return tmp_path


@pytest.fixture
def text_model(folder, capsys):
    """Train a model on texts.csv; return what the command wrote to standard error."""
    command = ["train", "texts.csv", "model", *OPTIONS, "--random-state", "0", "--verbose", "0"]
    assert main(command) == 0
    return capsys.readouterr().err

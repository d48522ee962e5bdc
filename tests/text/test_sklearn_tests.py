"""scikit-learn's own tests of its vectorizers, run with the classes of `skxmr.text`."""

import importlib.util
import re
import subprocess
import sys

import pytest

# In the new process, scikit-learn's tests import the classes of skxmr under the names of
# scikit-learn. Warnings are not errors, as in scikit-learn's own configuration.
PROGRAM = """
import os, sys, warnings
import pytest
from sklearn.feature_extraction import text
from skxmr.text import CountVectorizer, TfidfVectorizer
text.CountVectorizer, text.TfidfVectorizer = CountVectorizer, TfidfVectorizer
sys.exit(pytest.main(["-q", "-c", os.devnull, "--rootdir", sys.argv[1], "-p", "no:cacheprovider",
                      "-p", "no:randomly", "--import-mode=importlib", sys.argv[2]]))
"""


def test_vectorizers_pass_the_tests_of_scikit_learn(tmp_path):
    spec = importlib.util.find_spec("sklearn.feature_extraction.tests.test_text")
    if spec is None:
        pytest.skip("scikit-learn is installed without its tests")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), spec.origin]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-1000:]
    assert int(re.search(r"(\d+) passed", run.stdout).group(1)) > 50

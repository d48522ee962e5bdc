"""`import skxmr` imports no large package of scikit-learn that few users need."""

import subprocess
import sys

# Each takes 4 to 8 MB of memory and 5 to 30 ms.
LAZY_PACKAGES = ("sklearn.decomposition", "sklearn.linear_model", "sklearn.metrics", "sklearn.svm")
CODE = f"import sys, skxmr; print([name for name in {LAZY_PACKAGES} if name in sys.modules])"


def test_import_is_light():
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"

"""`import skxmr` imports no large or optional package that few users need."""

import subprocess
import sys

LAZY_PACKAGES = (
    # Each takes 4 to 8 MB of memory and 5 to 30 ms.
    *("sklearn.decomposition", "sklearn.linear_model", "sklearn.metrics", "sklearn.svm"),
    # Optional packages of the server.
    *("uvicorn", "starlette", "prometheus_client"),
)
CODE = f"""
import sys, skxmr, skxmr.cli
print([name for name in {LAZY_PACKAGES} if name in sys.modules])
"""


def test_import_is_light():
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"

"""Fits and tasks on a local ray cluster."""

import os
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config

from helpers import remote_functions
from skxmr import XRLinearClassifier
from skxmr._core.threads import run_tasks

ray = pytest.importorskip("ray")
joblib_of_ray = pytest.importorskip("ray.util.joblib")

# ray leaves files open, and warns about options of joblib that it does not support.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def ray_workers():
    paths = [str(Path(remote_functions.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, paths))}}
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        runtime_env=environment,
    )
    joblib_of_ray.register_ray()
    yield
    ray.shutdown()


def test_fit_on_ray_gives_the_same_ranking(ray_workers, xmc_data, tmp_path):
    model = XRLinearClassifier(max_leaf_size=20, random_state=0)
    expected = model.fit(*xmc_data).predict_topk(xmc_data[0])
    model.set_params(model_dir=tmp_path / "model")
    with parallel_config(backend="ray", n_jobs=2):
        model.fit(*xmc_data)
    for array, expected_array in zip(model.predict_topk(xmc_data[0]), expected, strict=True):
        np.testing.assert_array_equal(array, expected_array)


def test_run_tasks_on_ray_sends_tasks_of_a_lost_worker_again(ray_workers, tmp_path):
    values = np.arange(300_000.0)
    tasks = [(values, factor, str(tmp_path)) for factor in range(12)]
    with parallel_config(backend="ray", n_jobs=2), pytest.warns(match="Workers were lost"):
        results = run_tasks(remote_functions.multiply_and_kill_first_worker, tasks, 2)
    assert (tmp_path / "died").exists()
    for factor, result in enumerate(results):
        np.testing.assert_array_equal(result, values * factor)

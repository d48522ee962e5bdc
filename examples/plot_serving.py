"""
====================================
Serve a model from several processes
====================================

This example starts an HTTP server for a text model, sends requests, and measures the response
times. The saved model is memory-mapped: it loads in milliseconds, and all processes of a machine
share one copy. The server, ``serving/server.py`` in the folder of this example, uses only the
standard library and skxmr. :doc:`/guide/serving` shows its code and results with large models.
"""

# %%
# Train and save a text model
# ---------------------------
# The texts are parts of the documentation of NumPy, SciPy and scikit-learn. The labels are the
# functions and classes that they document. Requests contain texts and responses contain label
# names, so the complete pipeline is saved, with the names as ``extras``.

import atexit
import json
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier, save_model
from skxmr.datasets import load_api_docs
from skxmr.text import TfidfVectorizer

docs = load_api_docs()
model = make_pipeline(
    TfidfVectorizer(sublinear_tf=True, dtype=np.float32),
    XRLinearClassifier(n_jobs=-1, random_state=0),
)
model.fit(docs.data, docs.target)
folder = tempfile.TemporaryDirectory()
model_path = Path(folder.name) / "docs.model"
save_model(model, model_path, extras={"names": np.array(docs.target_names)})
print(f"{len(docs.data)} texts, {len(docs.target_names)} labels")

# %%
# Start two worker processes
# --------------------------
# The server prints its address when both workers have loaded the model. Connections are distributed
# over the workers, and a connection can be used for many requests.

program = Path(sys.argv[0]).parent / "serving" / "server.py"
command = [sys.executable, program, model_path, "--workers", "2", "--port", "0"]
server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
atexit.register(server.terminate)  # also if this script fails
port = int(re.match(r"http://127\.0\.0\.1:(\d+) ", server.stdout.readline())[1])


def post_texts(connection, texts, k=3):
    """Post texts; return the names and scores of their top labels."""
    connection.request("POST", "/predict", json.dumps({"texts": texts, "k": k}))
    response = connection.getresponse()
    reply = json.loads(response.read())
    if response.status != 200:
        raise ValueError(reply["error"])
    return reply


connection = HTTPConnection("127.0.0.1", port)
questions = ["solve a sparse linear system", "histogram of an array"]
reply = post_texts(connection, questions)
for question, names, scores in zip(questions, reply["labels"], reply["scores"], strict=True):
    print(f"\n{question}")
    for name, score in zip(names, scores, strict=True):
        print(f"  {score:.2f}  {name}")

# %%
# The response to an invalid request has a status of 400 or higher and an error message.

try:
    post_texts(connection, questions, k=1000)
except ValueError as error:
    print(error)

# %%
# Run a load test
# ---------------
# Each connection sends one text after the other. When all workers are busy, more connections only
# increase the waiting time. The clients run on the same processors as the server, so response times
# on separate machines are shorter.


def measure_requests(texts):
    """Send texts over one connection; return the response time of each, in milliseconds."""
    connection = HTTPConnection("127.0.0.1", port)
    milliseconds = []
    for text in texts:
        start = time.perf_counter()
        post_texts(connection, [text])
        milliseconds.append(1e3 * (time.perf_counter() - start))
    connection.close()
    return milliseconds


response_times = {}
for n_connections in (1, 2, 8):
    texts_per_client = [
        docs.data[i : 400 * n_connections : n_connections] for i in range(n_connections)
    ]
    start = time.perf_counter()
    with ThreadPoolExecutor(n_connections) as clients:
        times = np.concatenate(list(clients.map(measure_requests, texts_per_client)))
    rate = len(times) / (time.perf_counter() - start)
    p50, p99 = np.quantile(times, (0.5, 0.99))
    response_times[n_connections] = times
    print(
        f"{n_connections} connections: {rate:.0f} requests per second, "
        f"median {p50:.1f} ms, 99th percentile {p99:.1f} ms"
    )

# %%
# Each curve shows the fraction of requests that were answered within a time.

fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
# Colors that color-blind readers can distinguish.
for (n_connections, times), color in zip(
    response_times.items(), ("#0072B2", "#E69F00", "#555555"), strict=True
):
    fraction = np.arange(1, len(times) + 1) / len(times)
    ax.plot(np.sort(times), fraction, color=color, label=f"{n_connections}")
ax.set(
    xscale="log",
    title="Response time",
    xlabel="milliseconds",
    ylabel="fraction of requests",
)
ax.legend(title="connections")
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Stop the server
# ---------------
# The server finishes pending requests and then stops its workers.

connection.close()
server.terminate()
server.communicate()
folder.cleanup()

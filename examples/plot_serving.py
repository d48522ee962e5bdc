"""
=======================
Serve a model over HTTP
=======================

This example starts the HTTP server ``skxmr serve`` for a text model, sends requests, and measures
the response times. :doc:`/guide/serving` explains the options of the server and how to deploy it.
"""

# %%
# Train and save a text model
# ---------------------------
# The texts are parts of the documentation of NumPy, SciPy and scikit-learn. The labels are the
# functions and classes that they document.

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skxmr import make_text_classifier, save_model
from skxmr.datasets import load_api_docs

docs = load_api_docs()
columns_per_text = np.split(docs.target.indices, docs.target.indptr[1:-1])
labels = [[docs.target_names[j] for j in columns] for columns in columns_per_text]
model = make_text_classifier(n_jobs=-1, random_state=0).fit(docs.data, labels)
folder = tempfile.TemporaryDirectory()
model_path = Path(folder.name) / "docs.model"
save_model(model, model_path)
print(f"{len(docs.data)} texts, {len(docs.target_names)} labels")

# %%
# Start the server
# ----------------
# The server prints its address when its two worker processes have loaded the model. In a browser,
# the address shows suggestions while you type.

command = [sys.executable, "-m", "skxmr", "serve", model_path, "--port", "0", "--workers", "2"]
server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
address = server.stdout.readline().split()[0].removeprefix("http://")


def post_texts(connection, texts, k=3):
    """Post texts; return the labels and scores for each."""
    body = json.dumps({"texts": texts, "k": k})
    connection.request("POST", "/suggest", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    reply = json.loads(response.read())
    if response.status != 200:
        raise ValueError(reply["error"])
    return reply["suggestions"]


connection = HTTPConnection(address)
questions = ["solve a sparse linear system", "histogram of an array"]
for question, suggestions in zip(questions, post_texts(connection, questions), strict=True):
    print(f"\n{question}")
    for suggestion in suggestions:
        print(f"  {suggestion['score']:.2f}  {suggestion['label']}")

# %%
# The response to an invalid request has a status of 400 or higher and an error message.

try:
    post_texts(connection, questions, k=1000)
except ValueError as error:
    print(error)

# %%
# Measure response times
# ----------------------
# Each connection sends one text after the other. When all workers are busy, more connections only
# increase the waiting time. The clients run on the same processors as the server, so response times
# on separate machines are shorter.


def measure_requests(texts):
    """Send texts over one connection; return the response time of each, in milliseconds."""
    connection = HTTPConnection(address)
    milliseconds = []
    for text in texts:
        start = time.perf_counter()
        post_texts(connection, [text])
        milliseconds.append(1e3 * (time.perf_counter() - start))
    connection.close()
    return milliseconds


fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
# Colors that color-blind readers can distinguish.
for n_connections, color in [(1, "#0072B2"), (2, "#E69F00"), (8, "#555555")]:
    texts_per_client = [
        docs.data[i : 400 * n_connections : n_connections] for i in range(n_connections)
    ]
    start = time.perf_counter()
    with ThreadPoolExecutor(n_connections) as clients:
        times = np.concatenate(list(clients.map(measure_requests, texts_per_client)))
    rate = len(times) / (time.perf_counter() - start)
    p50, p99 = np.quantile(times, (0.5, 0.99))
    print(
        f"{n_connections} connections: {rate:.0f} requests per second, "
        f"median {p50:.1f} ms, 99th percentile {p99:.1f} ms"
    )
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

"""
====================================
Serve a model from several processes
====================================

A saved model is mapped into memory, not read: it is there in milliseconds, and all processes of a
machine share one copy of it. This starts a small server on the loopback address, asks it, and loads
it. The server, ``serving/server.py`` beside this file, needs nothing but the standard library;
:doc:`/guide/serving` shows it whole, with figures of large models.
"""

# %%
# A model of texts
# ----------------
# Pieces of the documentation of numpy, scipy and scikit-learn, labelled by the objects that they
# document. A request brings texts and wants names, so the pipeline is saved with its vectorizer,
# and the names of the labels go along.

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
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier, save_model
from skxmr.datasets import load_api_docs

docs = load_api_docs()
model = make_pipeline(
    TfidfVectorizer(sublinear_tf=True, dtype=np.float32),
    XRLinearClassifier(n_jobs=-1, random_state=0),
)
model.fit(docs.data, docs.target)
folder = tempfile.TemporaryDirectory()
saved = Path(folder.name) / "docs.model"
save_model(model, saved, extras={"names": np.array(docs.target_names)})
print(f"{len(docs.data)} texts, {len(docs.target_names)} labels")

# %%
# Two processes
# -------------
# The server says where it listens once both have mapped the model. Connections are spread over
# them; each is kept open for as many requests as its client has.

program = Path(sys.argv[0]).parent / "serving" / "server.py"
command = [sys.executable, program, saved, "--workers", "2", "--port", "0"]
server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
atexit.register(server.terminate)  # should this script fail
port = int(re.match(r"http://127\.0\.0\.1:(\d+) ", server.stdout.readline())[1])


def ask(connection, texts, k=3):
    """Post texts, return names and scores of their best labels."""
    connection.request("POST", "/predict", json.dumps({"texts": texts, "k": k}))
    response = connection.getresponse()
    answer = json.loads(response.read())
    if response.status != 200:
        raise ValueError(answer["error"])
    return answer


connection = HTTPConnection("127.0.0.1", port)
questions = ["solve a sparse linear system", "histogram of an array"]
answer = ask(connection, questions)
for question, names, scores in zip(questions, answer["labels"], answer["scores"], strict=True):
    print(f"\n{question}")
    for name, score in zip(names, scores, strict=True):
        print(f"  {score:.2f}  {name}")

# %%
# What is wrong with a request is said in the answer, with a status from 400 up.

try:
    ask(connection, questions, k=1000)
except ValueError as error:
    print(error)

# %%
# A load test
# -----------
# Each connection asks for one text after the other. As soon as all processes have work, more
# connections only wait longer. Here the clients take their share of the same processors.


def keep_asking(texts):
    """Return the milliseconds of each request over one connection."""
    connection = HTTPConnection("127.0.0.1", port)
    took = []
    for text in texts:
        start = time.perf_counter()
        ask(connection, [text])
        took.append(1e3 * (time.perf_counter() - start))
    connection.close()
    return took


took = {}
for n_connections in (1, 2, 8):
    shares = [docs.data[i : 400 * n_connections : n_connections] for i in range(n_connections)]
    start = time.perf_counter()
    with ThreadPoolExecutor(n_connections) as clients:
        took[n_connections] = np.concatenate(list(clients.map(keep_asking, shares)))
    rate = len(took[n_connections]) / (time.perf_counter() - start)
    p50, p99 = np.quantile(took[n_connections], (0.5, 0.99))
    print(
        f"{n_connections} connections: {rate:.0f} requests a second, "
        f"half within {p50:.1f} ms, 99 of 100 within {p99:.1f}"
    )

# %%

fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
# Colours that can be told apart without seeing red or green.
for (n_connections, times), color in zip(
    took.items(), ("#0072B2", "#E69F00", "#555555"), strict=True
):
    part = np.arange(1, len(times) + 1) / len(times)
    ax.plot(np.sort(times), part, color=color, label=f"{n_connections}")
ax.set(
    xscale="log",
    title="How long an answer takes",
    xlabel="milliseconds",
    ylabel="part of the requests answered by then",
)
ax.legend(title="connections")
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The end
# -------
# The server answers what it is at, and ends its processes.

connection.close()
server.terminate()
server.communicate()
folder.cleanup()

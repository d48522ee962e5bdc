"""What a fit tells about itself while it runs: stages, levels, and how long it may still take.

Work is counted in tasks of many clusters, some dozens a worker, so telling costs nothing beside it.
"""

import sys
import threading
import time
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np


class LevelSize(NamedTuple):
    """What is trained on one level.

    Attributes
    ----------
    number, n_levels : int
        Which level below the root, from 1, of how many.
    n_clusters : int
        Clusters whose children are told from each other.
    n_children : int
        These children: clusters, or labels on the last level.
    n_rows : int
        Rows that the clusters train on; a row counts in each of its clusters.
    """

    number: int
    n_levels: int
    n_clusters: int
    n_children: int
    n_rows: int


class Listener:
    """Hears of the progress of a fit; does nothing. Calls come from one thread at a time."""

    def on_stage(self, name, seconds):
        """Take note that a stage ended: `name` says what it made."""

    def on_tree(self, number, n_trees, n_levels):
        """Take note that the training of tree `number`, from 1, of so many levels, begins."""

    def on_levels(self, sizes, n_parts):
        """Take note that levels begin together; each has so many parts."""

    def on_part(self, size, share, seconds, rest):
        """Take note that a part of a level ended; `rest` seconds are left, `share` is done."""

    def on_level(self, size, seconds, rest):
        """Take note that a level ended."""

    def on_tree_end(self):
        """Take note that the training of a tree ended."""


class Progress:
    """Count the work of a fit and pass it on.

    Parameters
    ----------
    listeners : sequence of Listener
        Who hears of it.
    """

    def __init__(self, listeners=()):
        self.listeners = listeners
        self._lock = threading.Lock()
        self._tree = self._n_trees = 1
        self._level = self._n_levels = 0

    def _tell(self, event, *args):
        for listener in self.listeners:
            getattr(listener, event)(*args)

    @contextmanager
    def stage(self):
        """Time a stage; the list that is yielded takes one string: what the stage made."""
        said, start = [], time.perf_counter()
        yield said
        self._tell("on_stage", *said, time.perf_counter() - start)

    @contextmanager
    def tree(self, number, n_trees, n_levels):
        """Count the levels of a tree: `number`, from 1, of so many."""
        self._tree, self._n_trees = number, n_trees
        self._level, self._n_levels = 0, n_levels
        self._tell("on_tree", number, n_trees, n_levels)
        yield
        self._tell("on_tree_end")

    def skip_levels(self, n_levels):
        """Count levels that a matcher of the user's own takes the place of."""
        self._level += n_levels

    def levels(self, n_clusters, n_children, n_rows, work):
        """Begin levels that are trained together.

        Parameters
        ----------
        n_clusters, n_children, n_rows : list of int
            Of each level; see `LevelSize`.
        work : ndarray of shape (n_tasks, n_levels)
            Estimated work of each task on each level.

        Returns
        -------
        callable or None
            To be called with the number of each task when it is done, from any thread; None where
            nobody listens.
        """
        numbers = range(self._level + 1, self._level + len(n_rows) + 1)
        self._level += len(n_rows)
        if not self.listeners or not len(n_rows):
            return None
        sizes = [
            LevelSize(number, self._n_levels, *counts)
            for number, *counts in zip(numbers, n_clusters, n_children, n_rows, strict=True)
        ]
        waiting = (work > 0).sum(axis=0)
        self._tell("on_levels", sizes, waiting.tolist())
        start, done, total = time.perf_counter(), 0.0, work.sum()

        def on_done(task):
            nonlocal done
            with self._lock:
                done += work[task].sum()
                seconds = time.perf_counter() - start
                rest = seconds * (total / done - 1)
                # Trees that are still to come take as long.
                rest += (self._n_trees - self._tree) * (seconds + rest)
                for level in np.flatnonzero(work[task]):
                    waiting[level] -= 1
                    self._tell("on_part", sizes[level], done / total, seconds, rest)
                    if waiting[level] == 0:
                        self._tell("on_level", sizes[level], seconds, rest)

        return on_done


class Printer(Listener):
    """Print lines to the standard output.

    Parameters
    ----------
    name : str
        What each line begins with.
    verbose : int
        1 is a line a stage and a level, from 2 on there is a bar as well.
    """

    WIDTH = 30

    def __init__(self, name, verbose):
        self.name = name
        self.bar = verbose > 1
        self._n_trees = self._tree = 1
        self._shown = ""

    def on_stage(self, name, seconds):
        """Print what was made."""
        self._line(f"{name}, {seconds:.1f} s")

    def on_tree(self, number, n_trees, n_levels):
        """Remember which tree it is."""
        self._tree, self._n_trees = number, n_trees

    def on_level(self, size, seconds, rest):
        """Print the level."""
        tree = f"tree {self._tree} of {self._n_trees}, " if self._n_trees > 1 else ""
        kind = "labels" if size.number == size.n_levels else "clusters"
        parents = "the root" if size.n_clusters == 1 else f"{size.n_clusters:,} clusters"
        self._line(
            f"{tree}level {size.number} of {size.n_levels}: {size.n_children:,} {kind} below "
            f"{parents}, {size.n_rows:,} rows, {seconds:.1f} s"
            + (f", about {rest:.1f} s left" if rest else "")
        )

    def on_part(self, size, share, seconds, rest):
        """Draw the bar; where lines cannot be rewritten, one for each tenth."""
        if not self.bar:
            return
        steps = self.WIDTH if sys.stdout.isatty() else 10
        filled = int(share * steps)
        bar = "#" * filled + "." * (steps - filled)
        if bar == self._shown:
            return
        text = f"[{self.name}] [{bar}] {share:4.0%}, about {rest:.1f} s left"
        if sys.stdout.isatty():
            print(f"\r\x1b[K{text}", end="" if share < 1 else "\n", flush=True)
        else:
            print(text, flush=True)
        self._shown = bar

    def _line(self, text):
        if self._shown and sys.stdout.isatty():
            print("\r\x1b[K", end="")
        print(f"[{self.name}] {text}", flush=True)


NO_PROGRESS = Progress()

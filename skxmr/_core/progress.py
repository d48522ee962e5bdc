"""Progress of a fit: finished stages and levels, and an estimate of the remaining time.

A fit has stages (label features, trees, matcher, ...). Trees are trained one by one. Progress on a
level is counted in tasks of many clusters. There are few tasks per worker, so reporting them takes
no noticeable time.
"""

import sys
import threading
import time
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np


class LevelInfo(NamedTuple):
    """Size of the training problem of one level.

    Attributes
    ----------
    number : int
        Number of the level; the children of the root are level 1.
    n_levels : int
        Number of levels of the tree.
    n_clusters : int
        Number of parent clusters.
    n_children : int
        Number of children of these clusters: clusters, or labels on the last level.
    n_rows : int
        Sum of the number of training rows of all parent clusters.
    """

    number: int
    n_levels: int
    n_clusters: int
    n_children: int
    n_rows: int


class Timing(NamedTuple):
    """Progress of levels that are trained together.

    Attributes
    ----------
    fraction : float
        Finished part of the estimated cost, in (0, 1].
    elapsed : float
        Seconds since these levels began.
    remaining : float
        Estimated seconds until the end, including the trees that have not begun.
    """

    fraction: float
    elapsed: float
    remaining: float


class Stage:
    """Running stage of a fit; the code that runs it sets `result`.

    Attributes
    ----------
    result : str
        Short description of the result, for example ``"150 labels, 400 features"``.
    """

    result = ""


class Listener:
    """Base class of objects that are notified of the progress of a fit; its methods do nothing.

    Only one thread at a time calls the methods.
    """

    def on_stage_end(self, name, result, seconds):
        """Receive the name, the result and the duration of a finished stage."""

    def on_tree_begin(self, number, n_trees, n_levels):
        """Receive the number of a tree, from 1, before it is trained."""

    def on_levels_begin(self, levels, n_tasks):
        """Receive the `LevelInfo` and the number of tasks of each level that begins now."""

    def on_task_end(self, level, timing):
        """Receive the `LevelInfo` of a finished task, and the `Timing` of all levels."""

    def on_level_end(self, level, timing):
        """Receive the `LevelInfo` of a finished level, and the `Timing` of all levels."""

    def on_tree_end(self):
        """Receive the end of the training of a tree."""


class Progress:
    """Receive the progress of a fit and notify listeners.

    Parameters
    ----------
    listeners : sequence of Listener
        Objects to notify.
    """

    def __init__(self, listeners=()):
        self.listeners = listeners
        self._lock = threading.Lock()
        self._tree = self._n_trees = 1
        self._level = self._n_levels = 0

    def _notify(self, event, *args):
        for listener in self.listeners:
            getattr(listener, event)(*args)

    @contextmanager
    def stage(self, name):
        """Measure the time of a stage.

        Parameters
        ----------
        name : str
            Name of the stage, for example ``"label features"``.

        Yields
        ------
        Stage
            The block must set its `result`.
        """
        stage, start = Stage(), time.perf_counter()
        yield stage
        self._notify("on_stage_end", name, stage.result, time.perf_counter() - start)

    @contextmanager
    def tree(self, number, n_trees, n_levels):
        """Surround the training of a tree; `number` counts from 1."""
        self._tree, self._n_trees = number, n_trees
        self._level, self._n_levels = 0, n_levels
        self._notify("on_tree_begin", number, n_trees, n_levels)
        yield
        self._notify("on_tree_end")

    def skip_levels(self, n_levels):
        """Count levels that are not trained here because a custom matcher replaces them."""
        self._level += n_levels

    def begin_levels(self, n_clusters, n_children, n_rows, task_costs):
        """Begin the next levels of the tree, which are trained together.

        Parameters
        ----------
        n_clusters, n_children, n_rows : list of int
            Size of each level; see `LevelInfo`.
        task_costs : ndarray of shape (n_tasks, n_levels)
            Estimated cost of each task on each level; 0 if the task does not train the level.

        Returns
        -------
        callable or None
            Function to call with the index of each finished task, from any thread. None if there
            are no listeners or no levels.
        """
        numbers = range(self._level + 1, self._level + len(n_rows) + 1)
        self._level += len(n_rows)
        if not self.listeners or not len(n_rows):
            return None
        levels = [
            LevelInfo(number, self._n_levels, *sizes)
            for number, *sizes in zip(numbers, n_clusters, n_children, n_rows, strict=True)
        ]
        n_unfinished = (task_costs > 0).sum(axis=0)
        self._notify("on_levels_begin", levels, n_unfinished.tolist())
        start, finished_cost, total_cost = time.perf_counter(), 0.0, task_costs.sum()

        def end_task(task):
            nonlocal finished_cost
            with self._lock:
                finished_cost += task_costs[task].sum()
                elapsed = time.perf_counter() - start
                remaining = elapsed * (total_cost / finished_cost - 1)
                # Each of the other trees is expected to take as long as this one.
                remaining += (self._n_trees - self._tree) * (elapsed + remaining)
                timing = Timing(finished_cost / total_cost, elapsed, remaining)
                for i in np.flatnonzero(task_costs[task]):
                    n_unfinished[i] -= 1
                    self._notify("on_task_end", levels[i], timing)
                    if n_unfinished[i] == 0:
                        self._notify("on_level_end", levels[i], timing)

        return end_task


class Printer(Listener):
    """Print the progress to the standard output.

    Parameters
    ----------
    name : str
        Name of the estimator; begins each line.
    verbose : int
        1 prints a line per stage and level. 2 or more also prints a progress bar.
    """

    BAR_WIDTH = 30
    # Without a terminal a line cannot be overwritten: each step of the bar is a new line.
    N_BAR_LINES = 10

    def __init__(self, name, verbose):
        self.name = name
        self.has_bar = verbose > 1
        self._n_trees = self._tree = 1
        self._last_bar = ""

    def on_stage_end(self, name, result, seconds):
        """Print a line."""
        self._print_line(f"{name}: {result}, {seconds:.1f} s")

    def on_tree_begin(self, number, n_trees, n_levels):
        """Store the number of the tree for the lines of its levels."""
        self._tree, self._n_trees = number, n_trees

    def on_level_end(self, level, timing):
        """Print a line."""
        tree = f"tree {self._tree} of {self._n_trees}, " if self._n_trees > 1 else ""
        children = "labels" if level.number == level.n_levels else "clusters"
        parents = "the root" if level.n_clusters == 1 else f"{level.n_clusters:,} clusters"
        remaining = f", about {timing.remaining:.1f} s left" if timing.remaining else ""
        self._print_line(
            f"{tree}level {level.number} of {level.n_levels}: {level.n_children:,} {children} "
            f"below {parents}, {level.n_rows:,} rows, finished after {timing.elapsed:.1f} s"
            f"{remaining}"
        )

    def on_task_end(self, level, timing):
        """Draw the progress bar if it has changed."""
        if not self.has_bar:
            return
        is_terminal = sys.stdout.isatty()
        n_steps = self.BAR_WIDTH if is_terminal else self.N_BAR_LINES
        n_filled = int(timing.fraction * n_steps)
        bar = "#" * n_filled + "." * (n_steps - n_filled)
        if bar == self._last_bar:
            return
        line = f"[{self.name}] [{bar}] {timing.fraction:4.0%}, about {timing.remaining:.1f} s left"
        if is_terminal:
            print(f"\r\x1b[K{line}", end="" if timing.fraction < 1 else "\n", flush=True)
        else:
            print(line, flush=True)
        self._last_bar = bar

    def _print_line(self, text):
        if self._last_bar and sys.stdout.isatty():
            print("\r\x1b[K", end="")  # erase the bar
        print(f"[{self.name}] {text}", flush=True)


NO_PROGRESS = Progress()

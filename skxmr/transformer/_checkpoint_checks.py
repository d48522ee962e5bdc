"""Checks of the state of an unfinished fine-tuning, before it is used."""

import numpy as np
import torch


def check_state(state, targets, schedule, n_dimensions):
    """Check everything of a state that does not depend on the network.

    Parameters
    ----------
    state : dict
        State from a file.
    targets : ClusterTargets
        Clusters of the fit.
    schedule : list of LevelBudget
        Budget of each level.
    n_dimensions : int
        Length of an embedding.

    Raises
    ------
    ValueError, TypeError, KeyError or AttributeError
        If the state is invalid.
    """
    n_rows, n_levels = targets.M.shape[0], targets.hierarchy.n_levels
    level, n_steps = state["level"], state["n_steps"]
    _require(type(level) is int and 0 <= level < n_levels, "level")
    _require(schedule[level].n_epochs > 0, "level")
    is_list = type(n_steps) is list and len(n_steps) == n_levels
    _require(is_list and all(map(_is_count, n_steps)), "n_steps")
    indptr, nodes = state["parents"]
    _check_tensor(indptr, (n_rows + 1,), torch.int64, "parents")
    _check_tensor(nodes, (int(indptr[-1]),), torch.int32, "parents")
    indptr, nodes = indptr.numpy(), nodes.numpy()
    n_parents = len(targets.hierarchy.child_indptrs[level]) - 1
    _require(indptr[0] == 0 and np.all(np.diff(indptr) >= 0), "parents")
    _require(nodes.min(initial=0) >= 0 and nodes.max(initial=0) < n_parents, "parents")
    training = state["training"]
    n_nodes = targets.hierarchy.level_sizes[level]
    _check_head(training["model"]["head"], n_nodes, n_dimensions)
    if training["best"] is not None:
        _check_head(training["best"]["head"], n_nodes, n_dimensions)
        _require(type(training["best"]["precision"]) is float, "precision")
    counts = training["counts"]
    _require(len(counts) == 3 and all(map(_is_count, counts)), "counts")
    _require(type(training["loss"]) is type(training["precision"]) is float, "loss")


def check_optimizer_state(optimizer, state):
    """Check that the state of an optimizer belongs to its parameters.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Optimizer that will load the state.
    state : dict
        State from a file.

    Raises
    ------
    ValueError, TypeError, KeyError or AttributeError
        If the state is invalid.
    """
    groups = optimizer.state_dict()["param_groups"]
    _require(len(groups) == len(state["param_groups"]), "param_groups")
    for group, own_group in zip(state["param_groups"], groups, strict=True):
        _require(type(group["lr"]) is float and 0 <= group["lr"] < np.inf, "lr")
        _require({**own_group, "lr": 0} == {**group, "lr": 0}, "param_groups")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, values in state["state"].items():
        _require(type(number) is int and 0 <= number < len(parameters), "state")
        _require(values.keys() == {"step", "exp_avg", "exp_avg_sq"}, "state")
        _check_tensor(values["step"], (), torch.float32, "step")
        for name in ("exp_avg", "exp_avg_sq"):
            _check_tensor(values[name], parameters[number].shape, torch.float32, name)
        # 0 if each step so far overflowed in float16, in the fused optimizer.
        _require(values["step"] >= 0 and torch.all(values["exp_avg_sq"] >= 0), "state")


def _check_head(head, n_nodes, n_dimensions):
    weights, intercepts = head
    _check_tensor(weights, (n_nodes, n_dimensions), torch.float32, "head")
    _check_tensor(intercepts, (n_nodes,), torch.float32, "head")


def _check_tensor(values, shape, dtype, name):
    # The shape first: a small file can describe a tensor of any size.
    _require(isinstance(values, torch.Tensor) and values.dtype == dtype, name)
    _require(tuple(values.shape) == tuple(shape), name)
    _require(bool(torch.isfinite(values).all()), name)


def _is_count(value):
    return type(value) is int and 0 <= value < 2**31


def _require(condition, name):
    if not condition:
        raise ValueError(f"{name} is invalid")

"""Several processes that train one encoder together, each on its own device.

A launcher such as `torchrun` starts the same script in every process. All processes hold all rows
and the same weights. They divide the rows of each training batch and add up the gradients. So all
take the same steps as a single process would.

In a single process, each function leaves its argument unchanged.
"""

import multiprocessing
import os

import torch
import torch.distributed as dist

# Variables that launchers set, and that torch needs to connect the processes.
LAUNCHER_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# Number of values per message, so that a device needs no memory for the whole array.
VALUES_PER_MESSAGE = 2**24


def connect_processes(device):
    """Connect this process with the others if a launcher started it; else do nothing.

    A process group that the script has initialized before is used unchanged. A group that is
    initialized here remains, because torch does not support a second initialization.

    Parameters
    ----------
    device : torch.device
        Device of this process.
    """
    if not dist.is_available() or dist.is_initialized():
        return
    if any(name not in os.environ for name in LAUNCHER_VARIABLES):
        return
    # Workers of joblib inherit the variables from the process that the launcher started.
    if int(os.environ["WORLD_SIZE"]) == 1 or multiprocessing.parent_process() is not None:
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")


def count_processes():
    """Return the number of connected processes; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def get_process_number():
    """Return the number of this process, from 0."""
    return dist.get_rank() if count_processes() > 1 else 0


def take_share(sequence):
    """Return the items for this process: every n-th item if there are n processes."""
    return sequence[get_process_number() :: count_processes()]


def add_gradients(parameters):
    """Replace the gradients of parameters by their sums over all processes."""
    if count_processes() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    for message in [dist.all_reduce(gradient, async_op=True) for gradient in gradients]:
        message.wait()


def add_numbers(values):
    """Replace a tensor by its sum over all processes, and return it."""
    if count_processes() > 1:
        dist.all_reduce(values)
    return values


def add_arrays(array, device):
    """Replace an array with several rows by its sum over all processes."""
    if count_processes() == 1:
        return
    n_rows = max(1, VALUES_PER_MESSAGE // array.shape[1])
    for start in range(0, len(array), n_rows):
        block = array[start : start + n_rows]
        block[:] = add_numbers(torch.from_numpy(block).to(device)).cpu().numpy()


def copy_from_first_process(tensors):
    """Replace tensors by those of process 0, so that rounding errors do not add up."""
    if count_processes() == 1:
        return
    for tensor in tensors:
        dist.broadcast(tensor, 0)


def check_equal_data(n_rows, fingerprint, device):
    """Raise a ValueError if processes were called with different data or parameters.

    Parameters
    ----------
    n_rows : int
        Number of texts.
    fingerprint : str
        Result of `compute_fingerprint`.
    device : torch.device
        Device of this process.
    """
    parts = [int(fingerprint[i : i + 8], 16) for i in range(0, len(fingerprint), 8)]
    for process, numbers in enumerate(_gather([n_rows, *parts], device)):
        if numbers[0] != n_rows:
            raise ValueError(
                f"texts must have all rows in each process; got {n_rows} rows in process "
                f"{get_process_number()} and {numbers[0]} in process {process}. The processes "
                "divide the rows of each batch themselves."
            )
        if numbers[1:] != parts:
            raise ValueError(
                "texts, M and the parameters must be equal in all processes; got different ones in "
                f"the processes {get_process_number()} and {process}. Check in particular that "
                "each random_state is an integer."
            )


def check_equal_progress(state, device):
    """Raise a ValueError if processes have read different checkpoints.

    No process continues before all have read the file, so none reads a file of this fit.

    Parameters
    ----------
    state : dict or None
        State of a checkpoint, checked by `check_state`.
    device : torch.device
        Device of this process.
    """
    progress = [-1, -1] if state is None else [state["level"], state["training"]["counts"][0]]
    if any(other != progress for other in _gather(progress, device)):
        raise ValueError(
            "checkpoint_dir must contain the same checkpoint for all processes; got different "
            "ones. Use a folder that all machines share."
        )


def _gather(numbers, device):
    """Return the lists of integers of all processes."""
    if count_processes() == 1:
        return [numbers]
    values = torch.tensor(numbers, dtype=torch.int64, device=device)
    gathered = [torch.empty_like(values) for _ in range(count_processes())]
    dist.all_gather(gathered, values)
    return [values.tolist() for values in gathered]

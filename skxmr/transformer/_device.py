"""Where torch computes, in which precision, with which random numbers."""

import threading
from contextlib import contextmanager, nullcontext

import torch

_RANDOM_NUMBERS = threading.RLock()
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


def choose_device(device):
    """Return a torch device.

    Parameters
    ----------
    device : str or torch.device
        "auto" takes CUDA, else MPS, else the CPU; any other is what torch calls a device.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If torch knows no such device, or cannot use it here.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f'device must be "auto" or a device that torch can use here; got {device!r}: {reason}'
        ) from None
    return chosen


def choose_dtype(precision, device):
    """Return the dtype of the matrix products on a device, None for float32.

    Raises
    ------
    ValueError
        If the device does not have it.
    """
    if precision == "float16" and device.type != "cuda":
        raise ValueError(
            f'precision="float16" needs a CUDA device; got device {device.type!r}, for which it '
            'must be "auto", "float32" or "bfloat16".'
        )
    if precision == "auto":
        if device.type != "cuda":
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return None if precision == "float32" else getattr(torch, precision)


def autocast(device, dtype):
    """Return the context in which matrix products have a dtype, None for float32."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)


def random_states(device):
    """Return the states of torch's random numbers that a computation on a device may draw from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states, device):
    """Set what `random_states` returned."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    if "mps" in states:
        torch.mps.set_rng_state(states["mps"])


@contextmanager
def own_random_numbers(device, seed):
    """Seed torch inside the context; the caller's random numbers go on afterwards untouched.

    One thread at a time: all draw from the same generator.
    """
    with _RANDOM_NUMBERS:
        before = random_states(device)
        try:
            torch.default_generator.manual_seed(seed)
            if device.type == "cuda":
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            if device.type == "mps":
                torch.mps.manual_seed(seed)
            yield
        finally:
            set_random_states(before, device)


@contextmanager
def memory_errors_named(batch_size, max_length, where):
    """Turn a device's being out of memory into an error that says which parameters to lower."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        full = isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) or any(
            sign in str(error).lower() for sign in ("out of memory", "can't allocate memory")
        )
        if not full:
            raise
        raise MemoryError(
            f"Out of memory while {where}: lower batch_size (now {batch_size}) or max_length (now "
            f"{max_length}). {str(error).partition(chr(10))[0]}"
        ) from error

"""How torch computes: device, precision, random state, and errors if memory is short."""

import os
import threading
from contextlib import contextmanager, nullcontext

import torch

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
# All threads draw from one generator of torch.
_RANDOM_STATE_LOCK = threading.RLock()


def choose_device(device):
    """Return the `torch.device` of the parameter `device`; ValueError if torch cannot use it.

    "auto" is CUDA if available, else MPS if available, else the CPU. If a launcher such as
    `torchrun` started several processes, each has its own CUDA device.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return _number_cuda_device(torch.device("cuda"))
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        # Not the device "meta", which has no values.
        torch.empty(1, device=chosen).cpu()
    except (RuntimeError, AssertionError, TypeError, NotImplementedError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            'device must be "auto" or a device that torch can use on this machine; '
            f"got {device!r}. torch reports: {reason}"
        ) from None
    return _number_cuda_device(chosen)


def _number_cuda_device(device):
    # LOCAL_RANK is the number of this process on this machine. Some launchers show only one device
    # to each process: that device has the number 0.
    number = int(os.environ.get("LOCAL_RANK", -1))
    is_numbered = device.type != "cuda" or device.index is not None
    if is_numbered or not 0 <= number < torch.cuda.device_count():
        return device
    return torch.device("cuda", number)


def choose_dtype(precision, device, *, training=False):
    """Return the dtype of matrix products, None for float32; ValueError if the device lacks it.

    "auto" takes bfloat16 on a CPU only in a fit. Predictions remain in float32 there: they are the
    same on all CPUs, and for a text alone or in a batch.
    """
    if precision == "float16" and device.type != "cuda":
        raise ValueError(
            f'precision must be "auto", "float32" or "bfloat16" on device {device.type!r}; '
            'got "float16", which needs a CUDA device.'
        )
    if precision == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        if device.type == "cpu" and training and has_fast_bfloat16():
            return torch.bfloat16
        return None
    return None if precision == "float32" else getattr(torch, precision)


def has_fast_bfloat16():
    """Whether this CPU has instructions for matrix products in bfloat16, and torch uses them."""
    if not torch.backends.mkldnn.is_available():
        return False
    if hasattr(torch.cpu, "get_capabilities"):
        return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    # Versions of torch before that function.
    return getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()


def has_fused_adamw(device):
    """Whether the fused AdamW of this version of torch works on a device."""
    parameter = torch.zeros(1, device=device, requires_grad=True)
    parameter.grad = torch.zeros_like(parameter)
    try:
        torch.optim.AdamW([parameter], fused=True).step()
    except (RuntimeError, NotImplementedError):
        return False
    return True


def autocast(device, dtype):
    """Return a context that computes matrix products in a dtype, None for float32."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)


@contextmanager
def use_fast_attention(model, device, dtype):
    """Train with the attention of `transformers` itself if that of torch is slower.

    In bfloat16 on a CPU, a step took 515 instead of 612 ms with 64 tokens per text and 1,025
    instead of 1,922 with 512 (MiniLM, one thread, torch 2.14).
    """
    change = getattr(model, "set_attn_implementation", None)  # older versions lack it
    before = model.config._attn_implementation
    if device.type != "cpu" or dtype is None or change is None or before != "sdpa":
        yield
        return
    change("eager")
    try:
        yield
    finally:
        change(before)


def get_random_states(device):
    """Return the states of torch's generators that a computation on a device may use."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states, device):
    """Restore the result of `get_random_states`."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    if "mps" in states:
        torch.mps.set_rng_state(states["mps"])


def set_seed(device, seed):
    """Seed torch's generators that a computation on a device may use."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    if device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def temporary_seed(device, seed):
    """Seed torch inside the context and restore the caller's random state afterwards.

    Only one thread at a time can be inside, because all threads share torch's generators.
    """
    with _RANDOM_STATE_LOCK:
        callers_states = get_random_states(device)
        try:
            set_seed(device, seed)
            yield
        finally:
            set_random_states(callers_states, device)


@contextmanager
def explain_memory_errors(batch_size, max_length, activity):
    """Replace out-of-memory errors of a device by a MemoryError that names what to lower."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        message = str(error)
        is_out_of_memory = isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) or any(
            sign in message.lower() for sign in ("out of memory", "can't allocate memory")
        )
        if not is_out_of_memory:
            raise
        raise MemoryError(
            f"Out of memory while {activity}. Lower batch_size (now {batch_size}) or max_length "
            f"(now {max_length}). torch reports: {message.partition(chr(10))[0]}"
        ) from error

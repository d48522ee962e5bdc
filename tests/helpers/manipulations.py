"""Random changes of a model folder, with correct checksums."""

import json
import zlib

import numpy as np

from skxmr._core.array_folder import HEADER, header_checksum


def rewrite_header(folder, change):
    """Change the header of a folder, and update its checksum."""
    header = json.loads((folder / HEADER).read_text())
    del header["checksum"]
    change(header)
    header["checksum"] = header_checksum(header)
    (folder / HEADER).write_text(json.dumps(header))


def rewrite_array(folder, name, convert):
    """Replace an array of bytes by `convert` of its content, and update the checksums."""

    def change(header):
        entry = header["arrays"][name]
        content = (folder / name).read_bytes()
        values = convert(content[entry["offset"] :])
        content = content[: entry["offset"]] + values
        (folder / name).write_bytes(content)
        crc32 = f"{zlib.crc32(content):08x}"
        entry |= {"shape": [len(values)], "bytes": len(content), "crc32": crc32}

    rewrite_header(folder, change)


def manipulate(folder, rng):
    """Change an array, a whole file or a field of the header, and correct the checksums."""
    rewrite_header(folder, lambda header: _manipulate(folder, header, rng))


def _manipulate(folder, header, rng):
    if rng.random() < 0.7:
        name = rng.choice(sorted(header["arrays"]))
        entry = header["arrays"][name]
        content = (folder / name).read_bytes()
        if rng.random() < 0.2:
            others = [(folder / other).read_bytes() for other in sorted(header["arrays"])]
            content = change_file(content, others, rng)
            adapt_shape(entry, len(content))
        elif name.endswith("json.npy"):  # a file of an encoder
            values = json.loads(content[entry["offset"] :])
            change_field(values, rng)
            content = content[: entry["offset"]] + json.dumps(values).encode()
            adapt_shape(entry, len(content))
        else:
            values = np.frombuffer(content, entry["dtype"], offset=entry["offset"])
            content = content[: entry["offset"]] + change_values(values, rng).tobytes()
        (folder / name).write_bytes(content)
        entry |= {"bytes": len(content), "crc32": f"{zlib.crc32(content):08x}"}
    else:
        change_field(header, rng)


def adapt_shape(entry, n_bytes):
    """Change the number of rows in the entry of an array to the size of its file."""
    row_size = np.dtype(entry["dtype"]).itemsize * int(np.prod(entry["shape"][1:]))
    if row_size and n_bytes >= entry["offset"]:
        entry["shape"][:1] = [(n_bytes - entry["offset"]) // row_size]


def change_values(values, rng):
    """Return a copy of an array with an exchanged value, another order or other bits."""
    values = np.array(values)
    if not values.size:
        return values
    flat = values.reshape(-1)
    place = rng.integers(len(flat))
    kind = rng.integers(4)
    if kind == 0:
        flat[place] = flat[rng.integers(len(flat))]
    elif kind == 1:
        np.random.RandomState(rng.integers(2**31)).shuffle(flat)
    else:
        content = flat.view(np.uint8)
        size = flat.dtype.itemsize
        content[place * size + rng.integers(size)] ^= np.uint8(rng.integers(1, 256))
    return values


def change_file(content, others, rng):
    """Return the content of a truncated, empty, exchanged or longer file."""
    kind = rng.integers(4)
    if kind == 0:
        return content[: rng.integers(len(content) + 1)]
    if kind == 1:
        return b""
    if kind == 2:
        return others[rng.integers(len(others))]
    return content + rng.bytes(rng.integers(1, 100))


def change_field(values, rng):
    """Change, remove or exchange a random value inside a dict or list from JSON."""
    places = []

    def visit(value):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in list(items):
            places.append((value, key))
            if isinstance(item, (dict, list)):
                visit(item)

    visit(values)
    if not places:
        return
    container, key = places[rng.integers(len(places))]
    other, other_key = places[rng.integers(len(places))]
    new = [None, -1, 0, 1, 2**31, 2**63, 1.5, "", "a", [], {}, True, other[other_key]]
    if rng.random() < 0.1:
        del container[key]
    else:
        value = new[rng.integers(len(new))]
        container[key] = json.loads(json.dumps(value))

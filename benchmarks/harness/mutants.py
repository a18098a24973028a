"""Damage of every kind: bits, headers, texts, trees of JSON, whole files. Seeded."""

import gzip
import json
import math
import random
import re
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

ODD_NUMBERS = (
    *("0", "-1", "1", "2", "1e400", "-1e308", "nan", "inf", "1e-320", "99999999999999999999"),
    *("2147483648", "1.5", "0x10", "1_000", "1,5", "9" * 5000, "٣", "", "-0", "1e999999999"),
)
ODD_WORDS = (
    *(
        "",
        " ",
        "null",
        "~",
        "true",
        "\t",
        "\n",
        "\0",
        "\ufeff",
        "NaN",
        "{",
        "]",
        "<",
        "&amp;",
        "&x;",
    ),
    *(
        "é",
        "\u202e",
        "\U0001d518",
        "../../etc/passwd",
        "=1+1",
        "a" * 5000,
        "\x1b[31m",
        "%s%n",
        "'",
        '"',
        "#",
    ),
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e308, float("nan"), float("inf"), 10**400, "", "x", "2", []),
    *({}, [None], {"": None}, [[[]]], "\ud800", "a" * 3000, ["a", 1], {"RepetitionTime": 2}),
)
ODD_FILES = (
    *(b"", b"\0", b"\x1f\x8b", b"\x1f\x8b\x08\0", b"version https://git-lfs.github.com/spec/v1\n"),
    *(b"\xff\xfe<\0?\0", b"PK\x03\x04", b"<?xml version='1.0'?>", b"\0" * 352, b"n+1\0" * 100),
)


def damage(path: Path, random: random.Random) -> str:
    """Change a file, or one of a folder's, in one or a few ways; say how."""
    if path.is_dir():
        return _in_folder(path, random)
    whole = path.read_bytes()
    if random.random() < 0.04:
        return _replace(path, random)
    change = _change_of(path)
    said = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        whole, how = change(whole, random)
        said.append(how)
    path.write_bytes(whole)
    return ", ".join(said)


def _change_of(path: Path) -> Callable[[bytes, random.Random], tuple[bytes, str]]:
    name = path.name
    if name.endswith(".gz"):
        return _gzip
    if name.endswith((".dtseries.nii", ".dlabel.nii")):
        return _cifti
    if name.endswith(".nii"):
        return _nifti
    if name.endswith(".gii"):
        return _text
    if name.endswith(".json"):
        return _json
    return _bytes if name.endswith(".annot") else _text


def _in_folder(folder: Path, random: random.Random) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = random.choice(files)
    how = random.random()
    if how < 0.08:
        path.unlink()
        return f"{path.name} removed"
    if how < 0.12:
        shutil.rmtree(path.parent)
        return f"{path.parent.name} removed"
    where = path.relative_to(folder)
    change = _json if path.name == "zarr.json" else _bytes
    whole, said = change(path.read_bytes(), random)
    path.write_bytes(whole)
    return f"{where}: {said}"


def _replace(path: Path, random: random.Random) -> str:
    """Put something altogether different in a file's place."""
    path.unlink()
    how = random.randrange(4)
    if how == 0:
        path.mkdir()
        return "a folder"
    if how == 1:
        path.symlink_to("nowhere")
        return "a link that leads nowhere"
    if how == 2:
        other = random.choice(sorted(p for p in path.parent.iterdir() if p.is_file()))
        path.write_bytes(other.read_bytes())
        return f"{other.name} in its place"
    path.write_bytes(random.choice(ODD_FILES))
    return "a few other bytes"


def _bytes(whole: bytes, random: random.Random) -> tuple[bytes, str]:
    """Change bytes whatever they mean."""
    changed = bytearray(whole)
    size = len(changed)
    at = random.randrange(size + 1) if random.random() < 0.6 else min(size, random.randrange(600))
    end = min(size, at + random.choice((1, 2, 4, 16, 100, 1000)))
    how = random.choice(
        ("bit", "bit", "cut", "cut", "zeros", "ones", "noise", "add", "drop", "twice")
    )
    if how == "bit" and size:
        changed[min(at, size - 1)] ^= 1 << random.randrange(8)
    elif how == "cut":
        del changed[at:]
    elif how in ("zeros", "ones"):
        changed[at:end] = (b"\0" if how == "zeros" else b"\xff") * (end - at)
    elif how == "noise":
        changed[at:end] = random.randbytes(end - at)
    elif how == "add":
        changed[at:at] = random.randbytes(random.choice((1, 4, 100, 5000)))
    elif how == "drop":
        del changed[at:end]
    else:
        changed[at:at] = changed[at:end]
    return bytes(changed), f"{how} at {at}"


NIFTI1, NIFTI2 = nib.Nifti1Header.template_dtype, nib.Nifti2Header.template_dtype


def _header(whole: bytes, random: random.Random, kind: np.dtype) -> tuple[bytes, str]:
    """Give a field of a NIfTI header an odd value."""
    if len(whole) < kind.itemsize:
        return _bytes(whole, random)
    header = np.frombuffer(whole[: kind.itemsize], kind).copy()[0:1]
    name = random.choice(kind.names)
    if random.random() < 0.4:
        name = random.choice(
            ("dim", "dim", "pixdim", "datatype", "vox_offset", "scl_slope", "srow_x")
        )
    field = header[name].reshape(-1)
    at = random.randrange(field.size)
    if field.dtype.kind == "f":
        value: Any = random.choice((0, -1, 1, 2, 352, math.nan, math.inf, -math.inf, 1e30, 1e-40))
    elif field.dtype.kind in "iu":
        top = np.iinfo(field.dtype).max
        value = random.choice((0, 1, 2, 3, 5, 16, 64, 128, 512, 2000, top, top // 2))
        value = -value if field.dtype.kind == "i" and random.random() < 0.2 else min(value, top)
    else:
        value = random.randbytes(4)
    changed = header[name].copy()
    changed.reshape(-1)[at] = value
    header[name] = changed
    return header.tobytes() + whole[kind.itemsize :], f"{name}[{at}] = {value}"


def _nifti(whole: bytes, random: random.Random) -> tuple[bytes, str]:
    return _header(whole, random, NIFTI1) if random.random() < 0.6 else _bytes(whole, random)


def _gzip(whole: bytes, random: random.Random) -> tuple[bytes, str]:
    """Change what is compressed, or the compressed bytes."""
    if random.random() < 0.6:
        try:
            changed, how = _nifti(gzip.decompress(whole), random)
        except (OSError, EOFError, ValueError, zlib.error):
            return _bytes(whole, random)
        return gzip.compress(changed, 1, mtime=0), f"inside: {how}"
    return _bytes(whole, random)


def _cifti(whole: bytes, random: random.Random) -> tuple[bytes, str]:
    """Change the header, the XML (its length kept or told), or any bytes."""
    how = random.random()
    if how < 0.3:
        return _header(whole, random, NIFTI2)
    if how < 0.5:
        return _bytes(whole, random)
    start, end = 552, whole.rfind(b"</CIFTI>") + 8
    if end < start:
        return _bytes(whole, random)
    xml, said = _text(whole[start:end], random)
    room = int.from_bytes(whole[544:548], "little") - 8
    xml = xml[:room].ljust(room, b" " if random.random() < 0.5 else b"\0")
    return whole[:start] + xml + whole[start + room :], f"XML: {said}"


def _text(whole: bytes, random: random.Random) -> tuple[bytes, str]:
    """Change a word, a number, a line, or the way a text is written."""
    if random.random() < 0.25:
        return _bytes(whole, random)
    text = whole.decode("utf-8", "surrogateescape")
    how = random.choice(("number", "number", "word", "line", "twice", "long", "coding", "mark"))
    if how == "number":
        return _at_match(text, r"-?\d+(?:\.\d+)?", random.choice(ODD_NUMBERS), random)
    if how == "word":
        return _at_match(text, r"[A-Za-z_]{2,}", random.choice(ODD_WORDS), random)
    if how == "mark":
        return _at_match(text, r"[^\w\s]", random.choice(ODD_WORDS), random)
    if how == "coding":
        coding = random.choice(("utf-16", "utf-8-sig", "utf-32"))
        return text.encode(coding, "replace"), coding
    lines = text.splitlines(keepends=True) or [""]
    at = random.randrange(len(lines))
    if how == "long":
        lines[at] = lines[at].rstrip("\n") + "\t1" * random.choice((1, 1, 300_000)) + "\n"
    else:
        lines[at : at + 1] = [lines[at]] * (0 if how == "line" else 2)
    return _encoded("".join(lines)), f"{how} {at}"


def _at_match(text: str, pattern: str, new: str, random: random.Random) -> tuple[bytes, str]:
    found = list(re.finditer(pattern, text[:200_000]))
    if not found:
        return _encoded(text + new), f"{new[:9]!r} at the end"
    one = random.choice(found)
    changed = text[: one.start()] + new + text[one.end() :]
    return _encoded(changed), f"{one[0][:20]!r} is {new[:20]!r}"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _json(whole: bytes, random: random.Random) -> tuple[bytes, str]:
    """Put a value of another type somewhere into the tree, or change the text."""
    if random.random() < 0.3:
        return _text(whole, random)
    if random.random() < 0.05:
        deep = random.choice((b"[", b'{"a":')) * 100_000
        return deep, "nested deep"
    try:
        tree = json.loads(whole)
    except (ValueError, RecursionError):
        return _text(whole, random)
    value = random.choice(ODD_VALUES)
    places = list(_places(tree))
    if not places:
        return json.dumps(value).encode(), f"all is {value!r:.30}"
    holder, key = random.choice(places)
    if random.random() < 0.2:
        holder.pop(key)
        return json.dumps(tree).encode(), f"{key!r} is gone"
    holder[key] = value
    return json.dumps(tree).encode(), f"{key!r} is {value!r:.30}"


def _places(tree: Any) -> Any:
    """List the places of a tree: what holds, and under which key or number."""
    keys = (
        tree.keys()
        if isinstance(tree, dict)
        else range(len(tree))
        if isinstance(tree, list)
        else ()
    )
    for key in keys:
        yield tree, key
        yield from _places(tree[key])

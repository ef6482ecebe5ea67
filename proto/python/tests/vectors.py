"""Reads the text vectors of proto/testdata; its README.md has the format."""

import os
import pathlib
from typing import Dict, Iterator, List

FOLDER = pathlib.Path(os.environ.get("NDRING_TESTDATA") or pathlib.Path(__file__).resolve().parents[2] / "testdata")


class Case:
    """One case of a file."""

    def __init__(self, name: str, line: int) -> None:
        self.name = name
        self.line = line
        self.fields: Dict[str, List[str]] = {}

    def __str__(self) -> str:
        return "line %d %s" % (self.line, self.name)

    def has(self, key: str) -> bool:
        return key in self.fields

    def text(self, key: str) -> str:
        value, = self.fields[key]
        return value

    def number(self, key: str) -> int:
        return int(self.text(key), 0) if self.has(key) else 0

    def numbers(self, key: str) -> "tuple[int, ...]":
        value = self.text(key) if self.has(key) else "scalar"
        return () if value == "scalar" else tuple(int(n, 0) for n in value.split())

    def bytes(self, key: str) -> bytes:
        return b"".join(unhex(line) for line in self.fields.get(key, []))

    def image(self, size: int) -> bytearray:
        """Zeros with the case's patches."""
        image = bytearray(self.number("size") if self.has("size") else size)
        for line in self.fields.get("at", []):
            offset, _, digits = line.partition(" ")
            patch = unhex(digits)
            assert int(offset, 0) + len(patch) <= len(image), self
            image[int(offset, 0):int(offset, 0) + len(patch)] = patch
        return image


def unhex(text: str) -> bytes:
    """Hexadecimal words, WORD*N repeated."""
    out = b""
    for word in text.split():
        digits, _, times = word.partition("*")
        out += bytes.fromhex(digits) * (int(times, 0) if times else 1)
    return out


def cases(file: str) -> Iterator[Case]:
    """The cases of a file."""
    case = None
    for n, line in enumerate((FOLDER / file).read_text().splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "case":
            if case is not None:
                yield case
            case = Case(value, n)
        else:
            assert case is not None, (file, n)
            case.fields.setdefault(key, []).append(value)
    assert case is not None, file
    yield case

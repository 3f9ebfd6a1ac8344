"""Reads values that an ONNX model keeps in another file: only from the model's own folder.

The name must be that of a file in the same folder, which is not a symbolic link and has no other hard links. Declared
sizes are compared with the file before anything is read, and only what a layer needs is read.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ....errors import BadWeights, MissingInput
from ..regular_file import open_regular, size_of

__all__ = ["Beside", "Outside", "outside"]

# How many times its own size a file's tensors may declare: layers may share a tensor, and each tensor may be read.
TIMES = 4
LONGEST_NAME, LONGEST_SHOWN = 255, 80
_NUMBER = re.compile(r"[0-9]{1,19}")
REMEDY = "save the model as one file (torch.onnx.export(..., external_data=False))"


class Outside(NamedTuple):
    """Where the values of a tensor are: a file's name, the first byte, and how many; None for up to its end."""

    location: str
    offset: int
    length: int | None


def outside(entries: Iterable[tuple[str, str]], where: str) -> Outside:
    """Read where a tensor says that its values are.

    Parameters
    ----------
    entries : iterable of (str, str)
        Keys and values, as in the file; a checksum is ignored.
    where : str
        The file and the tensor, for messages.

    Raises
    ------
    BadWeights
        A key is there twice, the name is not a plain one, or a position is not a number.
    """
    stated: dict[str, str] = {}
    for key, value in entries:
        if key in stated:
            raise BadWeights(f"{where}: says twice what its '{key[:LONGEST_SHOWN]}' is; the file is damaged.")
        stated[key] = value
    location = stated.get("location", "")
    plain = location not in ("", ".", "..") and not set(location) & set("/\\\0") and len(location) <= LONGEST_NAME
    if not plain:
        raise BadWeights(
            f"{where}: its values are in another file ({location[:LONGEST_SHOWN]!r}); expected a plain name in the "
            f"folder of the model. Put it there, or {REMEDY}."
        )
    for key in ("offset", "length"):
        if key in stated and not _NUMBER.fullmatch(stated[key]):
            found = f"{where}: its {key} in '{location}' is {stated[key][:LONGEST_SHOWN]!r}"
            raise BadWeights(f"{found}; expected a whole number that is not negative. Export the model again.")
    return Outside(location, int(stated.get("offset", 0)), int(stated["length"]) if "length" in stated else None)


@dataclass(frozen=True, eq=False)
class Beside:
    """The files next to a model that its tensors name.

    Parameters
    ----------
    folder : Path
        The model's folder.
    sizes : mapping
        The size of each file that was checked, by name.
    declared : mapping
        The bytes of each file that the tensors declare in total.
    """

    folder: Path
    sizes: dict[str, int] = field(default_factory=dict)
    declared: dict[str, int] = field(default_factory=dict)

    def claim(self, place: Outside, expected: int, where: str) -> None:
        """Check that the bytes of a tensor are in its file.

        Raises
        ------
        BadWeights, MissingInput
            The file is absent, not a regular one, or too short; another number of bytes is expected.
        """
        size = self._size(place.location, where)
        length = size - place.offset if place.length is None else place.length
        found = f"{where}: declares {length} bytes from byte {place.offset} on of '{place.location}'"
        if length != expected:
            raise BadWeights(f"{found}; expected {expected}, because of its shape. Export the model again.")
        if place.offset + length > size:
            raise BadWeights(f"{found}, which has {size}; it is cut short or belongs to another model.")
        self.declared[place.location] = self.declared.get(place.location, 0) + length
        if self.declared[place.location] > TIMES * size:
            raise BadWeights(
                f"{where}: the model's tensors declare far more than '{place.location}' has ({size} bytes); it is "
                "refused."
            )

    def read(self, place: Outside, expected: int, where: str) -> bytes:
        """Read the bytes of a checked tensor.

        Raises
        ------
        BadWeights, MissingInput
        """
        path = self.folder / place.location
        with open_regular(path, alone=True) as file:
            file.seek(place.offset)
            content = file.read(expected) if size_of(file, path) == self.sizes[place.location] else b""
        if len(content) != expected:
            raise BadWeights(f"{where}: '{place.location}' changed while it was read. Run again.")
        return content

    def _size(self, location: str, where: str) -> int:
        if location not in self.sizes:
            path = self.folder / location
            try:
                with open_regular(path, alone=True) as file:
                    self.sizes[location] = size_of(file, path)
            except MissingInput as reason:
                raise MissingInput(
                    f"{where}: its values are in '{location}', which is not next to the model or may not be read; copy "
                    f"both files, or {REMEDY}."
                ) from reason
        return self.sizes[location]

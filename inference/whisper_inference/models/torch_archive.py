"""The two containers that `torch.save` has written: a ZIP archive since 1.6, and pickles with raw storages before."""

import io
import mmap
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

from whisper_inference.errors import InvalidCheckpoint
from whisper_inference.models.restricted_pickle import Refused, StorageRecord, TensorRecord, load_pickle
from whisper_inference.models.tensors import TensorView, map_file

_LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL: Final = 1001

_LEGACY_LENGTH: Final = struct.Struct("<q")

_LARGEST_PICKLE: Final = 64 * 2**20
"""Bytes: the pickle of Whisper's largest checkpoint has 250 kB."""

_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")
"""Of a ZIP member: signature, then the lengths of name and extra field, behind which its bytes begin."""

_ZIP_SIGNATURE: Final = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class TorchArchive:
    """A file of `torch.save`: its object, in which tensors are records, and where their numbers are."""

    path: Path
    data: mmap.mmap
    content: Any
    _locate: Callable[[StorageRecord], tuple[int, int]]
    """Storage to the byte at which it begins, and how many bytes it has."""

    def views(self, tensors: Mapping[str, TensorRecord]) -> dict[str, TensorView]:
        """Return where each tensor lies in the file.

        Raises:
            InvalidCheckpoint: A storage is missing or cut short, or a tensor reaches beyond its own.
        """
        return {name: self._view(name, tensor) for name, tensor in tensors.items()}

    def _view(self, name: str, tensor: TensorRecord) -> TensorView:
        storage = tensor.storage
        try:
            start, size = self._locate(storage)
        except KeyError as error:
            raise InvalidCheckpoint(self.path, f"the storage {storage.key[:99]!r} of {name} is missing.") from error
        except struct.error as error:
            raise InvalidCheckpoint(self.path, f"truncated: the storage of {name} is not all there.") from error
        if storage.elements * storage.element_type.size > min(size, len(self.data) - start):
            raise InvalidCheckpoint(self.path, f"truncated: the storage of {name} is not all there.")
        view = TensorView(storage.element_type, start, storage.elements, tensor.offset, tensor.shape, tensor.strides)
        problem = view.problem()
        if problem:
            raise InvalidCheckpoint(self.path, f"the tensor {name} is malformed: {problem}.")
        return view


def open_torch_archive(path: Path) -> TorchArchive:
    """Map a file of `torch.save` and read its object.

    Raises:
        InvalidCheckpoint: It is missing, truncated, malformed, or asks for more than tensors.
    """
    data = map_file(path)
    try:
        return _open_zip(path, data) if data[:4] == _ZIP_SIGNATURE else _open_legacy(path, data)
    except Refused as error:
        raise InvalidCheckpoint(path, f"refused: {error}.") from error
    except (zipfile.BadZipFile, EOFError, LookupError, struct.error, OSError, ValueError, RuntimeError) as error:
        raise InvalidCheckpoint(path, f"truncated or malformed archive: {error}.") from error


def _open_zip(path: Path, data: mmap.mmap) -> TorchArchive:
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
            raise InvalidCheckpoint(path, "its members are compressed; torch never compresses them.")
        root = next((name.removesuffix("/data.pkl") for name in members if name.endswith("/data.pkl")), None)
        if root is None:
            raise InvalidCheckpoint(path, "data.pkl is missing in the archive.")
        byte_order = members.get(f"{root}/byteorder")
        if byte_order is not None and archive.read(byte_order) != b"little":
            raise InvalidCheckpoint(path, "its numbers are big-endian.")
        with archive.open(f"{root}/data.pkl") as member:
            content = load_pickle(io.BytesIO(member.read(_LARGEST_PICKLE))).value

    def locate(storage: StorageRecord) -> tuple[int, int]:
        member = members[f"{root}/data/{storage.key}"]
        signature, name_length, extra_length = _LOCAL_HEADER.unpack_from(data, member.header_offset)
        if signature != _ZIP_SIGNATURE:
            raise InvalidCheckpoint(path, f"truncated or malformed archive: {member.filename} has no header.")
        return member.header_offset + _LOCAL_HEADER.size + name_length + extra_length, member.file_size

    return TorchArchive(path, data, content, locate)


def _open_legacy(path: Path, data: mmap.mmap) -> TorchArchive:
    """Read five pickles (magic, protocol, system, object, storage keys), then each storage behind its length."""
    if data[: len(pickle.PROTO)] != pickle.PROTO:
        raise InvalidCheckpoint(path, "no checkpoint of torch: neither its ZIP archive nor its older pickles.")
    stream = cast("IO[bytes]", data)  # it reads like a file, which is all that is asked of it
    if load_pickle(stream).value != _LEGACY_MAGIC or load_pickle(stream).value != _LEGACY_PROTOCOL:
        raise InvalidCheckpoint(path, "no checkpoint of torch: its magic number or its protocol is another.")
    load_pickle(stream)
    content, keys = load_pickle(stream), load_pickle(stream).value
    places = _legacy_places(data, [content.storages[str(key)] for key in keys], data.tell())
    return TorchArchive(path, data, content.value, lambda storage: places[storage.key])


def _legacy_places(data: mmap.mmap, storages: list[StorageRecord], position: int) -> dict[str, tuple[int, int]]:
    places: dict[str, tuple[int, int]] = {}
    for storage in storages:
        (elements,) = _LEGACY_LENGTH.unpack_from(data, position)
        if elements != storage.elements:
            raise Refused(f"malformed: the storage {storage.key[:99]!r} has another length than its pickle says")
        places[storage.key] = (position + _LEGACY_LENGTH.size, elements * storage.element_type.size)
        position += _LEGACY_LENGTH.size + elements * storage.element_type.size
    return places

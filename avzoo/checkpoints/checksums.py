"""The checksum stored in a weight file: the SHA-256 of all its other bytes.

A torch.save file is a zip, which may end in a comment: the checksum is there. A safetensors file may not be longer than
its tensors, so its header has a field for the checksum, which is hashed as zeros.
"""

import hashlib
import re

_LABEL = b'avzoo-sha256:'
_DIGITS = 64
_BLANK = b'0' * _DIGITS
_COMMENT_LENGTH = len(_LABEL) + _DIGITS
_FIELD = re.compile(rb'"sha256":"([0-9a-f]{64})"')

# The entry of a safetensors file's metadata that `seal_safetensors` fills.
EMPTY_FIELD = {'sha256': _BLANK.decode()}


def zip_ending(data: bytes | memoryview) -> bytes:
    """Return what replaces the last two bytes of a torch.save file, which hold the length of its empty comment."""
    ending = _COMMENT_LENGTH.to_bytes(2, 'little') + _LABEL
    digest = hashlib.sha256(memoryview(data)[:-2])  # No copy: a checkpoint is written after each epoch.
    digest.update(ending)
    return ending + digest.hexdigest().encode()


def zip_comment_length(tail: bytes) -> int:
    """Return the length in bytes of the checksum comment that ends a torch.save file; 0 without one."""
    return _COMMENT_LENGTH if tail[-_COMMENT_LENGTH:-_DIGITS] == _LABEL else 0


def zip_is_intact(data: bytes) -> bool | None:
    """Return whether the content of a torch.save file matches its checksum; ``None`` without a checksum."""
    content = memoryview(data)[:-_DIGITS]
    if content[-len(_LABEL) :] != _LABEL:
        return None
    return hashlib.sha256(content).hexdigest().encode() == data[-_DIGITS:]


def seal_safetensors(data: bytes) -> bytes:
    """Return a safetensors file that was written with ``EMPTY_FIELD`` in its metadata, with the checksum filled in."""
    header, tensors = _split(data)
    field = _FIELD.search(header)
    assert field is not None and field[1] == _BLANK
    return header[: field.start(1)] + _digest(header, tensors).encode() + header[field.end(1) :] + tensors


def safetensors_is_intact(data: bytes) -> bool | None:
    """Return whether the content of a safetensors file matches its checksum; ``None`` without a checksum."""
    header, tensors = _split(data)
    field = _FIELD.search(header)
    if field is None:
        return None
    blank = header[: field.start(1)] + _BLANK + header[field.end(1) :]
    return _digest(blank, tensors).encode() == field[1]


def _split(data: bytes) -> tuple[bytes, memoryview]:
    """Return the header, including the eight bytes that give its length, and the rest."""
    end = 8 + int.from_bytes(data[:8], 'little')
    return data[:end], memoryview(data)[end:]


def _digest(header: bytes, tensors: memoryview) -> str:
    digest = hashlib.sha256(header)
    digest.update(tensors)
    return digest.hexdigest()

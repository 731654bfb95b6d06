"""Forms with many files: each is read as it was sent, and together they take one temporary file."""

import asyncio
import io
import tempfile
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from whisper_inference.errors import InvalidRequest
from whisper_inference.routes.batch_upload import read_recordings
from whisper_inference.routes.section import Section

CHUNK_BYTES = 50
BOUNDARY = "b0undary"


def form(*parts: tuple[str, str | None, bytes]) -> bytes:
    """A form of fields and files: name, file name, content."""
    body = b""
    for name, file_name, content in parts:
        file_part = "" if file_name is None else f'; filename="{file_name}"'
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file_part}\r\n\r\n'.encode()
        body += content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def request(body: bytes, charset: str = "") -> Request:
    """A request whose body comes in many pieces."""
    size = max(CHUNK_BYTES, len(body) // 50)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]

    async def receive() -> Message:
        return {"type": "http.request", "body": pieces.pop(0) if pieces else b"", "more_body": bool(pieces)}

    kind = f"multipart/form-data; boundary={BOUNDARY}{charset}"
    return Request({"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}, receive)


def read(body: bytes, most: int = 10, charset: str = "") -> tuple[list[tuple[str | None, bytes]], dict[str, list[str]]]:
    """Read a form: its files by name, and its fields."""

    async def whole() -> tuple[list[tuple[str | None, bytes]], dict[str, list[str]]]:
        async with read_recordings(request(body, charset), most) as upload:
            files = [(each.name, each.file.read()) for each in upload.recordings]
            return files, {name: list(values) for name, values in upload.fields.items()}

    return asyncio.run(whole())


# No line ends: those around a boundary are the form's own.
CONTENTS = st.lists(st.binary(max_size=3 * CHUNK_BYTES).filter(lambda content: b"\r" not in content), min_size=1)


@given(CONTENTS)
def test_every_file_is_read_as_it_was_sent(contents: Sequence[bytes]) -> None:
    parts = [("file", f"{index}.wav", content) for index, content in enumerate(contents)]
    files, fields = read(form(*parts, ("model", None, b"whisper-1")), most=len(contents))
    assert files == [(name, content) for _, name, content in parts]
    assert fields == {"model": ["whisper-1"]}


def test_many_files_open_none_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    genuine = tempfile.TemporaryFile

    def counting(*given: object, **named: object) -> object:
        opened.append(1)
        return genuine(*given, **named)  # type: ignore[call-overload] # whatever tempfile itself gives

    monkeypatch.setattr(tempfile, "TemporaryFile", counting)
    files, _ = read(form(*[("file", "x", b"\0" * 5000) for _ in range(300)]), most=300)
    assert [content for _, content in files] == [b"\0" * 5000] * 300
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("body", "param", "sentence"),
    [
        (form(*[("file", "x", b"1")] * 11), None, "Maximum number of files is 10"),
        (form(("model", None, b"whisper-1")), "file", "missing"),
        (form(("file", "x", b"1"), ("files", "y", b"2")), "files", "send it as `file`"),
        (form(("file", "x", b"1"), ("file", "y" * 256, b"2")), "file[1]", "255"),
        (form(("file", "x", b"1"), ("prompt", None, b"p" * 70_000)), None, "maximum size"),
        (form(*[(f"f{index}", None, b"") for index in range(65)]), None, "Too many fields"),
    ],
)
def test_a_form_that_is_refused_says_why(body: bytes, param: str | None, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence) as refusal:
        read(body)
    assert refusal.value.param == param


@pytest.mark.parametrize(
    "body", [form(("file", "\\ud800.wav", b"1")), form(("file", "x", b"1"), ("prompt", None, b"\\ud800"))]
)
def test_text_that_is_no_unicode_is_refused(body: bytes) -> None:
    """Nothing could be stored or answered with it."""
    with pytest.raises(InvalidRequest, match="UTF-8"):
        read(body, charset="; charset=unicode_escape")


def test_a_file_without_a_name_has_none() -> None:
    assert read(form(("file", "", b"1")))[0] == [(None, b"1")]


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), st.data())
def test_a_section_is_read_as_a_file_of_its_own(contents: Sequence[bytes], data: st.DataObject) -> None:
    whole = io.BytesIO()
    sections = [Section(whole) for _ in contents]
    for section, content in zip(sections, contents, strict=True):
        for byte in content:
            section.write(bytes([byte]))
        section.seek(0)
    twins = [io.BytesIO(content) for content in contents]
    for _ in range(10):
        which = data.draw(st.integers(0, len(contents) - 1))
        whence, offset, size = data.draw(st.tuples(st.integers(0, 2), st.integers(0, 25), st.integers(-1, 25)))
        section, twin = sections[which], twins[which]
        assert section.seek(offset, whence) == twin.seek(offset, whence)
        assert section.read(size) == twin.read(size)
        assert section.tell() == twin.tell()
    with pytest.raises(ValueError, match="beginning"):
        sections[0].seek(-1)

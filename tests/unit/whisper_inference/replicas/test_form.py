"""What is sent on is what came: whatever the fields and the file hold."""

import asyncio
import tempfile
from io import BytesIO
from typing import BinaryIO

from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.replicas.form import Form
from whisper_inference.routes.uploads import read_upload

NAMES = st.sampled_from(["model", "prompt", "timestamp_granularities[]", "chunking_strategy[type]"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
FIELDS = st.dictionaries(NAMES, st.lists(TEXTS, min_size=1, max_size=3))


async def read_again(form: Form) -> tuple[bytes, dict[str, list[str]]]:
    """Read a form as the replica that it is sent to does."""
    body = b"".join([part async for part in form.content()])
    assert len(body) == await form.length()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", form.content_type.encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    upload = await read_upload(request, form.file_field)
    with upload.file as file:
        return file.read(), {name: list(values) for name, values in upload.fields.items()}


@given(FIELDS, st.binary(max_size=2000), st.sampled_from(["file", "audio"]))
def test_every_field_and_every_byte_arrives(fields: dict[str, list[str]], content: bytes, file_field: str) -> None:
    assert asyncio.run(read_again(Form(BytesIO(content), fields, file_field))) == (content, fields)


def test_a_form_is_written_from_its_beginning_each_time() -> None:
    form = Form(BytesIO(b"RIFF"), {"model": ["base"]})
    form.file.read()
    assert asyncio.run(read_again(form)) == asyncio.run(read_again(form)) == (b"RIFF", {"model": ["base"]})


def test_a_file_on_disk_is_never_whole_in_memory() -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(3 << 20)
        assert max(asyncio.run(sizes(file))) <= 256 * 1024


async def sizes(file: BinaryIO) -> list[int]:
    """How large the pieces are."""
    return [len(part) async for part in Form(file, {}).content()]

"""Reading a multipart form, and giving up when the client has gone."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, TypeVar

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from typing_extensions import override

from whisper_inference.auditing import request_audit
from whisper_inference.errors import InvalidRequest
from whisper_inference.replicas.body import Body
from whisper_inference.replicas.form import Form
from whisper_inference.routes.transcription_form import FormFields

_MOST_FIELDS: Final = 64
_MOST_FIELD_BYTES: Final = 64 * 1024

ResultT = TypeVar("ResultT")


class ClientGone(Exception):
    """Nobody waits for the answer."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A form with one file. Its name is never looked at."""

    file: BinaryIO
    """Whoever reads it closes it: it may lie on disk."""
    fields: FormFields
    again: Body
    """What another replica is sent, if this one has no room."""


class FormParser(MultiPartParser):
    """Starlette's parser, which forgets the files it has begun when the body breaks off or grows too large."""

    @override
    async def parse(self) -> FormData:
        """Parse the whole body, or leave nothing behind."""
        try:
            return await super().parse()
        except BaseException:
            for file in self._files_to_close_on_error:
                file.close()
            raise


async def read_upload(request: Request, file_field: str = "file") -> Upload:
    """Read a `multipart/form-data` request (RFC 7578).

    Args:
        request: Its body is read.
        file_field: What the file comes as.

    Raises:
        InvalidRequest: It is something else, has no file or more than one, or too many fields.
    """
    form = await read_form(request, file_field, FormParser, most_files=1)
    try:
        (upload,), fields = sort_form(form, file_field)
    except InvalidRequest:
        await form.close()
        raise
    return Upload(upload.file, fields, Form(upload.file, fields, file_field))


async def read_form(
    request: Request, file_field: str, parser: Callable[..., FormParser], *, most_files: int
) -> FormData:
    """Read a form with files.

    Raises:
        InvalidRequest: It is none, or there is too much in it.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        message = f"Send the audio as multipart/form-data with a field `{file_field}`."
        raise InvalidRequest(message, param=file_field)
    try:
        return await parser(
            request.headers,
            request.stream(),
            max_files=most_files,
            max_fields=_MOST_FIELDS,
            max_part_size=_MOST_FIELD_BYTES,
        ).parse()
    except MultiPartException as problem:
        raise InvalidRequest(f"The form cannot be read: {problem.message}") from problem


def sort_form(form: FormData, file_field: str) -> tuple[list[UploadFile], FormFields]:
    """Return a form's files, at least one, and its fields.

    Raises:
        InvalidRequest: There is no file, or one came as something else, or what should be text is none.
    """
    fields: dict[str, list[str]] = {}
    files: list[UploadFile] = []
    for name, value in form.multi_items():
        _refuse_half_characters(name, value if isinstance(value, str) else value.filename or "")
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
        elif name == file_field:
            files.append(value)
        else:
            raise InvalidRequest(f"The file came as {name[:64]!r}; send it as `{file_field}`.", param=name[:64])
    if not files:
        raise InvalidRequest(f"The field `{file_field}` is missing, or has no file name.", param=file_field)
    return files, fields


def _refuse_half_characters(*texts: str) -> None:
    """Refuse what no store and no answer can hold: a charset such as `unicode_escape` makes lone surrogates."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidRequest("The form has text that is no Unicode: send it as UTF-8.") from None


async def unless_client_leaves(request: Request, work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Return what the work does, and cancel it when the client closes the connection.

    Raises:
        ClientGone: It did.
    """
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            request_audit(request).abandoned()
            raise ClientGone
        return task.result()
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""Reading a multipart form, and giving up when the client has gone."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, TypeVar

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from typing_extensions import override

from whisper_inference.errors import InvalidRequest
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


class _Parser(MultiPartParser):
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


async def read_upload(request: Request) -> Upload:
    """Read a `multipart/form-data` request (RFC 7578).

    Raises:
        InvalidRequest: It is something else, has no file or more than one, or too many fields.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise InvalidRequest("Send the audio as multipart/form-data with a field `file`.", param="file")
    parser = _Parser(
        request.headers,
        request.stream(),
        max_files=1,
        max_fields=_MOST_FIELDS,
        max_part_size=_MOST_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as problem:
        raise InvalidRequest(f"The form cannot be read: {problem.message}") from problem
    try:
        return _understand(form)
    except InvalidRequest:
        await form.close()
        raise


def _understand(form: FormData) -> Upload:
    fields: dict[str, list[str]] = {}
    upload: UploadFile | None = None
    for name, value in form.multi_items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
        elif name == "file":
            upload = value
        else:
            raise InvalidRequest(f"The file came as {name[:64]!r}; send it as `file`.", param=name[:64])
    if upload is None:
        raise InvalidRequest("The field `file` is missing, or has no file name.", param="file")
    return Upload(upload.file, fields)


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

"""Reading a form with many recordings: however many there are, they take one temporary file together."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO, Final, NamedTuple, cast

from fastapi import Request
from starlette.datastructures import UploadFile
from typing_extensions import override

from whisper_inference.errors import InvalidRequest
from whisper_inference.jobs.batch import Recording
from whisper_inference.routes.section import Section
from whisper_inference.routes.transcription_form import FormFields
from whisper_inference.routes.uploads import FormParser, read_form, sort_form

_FIELD: Final = "file"
_IN_MEMORY_BYTES: Final = FormParser.spool_max_size
"""What a single recording takes before it lies on disk."""
_LONGEST_NAME: Final = 255
"""Few file systems take a longer one."""


class BatchUpload(NamedTuple):
    """A form with files, at least one."""

    recordings: Sequence[Recording]
    fields: FormFields


class _Together(FormParser):
    """Lays all files into one: each with its own would take a thousand open files for a thousand recordings."""

    def __init__(self, whole: IO[bytes], *given: Any, **named: Any) -> None:  # noqa: ANN401 - starlette's own
        super().__init__(*given, **named)
        self._whole = whole

    @override
    def on_headers_finished(self) -> None:
        """Begin a part."""
        super().on_headers_finished()
        if self._current_part.file is not None:
            self._current_part.file.file.close()
            self._current_part.file.file = cast("BinaryIO", Section(self._whole))


@asynccontextmanager
async def read_recordings(request: Request, most_files: int) -> AsyncIterator[BatchUpload]:
    """Read a `multipart/form-data` request with files, which are there for as long as the context lasts.

    Raises:
        InvalidRequest: It is something else, has no file or too many, or one has a name that is none.
    """
    with SpooledTemporaryFile(_IN_MEMORY_BYTES) as whole:
        form = await read_form(request, _FIELD, partial(_Together, whole), most_files=most_files)
        files, fields = sort_form(form, _FIELD)
        yield BatchUpload([Recording(each.file, _name(each, index)) for index, each in enumerate(files)], fields)


def _name(file: UploadFile, index: int) -> str | None:
    name = file.filename or None
    if name is not None and len(name) > _LONGEST_NAME:
        raise InvalidRequest(f"A file name has at most {_LONGEST_NAME} characters.", param=f"{_FIELD}[{index}]")
    return name

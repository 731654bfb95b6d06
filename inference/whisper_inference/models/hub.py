"""Talking to a model hub: which files a repository has, and their bytes.

The only module that imports huggingface_hub, which obeys `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE` and the proxies of
the environment. Its own cache is not used: it starts a file anew in every process, and a pod that restarts while it
downloads gigabytes must go on where it stopped.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from huggingface_hub import HfApi, get_token, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils.tqdm import tqdm

from whisper_inference.errors import DownloadFailed, ModelAccessDenied, ModelNotFound, WhisperError

_TRANSPORT_ERRORS: Final = (cast("type[Exception]", HfHubHTTPError.__bases__[0]), OSError)
"""The HTTP client's own base error: httpx's or httpx2's, as the release of huggingface_hub has it."""

_ABSENT: Final = (401, 404)
"""Status codes: the public hub answers 401 for what is not there, so as not to say what is private."""

_FORBIDDEN: Final = 403


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository, with the checksum that the hub publishes for it."""

    name: str
    size: int
    sha256: str | None
    """Of large files."""
    git_blob: str | None
    """Git's SHA-1 of small ones, over a header and the content."""

    def is_intact(self, path: Path) -> bool:
        """Whether a file has this one's size and content."""
        if path.stat().st_size != self.size:
            return False
        with path.open("rb") as file:
            if self.sha256 is not None:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
            header = hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)
            return hashlib.file_digest(file, lambda: header).hexdigest() == self.git_blob


@dataclass(frozen=True, slots=True)
class HubModel:
    """A repository at one commit."""

    name: str
    commit: str
    files: tuple[HubFile, ...]

    def file(self, name: str) -> HubFile | None:
        """Return the file of that name in the top folder."""
        return next((file for file in self.files if file.name == name), None)


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub, and who asks it; by default both are those of the environment."""

    endpoint: str | None = None
    token: str | None = None

    def describe(self, name: str, revision: str) -> HubModel:
        """Resolve a branch, tag or commit, and list the repository's files there.

        Raises:
            ModelNotFound: The hub has no such repository or revision.
            ModelAccessDenied: It does not show it to this token.
            DownloadFailed: It cannot be reached.
        """
        with _typed_errors(name, revision):
            info = HfApi(endpoint=self.endpoint, token=self.token).model_info(
                name, revision=revision, files_metadata=True
            )
        files = tuple(_hub_file(sibling) for sibling in info.siblings or ())
        return HubModel(name, str(info.sha), files)

    def download(self, model: HubModel, file: HubFile, target: Path, *, progress: bool) -> None:
        """Download a file; go on where an earlier call stopped.

        Raises:
            ModelNotFound: The file is gone.
            ModelAccessDenied: The hub does not give it to this token.
            DownloadFailed: The connection broke off for good, the disk is full, or the content is not what the hub
                promised; only then what has arrived is thrown away.
        """
        token = self.token or get_token()
        partial = target.with_name(f"{target.name}.incomplete")
        with _typed_errors(model.name, model.commit), partial.open("ab") as stream:
            if stream.tell() > file.size:
                stream.truncate(stream.seek(0))
            http_get(
                hf_hub_url(model.name, file.name, revision=model.commit, endpoint=self.endpoint),
                stream,
                resume_size=stream.tell(),
                headers={"Authorization": f"Bearer {token}"} if token else {},
                expected_size=file.size,
                displayed_filename=file.name,
                tqdm_class=tqdm if progress else _Silent,
            )
        if not file.is_intact(partial):
            partial.unlink()
            raise DownloadFailed(
                f"{model.name}: {file.name} arrived damaged: its checksum is not the hub's. Try again."
            )
        partial.replace(target)


class _Silent(tqdm):
    """Shows nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (tqdm's own)
        super().__init__(*args, **kwargs | {"disable": True})  # type: ignore[no-untyped-call] # tqdm has no types


def _hub_file(sibling: Any) -> HubFile:  # noqa: ANN401 (huggingface_hub's, partly untyped)
    if sibling.lfs is not None:
        return HubFile(sibling.rfilename, int(sibling.lfs.size), str(sibling.lfs.sha256), None)
    return HubFile(sibling.rfilename, int(sibling.size or 0), None, sibling.blob_id)


@contextmanager
def _typed_errors(name: str, revision: str) -> Iterator[None]:
    try:
        yield
    except GatedRepoError as error:
        raise ModelAccessDenied(
            f"{name} is gated: accept its conditions at the hub, then set HF_TOKEN to a token of that account."
        ) from error
    except RevisionNotFoundError as error:
        raise ModelNotFound(f"{name} has no revision {revision!r} at the hub.") from error
    except HFValidationError as error:
        raise ModelNotFound(f"{name!r} is no repository name: {error}") from error
    except HfHubHTTPError as error:
        raise _refusal(name, error) from error
    except _TRANSPORT_ERRORS as error:
        raise DownloadFailed(
            f"Downloading {name} failed: {_first_line(error)} Check the network, HF_ENDPOINT and the disk; "
            "the next try goes on where this one stopped."
        ) from error


def _refusal(name: str, error: HfHubHTTPError) -> WhisperError:
    status = error.response.status_code
    if status in _ABSENT:
        return ModelNotFound(
            f"{name} is not at the hub, or is private: check the name, or set HF_TOKEN to a token that may read it."
        )
    if status == _FORBIDDEN:
        return ModelAccessDenied(f"The hub refuses {name} to this HF_TOKEN: {_first_line(error)}")
    return DownloadFailed(f"The hub answered with an error for {name}: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

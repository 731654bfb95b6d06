"""Getting a model by name: from the cache, or from the hub into the cache, once for all processes that share it."""

import logging
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeGuard

from filelock import FileLock

from whisper_inference.errors import DownloadFailed, InvalidCheckpoint, ModelNotFound
from whisper_inference.models import huggingface
from whisper_inference.models.cache import CachedRepository, default_cache_dir, is_commit, is_repository_name
from whisper_inference.models.digests import digest_file
from whisper_inference.models.hub import Hub, HubFile, HubModel
from whisper_inference.models.json_files import read_json
from whisper_inference.models.manifest import MANIFEST_FILE, Manifest, read_manifest, write_manifest

logger = logging.getLogger(__name__)

DEFAULT_REVISION: Final = "main"

_SIZES: Final = (
    *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en"),
    *("large-v2", "large-v3", "large-v3-turbo"),
)

ALIASES: Final = MappingProxyType(
    {size: f"openai/whisper-{size}" for size in _SIZES}
    | {
        "large-v1": "openai/whisper-large",
        "large": "openai/whisper-large-v3",
        "turbo": "openai/whisper-large-v3-turbo",
    }
)
"""openai-whisper's own names, and the repositories that hold these models."""

_REQUIRED: Final = (huggingface.CONFIG_FILE, huggingface.PREPROCESSOR_FILE, huggingface.TOKENIZER_FILE)


def resolve_model(
    name_or_path: str,
    *,
    revision: str = DEFAULT_REVISION,
    cache_dir: Path | None = None,
    progress: bool = False,
    hub: Hub | None = None,
) -> Path:
    """Return the path of a model: an existing path is taken as it is, anything else is a name at the hub.

    Raises:
        ModelNotFound: It is neither.
        ModelAccessDenied: The hub does not give it to this token.
        DownloadFailed: It is not in the cache, and the hub cannot be reached.
        InvalidCheckpoint: The repository holds no Whisper that can be loaded here.
    """
    path = Path(name_or_path).expanduser()
    if name_or_path and path.exists():
        return path
    name = ALIASES.get(name_or_path, name_or_path)
    if not is_repository_name(name):
        raise ModelNotFound(
            f"{name_or_path!r} is neither a path here nor a model's name: write a path, one of "
            f"{', '.join(ALIASES)}, or a name at the hub such as openai/whisper-base."
        )
    return fetch_model(name, revision, cache_dir, progress=progress, verify=False, hub=hub)


def fetch_model(
    name: str,
    revision: str = DEFAULT_REVISION,
    cache_dir: Path | None = None,
    *,
    progress: bool = False,
    verify: bool = True,
    hub: Hub | None = None,
) -> Path:
    """Return the folder of a model, downloaded if it is not in the cache; loading it checks its checksums again.

    Processes that share the cache wait for the one that downloads. Without the hub, a revision is what it last was.

    Args:
        name: `owner/model`, or one of `ALIASES`.
        revision: A branch, tag or commit.
        cache_dir: Where models are kept; `default_cache_dir()` if none is given.
        progress: Show a progress bar on standard error.
        verify: Read a cached model through, and download anew what is damaged.
        hub: The hub and token; those of the environment if none are given.

    Raises:
        ModelNotFound: There is no such repository or revision.
        ModelAccessDenied: The hub does not give it to this token.
        DownloadFailed: It is not in the cache, and the hub cannot be reached; or a download broke off.
        InvalidCheckpoint: The repository holds no Whisper that can be loaded here.
    """
    name = ALIASES.get(name, name)
    if not is_repository_name(name):
        raise ModelNotFound(f"{name!r} is no repository name: write one such as openai/whisper-base.")
    cached = CachedRepository.of(cache_dir or default_cache_dir(), name)
    pinned = cached.complete_snapshot(revision) if is_commit(revision) else None
    if _is_usable(pinned, verify=verify):
        return pinned
    hub = hub or Hub()
    try:
        model = hub.describe(name, revision)
    except DownloadFailed:
        remembered = cached.remembered(revision)
        if not _is_usable(remembered, verify=verify):
            raise
        logger.warning("The hub cannot be reached: using %s at the last known commit %s.", name, remembered.name)
        return remembered
    folder = cached.complete_snapshot(model.commit)
    if not _is_usable(folder, verify=verify):
        folder = _download(cached, model, hub, progress=progress)
    cached.remember(revision, model.commit)
    return folder


def _is_usable(folder: Path | None, *, verify: bool) -> TypeGuard[Path]:
    return folder is not None and (not verify or _is_intact(folder))


def _download(cached: CachedRepository, model: HubModel, hub: Hub, *, progress: bool) -> Path:
    folder = cached.snapshot(model.commit)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(cached.lock_file):
        complete = cached.complete_snapshot(model.commit)
        if complete is not None and _is_intact(complete):  # by another process, while this one waited
            return complete
        (folder / MANIFEST_FILE).unlink(missing_ok=True)
        fetched = []
        for file in _files(model, folder):
            target = folder / file.name
            if not target.exists() or not file.is_intact(target):
                hub.download(model, file, target, progress=progress)
            fetched.append(file)
        digests = tuple(digest_file(folder / file.name) for file in fetched)
        write_manifest(folder, Manifest(model.name, model.commit, digests))
    return folder


def _files(model: HubModel, folder: Path) -> Iterator[HubFile]:
    """Yield the files that loading reads; an index must be in the folder before its shards are asked for."""
    required = [_required(model, name) for name in _REQUIRED]
    single, index = model.file(huggingface.WEIGHTS_FILE), model.file(huggingface.INDEX_FILE)
    if single is None and index is None:
        _required(model, huggingface.WEIGHTS_FILE)
    yield from required
    generation = model.file(huggingface.GENERATION_FILE)
    if generation is not None:
        yield generation
    if single is not None:
        yield single
    elif index is not None:
        yield index
        path = folder / index.name
        for name in huggingface.shard_names(path, read_json(path)):
            yield _required(model, name)


def _required(model: HubModel, name: str) -> HubFile:
    file = model.file(name)
    if file is None:
        raise InvalidCheckpoint(Path(model.name, name), f"the repository has no such file at {model.commit}.")
    return file


def _is_intact(folder: Path) -> bool:
    try:
        manifest = read_manifest(folder)
        if manifest is not None:
            manifest.check_all(folder)
    except InvalidCheckpoint as problem:
        logger.warning("%s", problem)
        return False
    return manifest is not None

"""Models come from the hub once, whole and checked; after that from the cache, with or without a network."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub_server import HubRepository, HubServer, running_hub
from whisper_inference.errors import DownloadFailed, InvalidCheckpoint, ModelAccessDenied, ModelNotFound
from whisper_inference.models.fetch import ALIASES, fetch_model, resolve_model
from whisper_inference.models.hub import Hub
from whisper_inference.models.loading import load_checkpoint
from whisper_inference.models.manifest import MANIFEST_FILE, read_manifest

NAME = "speech/listener"
WEIGHTS = bytes(range(256)) * 400
FILES = {
    "README.md": b"# A card",
    "config.json": b'{"d_model": 128}',
    "preprocessor_config.json": b"{}",
    "generation_config.json": b"{}",
    "tokenizer.json": b'{"model": 1}' * 200,
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"never wanted",
}
NEEDED = {"config.json", "preprocessor_config.json", "generation_config.json", "tokenizer.json", "model.safetensors"}
NOWHERE = Hub(endpoint="http://127.0.0.1:9")
"""The discard port: nobody answers."""


@pytest.fixture
def repository() -> HubRepository:
    return HubRepository(dict(FILES), revisions=("main", "refs/pr/7"))


@pytest.fixture
def server(repository: HubRepository) -> Iterator[HubServer]:
    with running_hub({NAME: repository}) as server:
        yield server


@pytest.fixture
def hub(server: HubServer) -> Hub:
    return Hub(endpoint=server.endpoint)


def test_only_the_files_that_loading_reads_are_fetched(hub: Hub, server: HubServer, tmp_path: Path) -> None:
    folder = fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    assert {path.name for path in folder.iterdir()} == {*NEEDED, MANIFEST_FILE}
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert not server.downloads("pytorch_model.bin")


def test_commit_and_checksums_are_recorded(hub: Hub, repository: HubRepository, tmp_path: Path) -> None:
    folder = fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    manifest = read_manifest(folder)
    assert manifest is not None
    assert (manifest.repository, manifest.commit) == (NAME, repository.commit)
    assert {file.name for file in manifest.files} == NEEDED
    assert folder.name == repository.commit


def test_a_model_in_the_cache_is_not_downloaded_again(hub: Hub, server: HubServer, tmp_path: Path) -> None:
    first = fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    assert fetch_model(NAME, cache_dir=tmp_path, hub=hub) == first
    assert len(server.downloads("model.safetensors")) == 1


def test_a_pinned_commit_in_the_cache_asks_nobody(
    hub: Hub, server: HubServer, repository: HubRepository, tmp_path: Path
) -> None:
    folder = fetch_model(NAME, repository.commit, tmp_path, hub=hub)
    asked = len(server.asked)
    assert fetch_model(NAME, repository.commit, tmp_path, hub=hub) == folder
    assert len(server.asked) == asked


def test_without_a_network_the_last_known_commit_is_used(hub: Hub, tmp_path: Path) -> None:
    folder = fetch_model(NAME, "refs/pr/7", tmp_path, hub=hub)
    assert fetch_model(NAME, "refs/pr/7", tmp_path, hub=NOWHERE) == folder
    with pytest.raises(DownloadFailed, match="Check the network"):
        fetch_model(NAME, "main", tmp_path, hub=NOWHERE)


def test_a_branch_that_moved_is_followed(hub: Hub, repository: HubRepository, tmp_path: Path) -> None:
    first = fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    repository.commit = "2" * 40
    repository.files["config.json"] = b'{"d_model": 256}'
    second = fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    assert (second / "config.json").read_bytes() != (first / "config.json").read_bytes()
    assert fetch_model(NAME, cache_dir=tmp_path, hub=NOWHERE) == second


def test_a_cut_connection_is_resumed(hub: Hub, server: HubServer, repository: HubRepository, tmp_path: Path) -> None:
    chunk = 10 * 2**20  # what huggingface_hub writes at once
    weights = repository.files["model.safetensors"] = os.urandom(chunk + 2000)
    repository.cut_after["model.safetensors"] = chunk + 1000
    folder = fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    assert (folder / "model.safetensors").read_bytes() == weights
    assert [asked.range for asked in server.downloads("model.safetensors")] == [None, f"bytes={chunk}-"]


def test_a_killed_download_goes_on_in_the_next_process(
    hub: Hub, server: HubServer, repository: HubRepository, tmp_path: Path
) -> None:
    partial = tmp_path / "speech--listener" / repository.commit / "model.safetensors.incomplete"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(WEIGHTS[:50_000])
    folder = fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert [asked.range for asked in server.downloads("model.safetensors")] == ["bytes=50000-"]
    assert not partial.exists()


def test_leftovers_longer_than_the_file_are_thrown_away(hub: Hub, repository: HubRepository, tmp_path: Path) -> None:
    partial = tmp_path / "speech--listener" / repository.commit / "model.safetensors.incomplete"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(WEIGHTS * 2)
    folder = fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_damaged_download_is_refused_and_can_be_tried_again(
    file: str, hub: Hub, repository: HubRepository, tmp_path: Path
) -> None:
    repository.corrupted.add(file)
    with pytest.raises(DownloadFailed, match=f"{file} arrived damaged"):
        fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    folder = fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    assert (folder / file).read_bytes() == FILES[file]


def test_a_file_that_rots_in_the_cache_is_fetched_again(hub: Hub, server: HubServer, tmp_path: Path) -> None:
    folder = fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    (folder / "model.safetensors").write_bytes(WEIGHTS[:-1] + b"!")
    (folder / "config.json").unlink()
    assert fetch_model(NAME, cache_dir=tmp_path, hub=hub) == folder
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert (folder / "config.json").exists()
    assert len(server.downloads("tokenizer.json")) == 1


def test_a_rotten_cache_without_a_network_is_said_so(hub: Hub, tmp_path: Path) -> None:
    folder = fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    (folder / "model.safetensors").unlink()
    with pytest.raises(DownloadFailed):
        fetch_model(NAME, cache_dir=tmp_path, hub=NOWHERE)


def test_an_unknown_repository_is_not_found(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="speech/nobody is not at the hub, or is private"):
        fetch_model("speech/nobody", cache_dir=tmp_path, hub=hub)


def test_an_unknown_revision_is_not_found(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="no revision 'v9'"):
        fetch_model(NAME, "v9", tmp_path, hub=hub)


def test_a_gated_repository_says_what_to_do(hub: Hub, repository: HubRepository, tmp_path: Path) -> None:
    repository.token, repository.gated = "hf_secret", True
    with pytest.raises(ModelAccessDenied, match="accept its conditions at the hub, then set HF_TOKEN"):
        fetch_model(NAME, cache_dir=tmp_path, hub=hub)


def test_a_token_opens_a_private_repository(
    hub: Hub, server: HubServer, repository: HubRepository, tmp_path: Path
) -> None:
    repository.token = "hf_secret"
    allowed = Hub(hub.endpoint, "hf_secret")
    assert fetch_model(NAME, cache_dir=tmp_path, hub=allowed).is_dir()
    assert {asked.authorization for asked in server.asked if "/resolve/" in asked.path} == {"Bearer hf_secret"}


@pytest.mark.parametrize("file", ["preprocessor_config.json", "tokenizer.json", "config.json", "model.safetensors"])
def test_a_repository_without_a_needed_file_is_refused_before_anything_is_fetched(
    file: str, hub: Hub, server: HubServer, repository: HubRepository, tmp_path: Path
) -> None:
    del repository.files[file]
    with pytest.raises(InvalidCheckpoint, match=f"speech/listener/{file}: the repository has no such file"):
        fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    assert not server.downloads("")


def test_the_shards_of_an_index_are_fetched(hub: Hub, repository: HubRepository, tmp_path: Path) -> None:
    del repository.files["model.safetensors"]
    shards = {f"model-0000{number}-of-00002.safetensors": WEIGHTS[number:] for number in (1, 2)}
    index = {"weight_map": {str(number): name for number, name in enumerate(shards)}}
    repository.files |= shards | {"model.safetensors.index.json": json.dumps(index).encode()}
    folder = fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    assert all((folder / name).read_bytes() == content for name, content in shards.items())


def test_an_index_cannot_lead_out_of_the_folder(hub: Hub, repository: HubRepository, tmp_path: Path) -> None:
    del repository.files["model.safetensors"]
    index = {"weight_map": {"encoder.conv1.weight": "../../escape.safetensors"}}
    repository.files |= {"model.safetensors.index.json": json.dumps(index).encode(), "../../escape.safetensors": b"x"}
    with pytest.raises(InvalidCheckpoint, match="no file beside it"):
        fetch_model(NAME, cache_dir=tmp_path, hub=hub)
    assert not list(tmp_path.rglob("escape*"))


def test_processes_that_share_a_cache_download_once(hub: Hub, server: HubServer, tmp_path: Path) -> None:
    folders: list[Path] = []
    threads = [
        threading.Thread(target=lambda: folders.append(fetch_model(NAME, cache_dir=tmp_path, hub=hub)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 4
    assert len(server.downloads("model.safetensors")) == 1


def test_the_environment_names_hub_and_token(server: HubServer, repository: HubRepository, tmp_path: Path) -> None:
    repository.token = "hf_secret"
    program = "import sys; from whisper_inference.models.fetch import resolve_model; print(resolve_model(sys.argv[1]))"
    environment = os.environ | {
        "HF_ENDPOINT": server.endpoint,
        "HF_TOKEN": "hf_secret",
        "XDG_CACHE_HOME": str(tmp_path),
    }
    ended = subprocess.run(
        [sys.executable, "-c", program, NAME], env=environment, capture_output=True, text=True, check=True
    )
    expected = tmp_path / "whisper-inference" / "models" / "speech--listener" / repository.commit
    assert ended.stdout.strip() == str(expected)
    assert ended.stderr == ""


@pytest.mark.parametrize("progress", [True, False])
def test_a_progress_bar_is_shown_on_request(
    progress: bool,  # noqa: FBT001 (a parameter of the test)
    hub: Hub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch_model(NAME, cache_dir=tmp_path, progress=progress, hub=hub)
    assert ("model.safetensors" in capsys.readouterr().err) == progress


def test_a_refused_token_is_said_so(hub: Hub, repository: HubRepository, tmp_path: Path) -> None:
    repository.failing = 403
    with pytest.raises(ModelAccessDenied, match="refuses speech/listener to this HF_TOKEN"):
        fetch_model(NAME, cache_dir=tmp_path, hub=hub)


def test_a_failing_hub_is_said_so(hub: Hub, repository: HubRepository, tmp_path: Path) -> None:
    repository.failing = 500
    with pytest.raises(DownloadFailed, match="The hub answered with an error for speech/listener: Server error '500"):
        fetch_model(NAME, cache_dir=tmp_path, hub=hub)


def test_a_name_that_the_hub_cannot_have_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="'a--b/c' is no repository name"):
        fetch_model("a--b/c", cache_dir=tmp_path, hub=NOWHERE)


def test_a_path_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve_model("tiny", hub=NOWHERE) == Path("tiny")


@pytest.mark.parametrize(
    ("alias", "name"), [("turbo", "openai/whisper-large-v3-turbo"), ("tiny", "openai/whisper-tiny")]
)
def test_short_names_mean_openai_s_repositories(alias: str, name: str, tmp_path: Path) -> None:
    repository = HubRepository(dict(FILES))
    with running_hub({name: repository}) as server:
        folder = resolve_model(alias, cache_dir=tmp_path, hub=Hub(server.endpoint))
    assert folder.parent.name == name.replace("/", "--")
    assert ALIASES["large"] == "openai/whisper-large-v3"


@pytest.mark.parametrize(
    "name", ["nonsense", "../../etc/passwd/x", "a/b/c", "owner/..", "", "/owner/name", "owner/na me"]
)
def test_what_is_neither_path_nor_name_is_said_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="neither a path here nor a model's name"):
        resolve_model(name, cache_dir=tmp_path, hub=NOWHERE)


def test_a_downloaded_checkpoint_is_checked_when_it_is_loaded(tmp_path: Path) -> None:
    demo = Path(__file__).parents[4] / "examples/models/demo"
    files = {path.name: path.read_bytes() for path in demo.iterdir()}
    with running_hub({NAME: HubRepository(files)}) as server:
        folder = resolve_model(NAME, cache_dir=tmp_path, hub=Hub(server.endpoint))
    assert load_checkpoint(folder).name == NAME
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    with pytest.raises(InvalidCheckpoint, match="not the file that was downloaded") as refusal:
        load_checkpoint(folder)
    assert refusal.value.path == folder / "model.safetensors"

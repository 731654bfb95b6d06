"""A key that changes under a server that runs, as the kubelet changes it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from whisper_inference.security.key_file import follow_key_file
from whisper_inference.settings import ServerSettings

OLD, NEW = "the-old-key-of-32-characters-here", "the-new-key-of-32-characters-here"


class Mount:
    """A folder as the kubelet mounts a Secret: files behind a link that is swapped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.key = folder / "API_KEY"
        self.write(OLD)
        self.key.symlink_to(Path("..data", "API_KEY"))

    def write(self, key: str | None) -> None:
        """Swap in another version; `None` has no key."""
        version = self._folder / f"..{len(list(self._folder.iterdir()))}"
        version.mkdir()
        if key is not None:
            (version / "API_KEY").write_text(key)
        link = self._folder / "..new"
        link.symlink_to(version.name)
        link.replace(self._folder / "..data")


def follow(settings: ServerSettings, change: Callable[[], None]) -> list[str]:
    """Change something while a key is followed; return the keys that were taken over."""
    taken: list[SecretStr] = []

    async def whole() -> None:
        task = asyncio.create_task(follow_key_file(settings, taken.append, 0.01))
        await asyncio.sleep(0.03)
        change()
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(whole())
    return [key.get_secret_value() for key in taken]


def test_a_key_that_is_swapped_is_taken_over_once(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    assert follow(ServerSettings(model="base", api_key_file=mount.key), lambda: mount.write(NEW)) == [NEW]


def test_a_key_that_would_not_do_changes_nothing_and_a_good_one_after_it_does(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    settings = ServerSettings(model="base", api_key_file=mount.key)
    assert follow(settings, lambda: mount.write("short")) == []
    assert follow(settings, lambda: mount.write(None)) == []
    assert follow(settings, lambda: mount.write(NEW)) == [NEW]


def test_a_key_that_was_not_given_by_a_file_stays(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    given = ServerSettings(model="base", api_key=SecretStr(OLD), api_key_file=mount.key)
    assert follow(given, lambda: mount.write(NEW)) == []
    assert follow(ServerSettings(model="base"), lambda: None) == []

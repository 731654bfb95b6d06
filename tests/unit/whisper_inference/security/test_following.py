"""Credentials that change under a server that runs, as the kubelet changes them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from tests.support.keys import make_account_key
from whisper_inference.security.credentials import Credentials
from whisper_inference.security.following import follow_credentials
from whisper_inference.settings import ServerSettings

OLD, NEW = "the-old-key-of-32-characters-here", "the-new-key-of-32-characters-here"


class Mount:
    """A folder as the kubelet mounts a Secret: files behind a link that is swapped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.key = folder / "API_KEY"
        self.accounts = folder / "accounts.yaml"
        self.write(OLD)
        for file in (self.key, self.accounts):
            file.symlink_to(Path("..data", file.name))

    def write(self, key: str | None, accounts: str | None = None) -> None:
        """Swap in another version; what is `None` is not in it."""
        version = self._folder / f"..{len(list(self._folder.iterdir()))}"
        version.mkdir()
        if key is not None:
            (version / "API_KEY").write_text(key)
        if accounts is not None:
            (version / "accounts.yaml").write_text(accounts)
        link = self._folder / "..new"
        link.symlink_to(version.name)
        link.replace(self._folder / "..data")


def follow(settings: ServerSettings, change: Callable[[], None]) -> list[Credentials]:
    """Change something while the credentials are followed; return what was taken over."""
    taken: list[Credentials] = []

    async def whole() -> None:
        task = asyncio.create_task(follow_credentials(settings, taken.append, 0.01))
        await asyncio.sleep(0.03)
        change()
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(whole())
    return taken


def keys(settings: ServerSettings, change: Callable[[], None]) -> list[str]:
    """As `follow`, with the one keys alone."""
    return [each.key.get_secret_value() for each in follow(settings, change) if each.key is not None]


def test_a_key_that_is_swapped_is_taken_over_once(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    assert keys(ServerSettings(model="base", api_key_file=mount.key), lambda: mount.write(NEW)) == [NEW]


def test_a_key_that_would_not_do_changes_nothing_and_a_good_one_after_it_does(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    settings = ServerSettings(model="base", api_key_file=mount.key)
    assert keys(settings, lambda: mount.write("short")) == []
    assert keys(settings, lambda: mount.write(None)) == []
    assert keys(settings, lambda: mount.write(NEW)) == [NEW]


def test_a_key_that_was_not_given_by_a_file_stays(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    given = ServerSettings(model="base", api_key=SecretStr(OLD), api_key_file=mount.key)
    assert keys(given, lambda: mount.write(NEW)) in ([], [OLD])
    assert follow(ServerSettings(model="base"), lambda: None) == []


def test_a_named_key_comes_and_goes_and_the_one_key_may_leave_it_alone(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    settings = ServerSettings(model="base", host="::", api_key_file=mount.key, accounts_file=mount.accounts)
    _, entry = make_account_key("newsroom")
    (came,) = follow(settings, lambda: mount.write(OLD, f"keys:\n{entry}"))
    assert [key.name for key in came.accounts.keys] == ["newsroom"]
    (alone,) = follow(settings, lambda: mount.write(None, f"keys:\n{entry}"))
    assert alone.key is None
    assert follow(settings, lambda: mount.write(None, "keys: [")) == []
    assert follow(settings, lambda: mount.write(None)) == []
    (left,) = follow(settings, lambda: mount.write(NEW))
    assert left.accounts.keys == ()


def test_a_key_that_was_made_for_this_run_outlives_an_empty_file(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    settings = ServerSettings(model="base", accounts_file=mount.accounts)
    assert follow(settings, lambda: mount.write(None, "keys: []")) == []

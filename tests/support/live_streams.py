"""Live streams from a pod of the cluster: they speak until they are told to stop, over whatever happens to servers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import jiwer

from tests.support.site import Site
from tests.support.speaking import say_the_same

_CLIPS: Final = [f"/audio/{name}.wav" for name in ("seen_7", "seen_9", "seen_4")]
"""Each shorter than three seconds: two cores follow twenty who speak for a quarter of the time."""


class LiveStreams:
    """People who speak to a resource with our own client.

    Args:
        site: The cluster.
        name: Of the resource.
        count: How many they are.
    """

    def __init__(self, site: Site, name: str, count: int) -> None:
        self.count, self.resumed = count, 0
        self._site, self._key = site, site.key_of(name)
        self._url = f"http://{name}.{site.namespace}.svc"
        files = site.ask("/client/ask_with_openai.py", self._url, *_CLIPS, secret=self._key)
        self._texts: dict[str, str] = json.loads(files)

    @contextmanager
    def speaking(self, seen: list[str]) -> Iterator[None]:
        """Speak while the block runs; then each stream must have ended well, with all its words, in order."""
        arguments = ["/client/streams.py", self._url, str(self.count), *_CLIPS]
        with self._site.client(*arguments, secret=self._key) as client:
            client.wait_for("speaking")
            yield
            client.signal("TERM")
            heard = json.loads(client.ended().splitlines()[-1])
        self.resumed = sum(each["resumed"] for each in heard)
        expected = [" ".join(self._texts[Path(file).name] for file in each["said"]) for each in heard]
        words = jiwer.process_words(expected, [each["text"] for each in heard])
        sentences = sum(len(each["said"]) for each in heard)
        seen += [
            f"{self.count} streams of {sentences} sentences, resumed {self.resumed} times",
            f"{words.deletions} words lost, {words.insertions} more, {words.substitutions} other",
        ]
        assert [each["ended"] for each in heard] == ["finished"] * self.count
        assert [each["ids"] for each in heard] == [list(range(len(each["ids"]))) for each in heard]
        assert [each for each, text in zip(heard, expected, strict=True) if not say_the_same(each["text"], text)] == []

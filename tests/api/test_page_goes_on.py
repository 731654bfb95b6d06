"""The page goes on when its connection or its server is lost: every word is there, and none twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.api.conftest import EXAMPLES
from tests.api.test_page_in_browser import AT_REST, said, sign_in, text_of
from tests.support.audio_samples import wav
from tests.support.browser import Page, browser_page
from tests.support.running_server import KEY, RunningServer, running_server
from tests.support.speaking import connect, final_text, pcm, say, say_the_same
from tests.support.switchboard import Switchboard
from whisper_inference.settings import ServerSettings
from whisper_operator.play.ports import free_port

pytestmark = pytest.mark.slow

SPEECH = EXAMPLES / "audio/unseen_long0.flac"
WATCH = """
globalThis.told = [];
new MutationObserver(() => told.push(document.getElementById('status').textContent))
  .observe(document.getElementById('status'), { childList: true });
document.getElementById('paced').checked = true; 0
"""
HEARS = "document.getElementById('partial').textContent !== ''"
AGAIN = "(sentence) => sentence.startsWith('Connecting again')"
DONE = f"{AT_REST} && document.getElementById('status').textContent === 'Done.'"


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    """A tab."""
    with browser_page() as opened:
        yield opened


@pytest.fixture
def switchboard(replicas: list[RunningServer]) -> Iterator[Switchboard]:
    """One address in front of both servers; the first one answers."""
    with Switchboard(replicas[0].url) as opened:
        yield opened


@contextmanager
def stopping(server: RunningServer) -> Iterator[None]:
    """Let a server drain."""
    readiness = server.app.state.server.readiness
    phase, readiness.phase = readiness.phase, type(readiness.phase).DRAINING
    try:
        yield
    finally:
        readiness.phase = phase


def speak(page: Page, url: str, file: Path) -> None:
    """Open the page, and let it play a file until it hears something."""
    page.open(f"{url}/")
    sign_in(page)
    page.run(WATCH)
    page.choose("#file", file)
    page.wait(HEARS)


def test_a_server_that_dies_and_one_that_stops_lose_and_double_no_word(
    replicas: list[RunningServer], switchboard: Switchboard, browser: Page, tmp_path: Path
) -> None:
    sound = pcm(EXAMPLES / "audio/unseen_0.wav") + bytes(32_000) + pcm(EXAMPLES / "audio/unseen_1.wav")
    file = tmp_path / "talk.wav"
    file.write_bytes(wav(sound))
    speak(browser, switchboard.url, file)
    switchboard.switch(replicas[1].url)
    switchboard.cut()
    browser.wait(f"told.some({AGAIN}) && !({AGAIN})(told.at(-1))")
    switchboard.switch(replicas[0].url)
    with stopping(replicas[1]):
        browser.wait(DONE)
    with connect(replicas[0]) as connection:
        assert say_the_same(said(browser), final_text(say(connection, sound)))
    assert browser.run(f"told.filter({AGAIN}).length >= 2")
    assert text_of(browser, "problem") == text_of(browser, "partial") == ""
    assert text_of(browser, "heard") == f"0:{len(sound) // 32_000:02}"


def test_a_server_without_others_says_what_it_heard_and_stops(browser: Page) -> None:
    # Of its own: what drains works at no more jobs, and the one of all tests has some to come.
    settings = ServerSettings(model=str(EXAMPLES / "models/demo"), device="cpu", api_key=KEY)
    with running_server(settings) as server:
        speak(browser, server.url, SPEECH)
        with stopping(server):
            browser.wait(AT_REST)
    assert text_of(browser, "status").startswith("The server stops, and has finished")
    assert said(browser) != ""
    assert text_of(browser, "problem") == text_of(browser, "partial") == ""


def test_while_the_page_connects_again_it_listens_on_until_it_is_told_to_stop(
    switchboard: Switchboard, browser: Page
) -> None:
    speak(browser, switchboard.url, SPEECH)
    browser.wait("document.getElementById('stable').textContent !== ''")
    switchboard.switch(f"http://127.0.0.1:{free_port()}")
    switchboard.cut()
    browser.wait(f"told.some({AGAIN})")
    shown, heard = text_of(browser, "stable"), text_of(browser, "heard")
    assert shown != ""
    browser.wait(f"document.getElementById('heard').textContent > '{heard}'")
    assert text_of(browser, "stable") == shown
    browser.click("#speak")
    assert text_of(browser, "speak") == "Stop now"
    browser.click("#speak")
    browser.wait(AT_REST)
    assert text_of(browser, "status") == "Stopped."
    assert said(browser).startswith(shown.strip())


def test_what_is_not_kept_any_more_and_a_server_that_is_silent_are_told(server: RunningServer, browser: Page) -> None:
    browser.open(f"{server.url}/")
    script = """(async () => {
      const sockets = [];
      globalThis.WebSocket = class extends EventTarget {
        static OPEN = 1;
        readyState = 1;
        bufferedAmount = 0;
        sent = [];
        constructor() { super(); sockets.push(this); queueMicrotask(() => this.dispatchEvent(new Event("open"))); }
        send(what) { this.sent.push(what); }
        say(message) { this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) })); }
        close() { this.readyState = 3; this.dispatchEvent(new Event("close")); }
      };
      const later = globalThis.setTimeout;
      globalThis.setTimeout = (run, milliseconds) => later(run, milliseconds / 100);
      const pause = (milliseconds) => new Promise((resolve) => later(resolve, milliseconds));
      const until = async (holds) => { while (!holds()) await pause(5); };
      const ready = { type: "ready", resume_token: "t", from_byte: 0, limits: { resume_seconds: 120 } };
      const { Speech } = await import("./web/speech.js");
      const heard = [];
      const listener = { opened: () => heard.push("opened"), lost: () => heard.push("lost"), hear: () => {} };
      const speech = new Speech({ token: "k" }, listener);
      const ended = speech.run().catch((problem) => problem.message);
      await until(() => sockets[0].sent.length === 1);
      sockets[0].say(ready);
      for (let minute = 0; minute < 10; minute += 1) await speech.send(new Int16Array(1 << 19));
      sockets[0].say({ type: "final", id: 4 });
      await until(() => sockets.length === 2 && sockets[1].sent.length === 1); // it said nothing for long
      sockets[1].say({ type: "error", error: { message: "Busy.", code: "overloaded", retry_after: 1 } });
      sockets[1].close();
      await until(() => sockets.length === 3 && sockets[2].sent.length === 1);
      sockets[2].say(ready);
      return [sockets[1].sent.map(JSON.parse), heard, await ended, sockets[2].readyState];
    })()"""
    first = {"type": "resume", "token": "k", "resume_token": "t", "finals": 5}
    told = browser.run(script)
    assert isinstance(told, list)
    assert told[:2] == [[first], ["opened", "lost", "lost", "opened"]]
    assert "lost for too long" in told[2]
    assert told[3] == 3

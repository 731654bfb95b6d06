"""The page at `/` in a real browser, whose microphone plays a recording: what a person sees, and what nobody may."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import EXAMPLES, PASSWORD
from tests.api.test_documentation import check_good_manners
from tests.api.test_stream import batch_text
from tests.support.browser import Page, browser_page
from tests.support.patience import eventually
from tests.support.running_server import KEY, RunningServer
from tests.support.speaking import final_text, say_the_same
from whisper_inference.formats import render_srt, render_text, render_vtt
from whisper_inference.transcription import Segment, Transcript

pytestmark = pytest.mark.slow

SPOKEN = EXAMPLES / "audio/seen_4.wav"
"""Four words; the microphone plays them once, from when it is opened."""
FLAGS = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    f"--use-file-for-fake-audio-capture={SPOKEN}%noloop",
)
NAMED_ROLES = {"button", "textbox", "combobox", "checkbox", "meter", "log", "region"}
AT_REST = "document.getElementById('speak').textContent === 'Start the microphone'"


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    """A tab of a browser that has a microphone."""
    with browser_page(*FLAGS) as opened:
        yield opened


@pytest.fixture
def page(browser: Page, server: RunningServer) -> Iterator[Page]:
    """The page, just opened; nothing that it does may be refused by its policy, or asked of anybody else."""
    for kept in (browser.complaints, browser.requested, browser.credentials):
        kept.clear()
    browser.open(f"{server.url}/")
    yield browser
    browser.run("0")  # what it complained of meanwhile
    refused = "401"  # a browser writes refused logins to its console, too
    browser.complaints[:] = [each for each in browser.complaints if refused not in each]
    browser.requested[:] = [url.replace("ws:", "http:") for url in browser.requested if not url.startswith("blob:")]
    check_good_manners(browser, server)


def text_of(page: Page, name: str) -> str:
    """What an element says."""
    return str(page.run(f"document.getElementById('{name}').textContent"))


def said(page: Page) -> str:
    """The final text, without its times."""
    lines = page.run("[...document.querySelectorAll('#final p')].map((line) => line.lastChild.textContent).join(' ')")
    return str(lines)


def fill(page: Page, form: str, **fields: str) -> None:
    """Fill a form, and send it."""
    for name, value in fields.items():
        page.run(f"document.getElementById('{name}').value = {json.dumps(value)}")
    page.click(f"#{form} button")


def sign_in(page: Page) -> None:
    """Sign in with the key, and wait until the page knows the model."""
    fill(page, "program", key=KEY)
    page.wait("document.getElementById('language').options.length > 1")


def transcribe(page: Page, file: Path) -> None:
    """Choose a file, and wait for its text."""
    page.choose("#file", file)
    page.wait(f"{AT_REST} && document.getElementById('status').textContent === 'Done.'")


def test_what_is_said_into_the_microphone_is_read(server: RunningServer, page: Page) -> None:
    sign_in(page)
    assert (text_of(page, "model"), text_of(page, "device")) == ("demo", "cpu")
    page.run(
        "globalThis.loudest = -60; globalThis.partials = 0;"
        "const look = () => { loudest = Math.max(loudest, document.getElementById('level').value) };"
        "globalThis.looking = setInterval(look, 20);"
        "const grown = () => { partials += document.getElementById('unstable').textContent !== '' };"
        "new MutationObserver(grown).observe(document.getElementById('partial'), { childList: true, subtree: true }); 0"
    )
    page.click("#speak")
    page.wait("document.querySelectorAll('#final p').length > 0")
    assert say_the_same(said(page), batch_text(server, SPOKEN))
    page.click("#speak")
    page.wait(AT_REST)
    assert text_of(page, "status") == "Done."
    assert text_of(page, "problem") == ""
    page.run("clearInterval(looking)")
    assert page.run("loudest > -30 && partials > 0")
    assert page.run("document.getElementById('level').value") == -60


def test_what_media_recorder_gives_is_text(server: RunningServer, page: Page) -> None:
    script = (
        """(async (token) => {
      const media = await navigator.mediaDevices.getUserMedia({ audio: true });
      const recorder = new MediaRecorder(media, { mimeType: "audio/webm;codecs=opus" });
      const socket = new WebSocket(new URL("api/v1/stream", document.baseURI.replace("http", "ws")), "whisper.v1");
      recorder.ondataavailable = ({ data }) => socket.send(data);
      recorder.onstop = () => socket.send(JSON.stringify({ type: "finish" }));
      socket.onopen = () => socket.send(JSON.stringify({ type: "start", token, audio: { encoding: "webm_opus" } }));
      const told = [];
      return await new Promise((resolve) => {
        socket.onclose = () => resolve(told);
        socket.onmessage = ({ data }) => {
          told.push(JSON.parse(data));
          if (told.length === 1) recorder.start(100);
          if (told.at(-1).type !== "endpoint" || recorder.state === "inactive") return;
          recorder.stop();
          for (const track of media.getTracks()) track.stop();
        };
      });
    })"""
        f"({json.dumps(KEY)})"
    )
    told = page.run(script)
    assert isinstance(told, list)
    assert say_the_same(final_text(told), batch_text(server, SPOKEN))
    assert told[-1]["reason"] == "finished"


def test_a_file_becomes_the_text_that_the_server_makes_of_it(server: RunningServer, page: Page, clip: Path) -> None:
    sign_in(page)
    transcribe(page, clip)
    assert say_the_same(said(page), batch_text(server, clip))
    assert text_of(page, "heard") == "0:05"


def test_a_second_file_goes_on_where_the_first_ended(page: Page, tmp_path: Path) -> None:
    sign_in(page)
    transcribe(page, SPOKEN)
    page.run("document.getElementById('paced').checked = true; globalThis.began = performance.now(); 0")
    transcribe(page, SPOKEN)
    assert page.run("performance.now() - began > 1500")  # as long as it plays
    page.tell("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.click("[data-format=srt]")
    cues = eventually((tmp_path / "transcript.srt").read_text)
    first, second = (block.splitlines() for block in cues.strip().split("\n\n"))
    assert first[0] == "1"
    assert first[1].startswith("00:00:00,")
    assert second[1].startswith("00:00:0")
    assert second[1] > first[1].rpartition(" ")[2]
    assert first[2] == second[2]
    page.click("#clear")
    assert said(page) == ""


def test_what_is_no_sound_is_told(page: Page, tmp_path: Path) -> None:
    sign_in(page)
    recipe = tmp_path / "talk.wav"
    recipe.write_text("Two eggs, and a pound of flour.")
    page.choose("#file", recipe)
    page.wait("document.getElementById('problem').textContent.includes('cannot read the file')")
    assert page.run(AT_REST)


def test_a_person_signs_in_with_the_keyboard_alone_and_out_again(server: RunningServer, page: Page) -> None:
    page.write("transcriber")
    page.press("Tab")
    page.write("wrong")
    page.press("Enter")
    page.wait("document.getElementById('problem').textContent !== ''")
    refused = httpx.post(f"{server.url}/api/v1/auth/login", json={"username": "transcriber", "password": "wrong"})
    assert text_of(page, "problem") == refused.json()["error"]["message"]
    assert page.run("document.getElementById('password').selectionEnd") == len("wrong")
    page.write(PASSWORD)  # in its place
    page.press("Tab")
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Enter")
    page.wait("document.activeElement.id === 'speak'")
    assert text_of(page, "name") == "transcriber, transcriber"
    assert text_of(page, "problem") == ""
    token = {"Authorization": page.credentials[-1]}
    assert httpx.get(f"{server.url}/api/v1/auth/me", headers=token).status_code == 200
    page.click("#log-out")
    page.wait("document.activeElement.id === 'username'")
    eventually(lambda: httpx.get(f"{server.url}/api/v1/auth/me", headers=token).status_code == 401)


def test_a_token_is_nowhere_but_in_the_page_s_memory(page: Page) -> None:
    sign_in(page)
    transcribe(page, SPOKEN)
    assert any(url.endswith("/api/v1/stream") for url in page.requested)
    assert not [url for url in page.requested if KEY in url]
    kept = "JSON.stringify([localStorage, sessionStorage, document.cookie, document.documentElement.outerHTML])"
    assert KEY not in str(page.run(kept))
    assert page.run("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    page.tell("Page.reload")
    page.wait("document.readyState === 'complete' && !document.getElementById('sign-in').hidden")


def test_a_session_that_ended_is_told_and_the_text_stays(server: RunningServer, page: Page) -> None:
    fill(page, "account", username="transcriber", password=PASSWORD)
    page.wait("document.getElementById('language').options.length > 1")
    transcribe(page, SPOKEN)
    before = said(page)
    httpx.post(f"{server.url}/api/v1/auth/logout", headers={"Authorization": page.credentials[-1]})
    page.choose("#file", SPOKEN)
    page.wait("!document.getElementById('sign-in').hidden")
    assert text_of(page, "problem") != ""
    assert said(page) == before != ""
    sign_in(page)
    transcribe(page, SPOKEN)
    assert said(page) == f"{before} {before}"


def test_a_stream_that_nobody_can_go_on_with_leaves_its_text(page: Page, clip: Path) -> None:
    sign_in(page)
    page.run(
        "globalThis.WebSocket = class extends WebSocket {"
        "  constructor(...where) { super(...where); globalThis.connection = this; }"
        "  send(what) { super.send(what.replace?.(/(resume_token.:.)../, '$1ff') ?? what); }"
        "}; document.getElementById('paced').checked = true; 0"
    )
    page.choose("#file", clip)
    page.wait("document.getElementById('partial').textContent !== ''")
    page.run("connection.close()")
    page.wait(AT_REST)
    assert "no such stream" in text_of(page, "problem")
    assert said(page) != ""
    assert text_of(page, "partial") == ""
    assert page.run("document.getElementById('clear').disabled") is False


def test_whoever_logs_out_is_heard_no_more(page: Page) -> None:
    sign_in(page)
    page.run(
        "const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "navigator.mediaDevices.getUserMedia = async (what) => globalThis.media = await open(what); 0"
    )
    page.click("#speak")
    page.wait("document.getElementById('speak').textContent === 'Stop'")
    page.click("#log-out")
    page.wait(
        "document.activeElement.id === 'username' && media.getTracks().every((track) => track.readyState === 'ended')"
    )
    assert text_of(page, "problem") == ""


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("NotAllowedError", "is not allowed"), ("NotFoundError", "There is no microphone"), ("", "another")],
)
def test_why_there_is_no_microphone_is_told(page: Page, name: str, sentence: str) -> None:
    sign_in(page)
    refuse = f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{name}')); 0"
    page.run(refuse)
    page.click("#speak")
    page.wait(f"document.getElementById('problem').textContent.includes('{sentence}')")
    assert page.run(AT_REST)


def test_a_microphone_that_the_server_cannot_follow_is_switched_off_and_what_waits_is_sent(page: Page) -> None:
    script = """(async () => {
      const [channel, told] = [new MessageChannel(), []];
      globalThis.AudioWorkletNode = class { port = channel.port1; connect() {} };
      MediaStreamAudioSourceNode.prototype.connect = (node) => node;
      const { Microphone } = await import("./web/sound.js");
      const { frames } = await Microphone.open((sentence) => told.push(sentence));
      const stopped = new Promise((resolve) => { channel.port2.onmessage = ({ data }) => resolve(data); });
      for (let sent = 0; sent < 700; sent += 1) channel.port2.postMessage(Int16Array.of(sent));
      await stopped;
      const [reader, heard] = [frames.getReader(), []];
      for (let next = await reader.read(); !next.done; next = await reader.read()) heard.push(next.value[0]);
      return [told, heard];
    })()"""
    assert page.run(script) == [
        ["The server was a minute behind the microphone, so it was switched off."],
        list(range(600)),
    ]


def test_sound_waits_while_the_network_does_not_take_it(page: Page) -> None:
    script = """(async () => {
      const sent = [];
      globalThis.WebSocket = class extends EventTarget {
        static OPEN = 1;
        readyState = 1;
        bufferedAmount = 1 << 20;
        constructor() { super(); globalThis.socket = this; }
        send(frame) { sent.push(frame); }
      };
      const { Stream } = await import("./web/stream.js");
      const sending = new Stream({}, () => {}).send("frame");
      await new Promise((resolve) => setTimeout(resolve, 100));
      const before = sent.length;
      socket.bufferedAmount = 0;
      await sending;
      return [before, sent];
    })()"""
    assert page.run(script) == [0, ["frame"]]


def test_a_role_that_may_not_speak_is_told(page: Page) -> None:
    fill(page, "account", username="viewer", password=PASSWORD)
    page.wait("document.getElementById('language').options.length > 1")
    page.choose("#file", SPOKEN)
    page.wait("document.getElementById('problem').textContent.includes('role')")
    assert page.run("document.getElementById('sign-in').hidden")


SEGMENTS = [
    (0.0, 1.28, " Please fix the pump."),
    (59.999, 60.0, " <b>A & B</b> --> C "),
    (61.5, 60.2, " two\n lines"),
    (62.0, 63.0, "  "),
    (3600.0, 360_000.25, " späte Wörter"),
]


def test_subtitles_are_those_that_the_server_would_write(page: Page) -> None:
    listed = [dict(zip(("start", "end", "text"), each, strict=True)) for each in SEGMENTS]
    script = (
        f"import('./web/subtitles.js').then(({{ FORMATS }}) =>"
        f" ['txt', 'srt', 'vtt'].map((name) => FORMATS[name].render({json.dumps(listed)})))"
    )
    segments = tuple(Segment(0, 0, *each, (), 0.0, 0.0, 1.0, 0.0) for each in SEGMENTS)
    transcript = Transcript("transcribe", "en", 9.0, segments)
    assert page.run(script) == [render_text(transcript), render_srt(transcript), render_vtt(transcript)]


def test_every_control_has_a_name_and_final_text_is_said(page: Page) -> None:
    sign_in(page)
    page.run("document.getElementById('sign-in').hidden = false; 0")
    nodes = page.tell("Accessibility.getFullAXTree")["nodes"]
    named = [(each["role"]["value"], each.get("name", {}).get("value", "")) for each in nodes if not each["ignored"]]
    found = {role for role, _ in named}
    assert found >= NAMED_ROLES
    assert [role for role, name in named if role in NAMED_ROLES and not name] == []
    assert page.run("['final', 'status', 'problem'].map((id) => document.getElementById(id).role)") == [
        "log",
        "status",
        "alert",
    ]
    assert page.run("document.getElementById('partial').closest('[aria-live], [role=log]')") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_the_paper(page: Page, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 at least; what may change is dimmer than what is stable."""
    page.prefer(scheme)
    stable, unstable = contrast(page, "#stable"), contrast(page, "#unstable")
    assert stable > unstable * 1.5
    assert min(stable, unstable, contrast(page, "#problem"), contrast(page, "#status"), contrast(page, "dt")) >= 4.5


def contrast(page: Page, selector: str) -> float:
    """WCAG's contrast of an element's text with the page's paper."""
    ink, paper = (
        page.run(f"getComputedStyle(document.querySelector('{where}')).{what}.match(/[0-9]+/g).map(Number)")
        for where, what in ((selector, "color"), ("body", "backgroundColor"))
    )
    assert isinstance(ink, list)
    assert isinstance(paper, list)
    dark, bright = sorted((_luminance(ink), _luminance(paper)))
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: list[int]) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (each / 255 for each in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

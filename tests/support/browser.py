"""Debian's Chromium without a window, driven over its DevTools protocol; it reaches nothing but loopback."""

import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import websocket

from tests.support.patience import eventually

_SECONDS: Final = 30
_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class Page:
    """A tab: what it is told to do, and all that it complained of or asked for."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=_SECONDS)
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        """Errors of the console, violations of the policy among them."""
        self.requested: list[str] = []
        self.credentials: list[str] = []
        """What was sent as `Authorization`, each time."""
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.tell(f"{domain}.enable")

    def tell(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command and return its result; events that come meanwhile are kept."""
        number = self._send(method, parameters)
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                result: dict[str, Any] = message.get("result", message)
                return result
            self._note(message)

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page has loaded."""
        self.tell("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script: str) -> object:
        """Return what a script gives."""
        result = self.tell("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        value: object = result["result"].get("value")
        return value

    def wait(self, condition: str) -> None:
        """Wait until a condition of the page holds."""
        eventually(lambda: bool(self.run(condition)))

    def click(self, selector: str) -> None:
        """Click as a person does: some things browsers do for nobody else."""
        script = f"document.querySelector({selector!r}).click()"
        self.tell("Runtime.evaluate", expression=script, userGesture=True)

    def press(self, key: str) -> None:
        """Press a key, by its name: `Tab`."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        self.tell("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.tell("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def write(self, text: str) -> None:
        """Type into what has the focus."""
        self.tell("Input.insertText", text=text)

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file."""
        root = self.tell("DOM.getDocument")["root"]["nodeId"]
        node = self.tell("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.tell("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def prefer(self, scheme: str) -> None:
        """Like `light` or `dark`."""
        self.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def close(self) -> None:
        """Let go of the tab."""
        self._socket.close()

    def _send(self, method: str, parameters: dict[str, object]) -> int:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        return number

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        match message.get("method"):
            case "Log.entryAdded" if parameters["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(parameters["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"]))
            case "Network.requestWillBeSent":
                self.requested.append(parameters["request"]["url"])
                sent = parameters["request"]["headers"].get("Authorization")
                self.credentials += [] if sent is None else [sent]
            case "Page.javascriptDialogOpening":  # whether to leave the page
                self._send("Page.handleJavaScriptDialog", {"accept": True})
            case "Network.webSocketCreated":
                self.requested.append(parameters["url"])
            case _:
                pass


@contextmanager
def browser_page(*flags: str) -> Iterator[Page]:
    """Start a browser, with more flags perhaps, and give its first tab."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium: install the package chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *_FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            page = Page(_tab(Path(profile, "DevToolsActivePort")))
            yield page
            page.close()
        finally:
            process.terminate()
            process.wait(_SECONDS)


def _tab(port_file: Path) -> str:
    port = eventually(lambda: port_file.read_text().split()[0])
    tabs = httpx.get(f"http://127.0.0.1:{port}/json/list").json()
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))

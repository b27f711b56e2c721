"""The three engines, each driven by what it speaks itself: Chromium by Playwright, Firefox by WebDriver BiDi, WebKit by
WebDriver. None keeps third-party cookies: Chromium keeps none in Playwright's contexts, which are private windows,
Firefox is told so, and WebKit never does.

A test opens pages and asks them in JavaScript; what it waits for it asks again and again.
"""

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from playwright.sync_api import Browser
from websockets.sync.client import ClientConnection, connect

from tests.support.processes import PATIENCE, eventually
from tests.support.programs import needed
from tests.system.browser.board import MILLISECONDS
from tests.system.live.server import free_port

# Firefox: nothing but this machine is reached, and cookies are for the page's own site only.
PREFERENCES = {
    "app.normandy.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.cookie.cookieBehavior": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.type": 1,
    "services.settings.server": "data:,none",
    "toolkit.telemetry.enabled": False,
}


class Tab(Protocol):
    """A page in a profile of its own."""

    def open(self, url: str) -> None: ...

    def ask(self, expression: str, *, frame: bool = False) -> Any:
        """The value of a JavaScript expression in the page, or in the iframe on it."""


class Engine(Protocol):
    def tab(self) -> Tab: ...


class Chromium:
    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def tab(self) -> "ChromiumTab":
        return ChromiumTab(self.browser)


class ChromiumTab:
    def __init__(self, browser: Browser) -> None:
        self.page = browser.new_page()
        self.page.set_default_timeout(MILLISECONDS)

    def open(self, url: str) -> None:
        self.page.goto(url)

    def ask(self, expression: str, *, frame: bool = False) -> Any:
        return (self.page.frames[1] if frame else self.page).evaluate(expression)


class Firefox:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.sent = 0
        self.say("session.new", capabilities={})

    def say(self, method: str, **params: Any) -> Any:
        """One command, and its result; events are not listened to."""
        self.sent += 1
        self.socket.send(json.dumps({"id": self.sent, "method": method, "params": params}))
        while (answer := json.loads(self.socket.recv(timeout=PATIENCE))).get("id") != self.sent:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    def tab(self) -> "FirefoxTab":
        return FirefoxTab(self)


class FirefoxTab:
    def __init__(self, firefox: Firefox) -> None:
        self.say = firefox.say
        profile = self.say("browser.createUserContext")["userContext"]
        self.context = self.say("browsingContext.create", type="tab", userContext=profile)["context"]

    def open(self, url: str) -> None:
        self.say("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def ask(self, expression: str, *, frame: bool = False) -> Any:
        context = self.context
        if frame:
            [tree] = self.say("browsingContext.getTree", root=context)["contexts"]
            context = tree["children"][0]["context"]
        answer = self.say(
            "script.evaluate",
            expression=f"JSON.stringify(({expression}) ?? null)",
            target={"context": context},
            awaitPromise=False,
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])


class WebKit:
    """One session at a time, each with a browser of its own."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.session = ""

    def say(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 (our own URL)
            f"{self.url}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            return json.load(answer)["value"]

    def tab(self) -> "WebKitTab":
        self.close()
        self.session = "/session/" + self.say("POST", "/session", {"capabilities": {}})["sessionId"]
        return WebKitTab(self)

    def close(self) -> None:
        if self.session:
            self.say("DELETE", self.session)
        self.session = ""

    def answers(self) -> bool:
        try:
            return bool(self.say("GET", "/status"))
        except OSError:
            return False


class WebKitTab:
    def __init__(self, webkit: WebKit) -> None:
        self.webkit = webkit

    def say(self, path: str, **body: Any) -> Any:
        return self.webkit.say("POST", f"{self.webkit.session}{path}", body)

    def open(self, url: str) -> None:
        self.say("/url", url=url)

    def ask(self, expression: str, *, frame: bool = False) -> Any:
        if frame:
            self.say("/frame", id=0)
        try:
            return json.loads(
                self.say("/execute/sync", script=f"return JSON.stringify(({expression}) ?? null)", args=[])
            )
        finally:
            if frame:
                self.say("/frame", id=None)


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    program = needed("firefox-esr", "firefox-esr")
    profile, log = folder / "profile", folder / "firefox.log"
    profile.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    command = [program, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    environment = {**os.environ, "HOME": str(folder)}
    with (
        log.open("wb") as output,
        ended(subprocess.Popen(command, stdout=output, stderr=output, env=environment)) as process,
    ):
        opening = "WebDriver BiDi listening on "
        eventually(lambda: opening in log.read_text() or process.poll() is not None, "Firefox listens")
        address = re.search(f"{opening}(\\S+)", log.read_text())
        assert address, log.read_text()
        with connect(f"{address[1]}/session", max_size=None, open_timeout=PATIENCE) as socket:
            firefox = Firefox(socket)
            yield firefox
            firefox.say("browser.close")


@contextmanager
def webkit(folder: Path) -> Iterator[WebKit]:
    driver, screen = needed("WebKitWebDriver", "webkit2gtk-driver"), needed("Xvfb", "xvfb")
    command = [screen, "-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    port = free_port()
    with (
        (folder / "webkit.log").open("wb") as log,
        ended(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)) as display,
    ):
        assert display.stdout is not None
        number = display.stdout.readline().decode().strip()
        environment = {**os.environ, "DISPLAY": f":{number}", "HOME": str(folder)}
        with ended(subprocess.Popen([driver, f"--port={port}"], stdout=log, stderr=log, env=environment)):
            webkit = WebKit(port)
            eventually(webkit.answers, "WebKit's driver answers")
            yield webkit
            webkit.close()


@contextmanager
def ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """The process, gone when the block is left."""
    with process:
        try:
            yield process
        finally:
            process.terminate()

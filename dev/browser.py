# Copyright 2026 emotion_estimator maintainers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""
A real browser, Chromium without a window, for tests and the benchmark.

It is spoken to by its own DevTools protocol: Selenium and Playwright would each bring a driver, of
a version of its own, between this and the Chromium that a distribution ships.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
OPTIONS = (
    '--headless',
    # Chromium refuses its sandbox to root, which containers run as.
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--no-first-run',
)
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 30.0
_WATCHED = ('Page', 'Runtime', 'Log', 'Network')


def find_chromium() -> str | None:
    """
    Find the browser of this machine.

    :returns: its path; None where there is none.
    """
    return next(filter(None, map(shutil.which, NAMES)), None)


class BrowserError(RuntimeError):
    """The browser did not do what it was asked for; the message says what it said."""


class Browser:
    """
    Chromium that reaches no host but this machine; ended when the block is left.

    :param program: its path, see `find_chromium`.
    :param profile: an empty folder of its own.
    :param idle: whether it runs only when nothing else would (SCHED_IDLE), as a tablet's browser,
        which takes nothing of the robot's processors.
    :raises BrowserError: when it does not start.
    """

    def __init__(self, program: str, profile: Path, idle: bool = False) -> None:
        self._process = subprocess.Popen(
            [
                *(('chrt', '--idle', '0') if idle else ()),
                program,
                *OPTIONS,
                '--remote-debugging-port=0',
                # A page that needs another host shows it by an error.
                '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
                f'--user-data-dir={profile}',
                'about:blank',
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._open = ExitStack()
        try:
            self._socket = self._connected(profile / 'DevToolsActivePort')
        except BaseException:
            self.close()
            raise
        self._number = 0
        self._answers: dict[int, Any] = {}
        self._listeners: dict[str, Callable[[str, Any], None]] = {}

    def _connected(self, written: Path) -> ClientConnection:
        # Here, as others ask this file only where the browser is.
        from websockets.sync.client import connect

        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not (written.is_file() and len(lines := written.read_text().split()) == 2):
            if time.monotonic() > deadline_s or self._process.poll() is not None:
                raise BrowserError(f'The browser did not start within {START_TIMEOUT_S:g} s.')
            time.sleep(0.05)
        address = f'ws://127.0.0.1:{lines[0]}{lines[1]}'
        return self._open.enter_context(
            connect(address, max_size=None, proxy=None, compression=None, ping_interval=None)
        )

    def __enter__(self) -> Browser:
        """Return the running browser."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def close(self) -> None:
        """End it."""
        self._open.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def process_id(self) -> int:
        """Of its first process."""
        return self._process.pid

    def ask(self, method: str, session: str = '', **parameters: Any) -> Any:
        """
        Send one command of the DevTools protocol and wait for the answer.

        :param method: such as 'Page.navigate'.
        :param session: of a page; empty for the browser itself.
        :param parameters: of the command.
        :raises BrowserError: when the browser refuses it or does not answer.
        """
        self._number += 1
        number = self._number
        command = {'id': number, 'method': method, 'params': parameters}
        self._socket.send(json.dumps({**command, 'sessionId': session} if session else command))
        deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
        while number not in self._answers:
            if time.monotonic() > deadline_s:
                raise BrowserError(f'No answer to {method} within {ANSWER_TIMEOUT_S:g} s.')
            self.listen(1.0)
        answer = self._answers.pop(number)
        if 'error' in answer:
            raise BrowserError(f'{method}: {answer["error"]}')
        return answer['result']

    def listen(self, timeout_s: float) -> None:
        """
        Take the next event or answer, if one comes.

        :param timeout_s: longest wait in seconds.
        """
        try:
            message = json.loads(self._socket.recv(timeout_s))
        except TimeoutError:
            return
        if 'id' in message:
            self._answers[message['id']] = message
        elif (listener := self._listeners.get(message.get('sessionId', ''))) is not None:
            listener(message['method'], message['params'])

    def open(
        self, address: str, width: int = 1280, height: int = 800, watched: bool = True
    ) -> Page:
        """
        Open a page.

        :param width: of its window in pixels.
        :param height: its height in pixels.
        :param watched: whether errors and requests are noted, which costs time.
        :returns: the page; whether it is loaded is seen by what is on it.
        """
        # In a window of its own: behind another page it would be hidden.
        target = self.ask('Target.createTarget', url='about:blank', newWindow=True)['targetId']
        attached = self.ask('Target.attachToTarget', targetId=target, flatten=True)
        page = Page(self, target, attached['sessionId'])
        self._listeners[attached['sessionId']] = page.notice
        for domain in _WATCHED if watched else ():
            page.ask(f'{domain}.enable')
        page.ask('Emulation.setFocusEmulationEnabled', enabled=True)
        page.size(width, height)
        page.ask('Page.navigate', url=address)
        return page


class Page:
    """
    One page that is open.

    :param browser: holds it.
    :param target: the protocol's name of it.
    :param session: the protocol's name of the connection to it.
    """

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser = browser
        self._target, self._session = target, session
        self.errors: list[str] = []
        """Lines of the console that are warnings or errors, and what scripts did not catch."""
        self.requested: list[str] = []
        """Addresses that it asked for, sockets too."""

    def notice(self, method: str, event: Any) -> None:
        """
        Take note of an event.

        :param method: the event's name.
        :param event: what the protocol says of it.
        """
        if method == 'Runtime.consoleAPICalled' and event['type'] in (
            'error',
            'warning',
            'assert',
        ):
            values = [str(a.get('value', a.get('description', ''))) for a in event['args']]
            self.errors.append(' '.join(values))
        elif method == 'Log.entryAdded' and event['entry']['level'] in ('error', 'warning'):
            self.errors.append(f'{event["entry"]["text"]} {event["entry"].get("url", "")}')
        elif method == 'Runtime.exceptionThrown':
            details = event['exceptionDetails']
            self.errors.append(details.get('exception', {}).get('description', details['text']))
        elif method == 'Network.requestWillBeSent':
            self.requested.append(event['request']['url'])
        elif method == 'Network.webSocketCreated':
            self.requested.append(event['url'])

    def ask(self, method: str, **parameters: Any) -> Any:
        """See `Browser.ask`."""
        return self._browser.ask(method, self._session, **parameters)

    def run(self, script: str) -> Any:
        """
        Evaluate an expression in the page.

        :param script: JavaScript; a promise is awaited.
        :raises BrowserError: when it throws.
        """
        answer = self.ask(
            'Runtime.evaluate', expression=script, returnByValue=True, awaitPromise=True
        )
        if 'exceptionDetails' in answer:
            details = answer['exceptionDetails']
            raise BrowserError(details.get('exception', {}).get('description', details['text']))
        return answer['result'].get('value')

    def size(self, width: int, height: int) -> None:
        """
        Give the window another size.

        :param width: in pixels.
        :param height: in pixels.
        """
        self.ask(
            'Emulation.setDeviceMetricsOverride',
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def dark(self, on: bool) -> None:
        """
        Prefer dark pages, or light ones.

        :param on: whether dark ones.
        """
        preferred = {'name': 'prefers-color-scheme', 'value': 'dark' if on else 'light'}
        self.ask('Emulation.setEmulatedMedia', features=[preferred])

    def press(self, selector: str, *keys: str) -> None:
        """
        Click on the middle of an element as a mouse does, then press keys.

        :param selector: of the element, as CSS has it.
        :param keys: names such as 'ArrowRight'.
        :raises BrowserError: where there is no such element.
        """
        element = f'document.querySelector({json.dumps(selector)})'
        self.run(f'{element}.scrollIntoView({{block: "center"}})')
        box, before = self._box(element), None
        while box != before:  # A drawer that opens takes its elements along.
            self.run('new Promise((done) => setTimeout(() => requestAnimationFrame(done), 50))')
            box, before = self._box(element), box
        place = {'x': box['x'] + box['width'] / 2, 'y': box['y'] + box['height'] / 2}
        for kind in ('mousePressed', 'mouseReleased'):
            self.ask('Input.dispatchMouseEvent', type=kind, button='left', clickCount=1, **place)
        for key in keys:
            for kind in ('keyDown', 'keyUp'):
                self.ask('Input.dispatchKeyEvent', type=kind, key=key, code=key)

    def write(self, selector: str, text: str) -> None:
        """
        Put text into a field as a keyboard does, in place of what it holds.

        :param selector: of the field, as CSS has it.
        :param text: what is written.
        :raises BrowserError: where there is no such field.
        """
        self.press(selector)
        self.run(f'document.querySelector({json.dumps(selector)}).select()')
        self.ask('Input.insertText', text=text)

    def _box(self, element: str) -> dict[str, float]:
        box: dict[str, float] = self.run(f'{element}.getBoundingClientRect().toJSON()')
        return box

    def reload(self) -> None:
        """Load it again."""
        self.ask('Page.reload')

    def heap_bytes(self) -> int:
        """Tell how much memory its scripts hold, without what they let go."""
        self.ask('HeapProfiler.collectGarbage')
        return int(self.ask('Runtime.getHeapUsage')['usedSize'])

    def close(self) -> None:
        """Close it."""
        self._browser.ask('Target.closeTarget', targetId=self._target)

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

"""Serves the page: who may see it, how much may be asked, and the newest moment to each page."""

from __future__ import annotations

import asyncio
import errno
import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

LOCAL_HOSTS = ('localhost', '127.0.0.1', '::1')
MOST_PAGES = 32
"""Pages that may be open at once."""
REQUESTS_PER_S = 30.0
"""Requests a second that one address may make over time; a page makes some 30 once."""
MOST_REQUESTS_AT_ONCE = 900
_MOST_ADDRESSES = 1000  # whose requests are counted
_MOST_CONNECTIONS = 300
_MOST_LETTERS = 16  # of what a page sends on its socket of moments
_PORT = re.compile(r':\d*$')  # in a Host header
_CONTENT_POLICY = (
    # A page of NiceGUI compiles its templates; nothing may come from, or go to, another address.
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


# Who may see the page, and how often.


class RequestBudget:
    """
    How many requests each address may still make: refilled over time, up to a most.

    :param clock_s: a steady clock in seconds.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, address: str) -> bool:
        """
        Take one request.

        :param address: whose.
        :returns: whether there was one left.
        """
        now_s = self._clock_s()
        left, since_s = self._left.pop(address, (float(MOST_REQUESTS_AT_ONCE), now_s))
        left = min(left + (now_s - since_s) * REQUESTS_PER_S, float(MOST_REQUESTS_AT_ONCE))
        # The address that asked last stands last, so that the longest silent one is forgotten.
        self._left[address] = (max(left - 1, 0.0), now_s)
        if len(self._left) > _MOST_ADDRESSES:
            del self._left[next(iter(self._left))]
        return left >= 1


class Guard:
    """
    Lets through who may see the page; everybody else is answered with a sentence.

    Without a token only this machine's browsers are let through, and only from the page itself:
    another site that is open in the same browser must not read along. With a token it is asked
    for once, in the address, and kept by the browser in a cookie.

    :param app: what is guarded.
    :param token: to be shown; empty asks for none.
    :param budget: of the requests; None takes one of its own.
    """

    def __init__(self, app: App, token: str = '', budget: RequestBudget | None = None) -> None:
        self.app = app
        self._token = token
        self._budget = budget or RequestBudget()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on, one request or socket."""
        if scope['type'] not in ('http', 'websocket'):
            await self.app(scope, receive, send)
            return
        headers = {
            name.decode('latin-1'): value.decode('latin-1') for name, value in scope['headers']
        }
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(scope, send, *refusal)
        elif scope['type'] == 'http' and self._shows_token(scope):
            await self._keep_token(headers, send)
        else:
            await self.app(scope, receive, _with_policy(send))

    def _refusal(self, scope: Scope, headers: MutableMapping[str, str]) -> tuple[int, str] | None:
        # First, so that it takes nothing of what this machine's own page may ask for.
        if _is_foreign(headers):
            return 403, 'Another site asks for this page, which is not shown to it.'
        if not self._budget.take((scope.get('client') or ('',))[0]):
            return 429, 'Too many requests: wait a few seconds, then load the page again.'
        if scope['type'] == 'http' and scope['method'] not in ('GET', 'HEAD'):
            return 405, 'This page is only read: GET and HEAD are answered.'
        host = headers.get('host', '')
        if not self._token and _PORT.sub('', host).strip('[]').lower() not in LOCAL_HOSTS:
            return 403, 'This page is served to this machine alone: open http://localhost.'
        if self._token and not (self._shows_token(scope) or self._has_cookie(headers)):
            return 403, "A token is missing or wrong: open the terminal's address, with ?token=."
        return None

    def _is_token(self, text: str) -> bool:
        return secrets.compare_digest(text.encode('utf-8', 'replace'), self._token.encode())

    def _shows_token(self, scope: Scope) -> bool:
        if not self._token or scope['path'] != '/':
            return False
        query = parse_qs(scope['query_string'].decode('latin-1'))
        return any(map(self._is_token, query.get('token', [])))

    def _has_cookie(self, headers: MutableMapping[str, str]) -> bool:
        pairs = [each.strip().partition('=') for each in headers.get('cookie', '').split(';')]
        return any(self._is_token(value) for name, _, value in pairs if name == _cookie(headers))

    async def _keep_token(self, headers: MutableMapping[str, str], send: Send) -> None:
        """Let the browser keep the token, and drop it from the address, which others may see."""
        # Lax, not Strict: the address may stand on a page of another site, as in a chat.
        cookie = f'{_cookie(headers)}={self._token}; Path=/; HttpOnly; SameSite=Lax'
        await _answer(send, 303, b'', [(b'location', b'/'), (b'set-cookie', cookie.encode())])


def _is_foreign(headers: MutableMapping[str, str]) -> bool:
    """Tell whether another site's page asks; a link on it leads here all the same."""
    origin = headers.get('origin')
    if origin is not None:
        return origin.partition('://')[2] != headers.get('host', '')
    # Of the pictures and frames of a page a browser names no origin, only how near it is.
    if headers.get('sec-fetch-site', 'none') in ('none', 'same-origin'):
        return False
    return headers.get('sec-fetch-dest') != 'document'


def _cookie(headers: MutableMapping[str, str]) -> str:
    """Name the cookie by the port: a machine's other servers are sent it, and this theirs."""
    port = _PORT.search(headers.get('host', ''))
    return 'emotion_estimator_view' + (port[0].replace(':', '_') if port else '')


def _with_policy(send: Send) -> Send:
    async def send_with_policy(message: MutableMapping[str, Any]) -> None:
        if message['type'] == 'http.response.start':
            further = [
                (b'content-security-policy', _CONTENT_POLICY.encode()),
                (b'referrer-policy', b'no-referrer'),
                (b'x-content-type-options', b'nosniff'),
            ]
            message = {**message, 'headers': [*message.get('headers', ()), *further]}
        await send(message)

    return send_with_policy


async def _refuse(scope: Scope, send: Send, status: int, sentence: str) -> None:
    if scope['type'] == 'websocket':
        # Of a socket that was never open a browser tells its page no reason.
        await send({'type': 'websocket.accept'})
        await send({'type': 'websocket.close', 'code': 1008, 'reason': sentence[:120]})
    else:
        await _answer(send, status, sentence.encode(), [(b'content-type', b'text/plain')])


async def _answer(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    length = (b'content-length', str(len(body)).encode())
    no_store = (b'cache-control', b'no-store')
    start = {'type': 'http.response.start', 'status': status}
    await send({**start, 'headers': [*headers, length, no_store]})
    await send({'type': 'http.response.body', 'body': body})


# The newest moment to each page that asks.


class Hub:
    """
    Gives each page what is newest when it asks: one that is slow or suspended asks for nothing.

    :param greeting: makes what a page is given first, as JSON.
    :param wake: called when a page asks.
    """

    def __init__(self, greeting: Callable[[], Any], wake: Callable[[], None]) -> None:
        self._greeting = greeting
        self._wake = wake
        self._loop: asyncio.AbstractEventLoop | None = None
        self._newest: dict[str, tuple[int, bytes]] = {}
        self._count = 0
        self._asking: set[asyncio.Event] = set()
        self._wishes: dict[asyncio.Event, frozenset[str]] = {}
        self.pages = 0
        """Pages that are open."""

    @property
    def wanted(self) -> bool:
        """Whether a page waits for something new; may be asked from any thread."""
        return bool(self._asking)

    def wishes(self) -> frozenset[str]:
        """Tell what pages ask for beside the usual, 'mesh' or nothing; from any thread."""
        return frozenset[str]().union(*list(self._wishes.values()))

    def offer(self, kind: str, content: bytes) -> None:
        """
        Give what is newest to all pages that wait; may be called from any thread.

        :param kind: what it replaces, such as 'moment'.
        :param content: as the page's script reads it.
        """
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, kind, content)

    def _take(self, kind: str, content: bytes) -> None:
        self._count += 1
        self._newest[kind] = (self._count, content)
        for page in list(self._asking):
            page.set()

    async def serve(self, page: WebSocket) -> None:
        """
        Serve one page until it is closed.

        :param page: its socket.
        """
        self._loop = asyncio.get_running_loop()
        await page.accept()
        if self.pages >= MOST_PAGES:
            await page.close(1013, f'{MOST_PAGES} pages are open: close one of them.')
            return
        self.pages += 1
        asked = asyncio.Event()
        sending = asyncio.create_task(self._send_all(page, asked))
        try:
            while len(words := await page.receive_text()) <= _MOST_LETTERS:
                self._wishes[asked] = frozenset(words.split()[1:])
                asked.set()
            await page.close(1008, 'A page asks with a word or two.')
        except WebSocketDisconnect:
            pass
        finally:
            self.pages -= 1
            self._wishes.pop(asked, None)
            sending.cancel()

    async def _send_all(self, page: WebSocket, asked: asyncio.Event) -> None:
        await page.send_bytes(message(self._greeting()))
        sent: dict[str, int] = {}
        something = asyncio.Event()
        try:
            while True:
                await asked.wait()
                self._asking.add(something)
                self._wake()
                while not (
                    new := {k: n for k, (n, _) in self._newest.items() if n > sent.get(k, 0)}
                ):
                    something.clear()
                    await something.wait()
                self._asking.discard(something)
                asked.clear()
                for kind in new:
                    number, content = self._newest[kind]
                    sent[kind] = number
                    await page.send_bytes(content)
        except (WebSocketDisconnect, RuntimeError):
            pass  # closed while it was sent to
        finally:
            self._asking.discard(something)


def message(facts: Any, picture: bytes = b'') -> bytes:
    """
    Pack what a page is sent.

    :param facts: goes as JSON.
    :param picture: a JPEG that belongs to it, or nothing.
    :returns: length of the JSON as four bytes, the lowest first, the JSON, the picture.
    """
    text = json.dumps(facts, separators=(',', ':'), allow_nan=False).encode()
    return len(text).to_bytes(4, 'little') + text + picture


# The server itself.


_OTHER_HOST = 'Give an address of this machine with --host; launch has view_host.'
_OTHER_PORT = 'Is another one running there? Choose another with --port; launch has view_port.'


def bound_socket(host: str, port: int) -> socket.socket:
    """
    Take the address at which the page is served.

    :param host: name or number of this machine's address.
    :param port: 0 takes any that is free.
    :returns: a socket that is bound to it.
    :raises ValueError: when it cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen()  # who comes before the server is up waits for it
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        no_host = isinstance(error, (socket.gaierror, UnicodeError))
        no_host |= getattr(error, 'errno', 0) == errno.EADDRNOTAVAIL
        raise ValueError(
            f'The page cannot be served at {host}, port {port}: {reason}. '
            + (_OTHER_HOST if no_host else _OTHER_PORT)
        ) from error
    return bound


class PageServer:
    """
    Runs the server in a thread of its own.

    :param app: what is served.
    :param token: see `Guard`.
    :param bound: see `bound_socket`.
    """

    def __init__(self, app: FastAPI, token: str, bound: socket.socket) -> None:
        config = uvicorn.Config(
            Guard(app, token),
            log_config=None,
            access_log=False,
            server_header=False,
            http='h11',  # the other one that uvicorn knows takes headers of any length
            limit_concurrency=_MOST_CONNECTIONS,
            ws_max_size=1 << 18,
            ws_per_message_deflate=False,  # pictures are packed already
            timeout_graceful_shutdown=1,
            loop='asyncio',
        )
        self._bound = bound
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([bound],), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.should_exit = True
        self._thread.join(5.0)
        self._bound.close()

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

"""Who may see the live view, how much may be asked, and what each page is sent."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip('nicegui', reason='the live view is optional: pip install nicegui segno')

import httpx
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from helpers.live_nodes import DOMAINS
from starlette.websockets import WebSocketDisconnect

from emotion_estimator.extras.node_processes import claim_domain
from emotion_estimator.view.main import NICENESS, addresses
from emotion_estimator.view.server import (
    MOST_PAGES,
    MOST_REQUESTS_AT_ONCE,
    REQUESTS_PER_S,
    Guard,
    Hub,
    RequestBudget,
    bound_socket,
    message,
)

ROOT = Path(__file__).resolve().parents[2]
TOKEN = 'a-long-token'
MOMENTS = 'ws://localhost:8080/moments'


class Clock:
    """A clock that a test sets."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


def served(hub=None):
    """Make a page and a socket to guard."""
    app = FastAPI()

    @app.get('/')
    def page():
        return 'the page'

    @app.websocket('/moments')
    async def moments(page: WebSocket):
        if hub is None:
            await page.accept()
            await page.send_text('faces')
        else:
            await hub.serve(page)

    return app


def client(token='', hub=None, base='http://localhost:8080', budget=None):
    guard = Guard(served(hub), token, budget)
    return TestClient(guard, base_url=base, follow_redirects=False)


def refused(answer, status, words):
    assert answer.status_code == status
    assert words in answer.text
    assert '"the page"' not in answer.text


def no_socket(guarded, words, **headers):
    """Ask for a socket that is refused; a page is told why only by one that was open."""
    with (
        guarded.websocket_connect(MOMENTS, headers=headers) as socket,
        pytest.raises(WebSocketDisconnect) as caught,
    ):
        socket.receive_bytes()
    assert words in caught.value.reason


def test_this_machine_sees_the_page_without_a_token():
    for base in ('http://localhost:8080', 'http://127.0.0.1:8080', 'http://[::1]:8080'):
        answer = client(base=base).get('/')
        assert (answer.status_code, answer.json()) == (200, 'the page')
        assert "connect-src 'self'" in answer.headers['content-security-policy']


def test_another_name_is_not_this_machine():
    # A site whose name was made to lead here (DNS rebinding).
    refused(client(base='http://evil.example').get('/'), 403, 'this machine alone')


def test_another_site_in_the_same_browser_may_not_read_along():
    evil = {'origin': 'http://evil.example'}
    refused(client().get('/', headers=evil), 403, 'Another site')
    refused(client().get('/', headers={'origin': 'http://['}), 403, 'Another site')
    no_socket(client(), 'Another site', **evil)
    own = {'origin': 'http://localhost:8080'}
    with client().websocket_connect(MOMENTS, headers=own) as socket:
        assert socket.receive_text() == 'faces'


@pytest.mark.parametrize('site', ['cross-site', 'same-site'])
@pytest.mark.parametrize('kind', ['image', 'iframe', 'empty', 'script'])
def test_another_site_s_pictures_and_frames_are_not_answered_and_take_no_request(site, kind):
    # A browser names no origin with them; each page that it took would be laid out anew.
    budget = RequestBudget(Clock())
    guarded = client(budget=budget)
    for _ in range(3):
        headers = {'sec-fetch-site': site, 'sec-fetch-dest': kind}
        refused(guarded.get('/', headers=headers), 403, 'Another site')
    assert sum(budget.take('testclient') for _ in range(1000)) == MOST_REQUESTS_AT_ONCE


@pytest.mark.parametrize(
    ('site', 'kind'),
    [('cross-site', 'document'), ('same-origin', 'script'), ('none', 'document')],
)
def test_the_page_itself_and_a_link_to_it_are_answered(site, kind):
    headers = {'sec-fetch-site': site, 'sec-fetch-dest': kind}
    assert client().get('/', headers=headers).json() == 'the page'


@pytest.mark.parametrize('path', ['/', '/?token=', '/?token=wrong', '/?token=a-long-tokem'])
def test_without_the_right_token_nothing_is_shown(path):
    refused(client(TOKEN, base='http://robot:8080').get(path), 403, 'missing or wrong')


@pytest.mark.parametrize(
    'cookie', ['', 'emotion_estimator_view_8080=wrong', 'x=1; \x7f', 'a,b;;=']
)
def test_without_the_right_token_no_socket_is_opened(cookie):
    no_socket(client(TOKEN, base='http://robot:8080'), 'missing or wrong', cookie=cookie)


def test_a_token_counts_at_the_page_s_own_address_alone():
    refused(client(TOKEN).get(f'/view/view.js?token={TOKEN}'), 403, 'missing or wrong')


def test_the_token_is_asked_for_once():
    guarded = client(TOKEN)
    answer = guarded.get(f'/?token={TOKEN}')
    assert (answer.status_code, answer.headers['location']) == (303, '/')
    # Of a cookie that is Strict a link on another site's page makes no use.
    assert 'HttpOnly; SameSite=Lax' in answer.headers['set-cookie']
    # The client keeps the cookie, as a browser does.
    assert guarded.get('/').json() == 'the page'
    with guarded.websocket_connect(MOMENTS) as socket:
        assert socket.receive_text() == 'faces'


def test_the_token_is_kept_beside_the_cookies_of_other_servers_of_the_machine():
    one, other = (client(TOKEN, base=f'http://robot:{port}') for port in (8080, 8081))
    one.get(f'/?token={TOKEN}')
    one.cookies.set('state', '{"a": 1, b c}')
    other.cookies = one.cookies
    other.cookies.set('emotion_estimator_view_8081', 'that of another view')
    assert one.get('/').status_code == 200
    refused(other.get('/'), 403, 'missing or wrong')


def test_what_would_change_something_is_refused():
    refused(client().post('/'), 405, 'only read')


def test_requests_beyond_a_limit_are_refused_until_time_has_passed():
    clock = Clock()
    budget = RequestBudget(clock)
    assert all(budget.take('10.0.0.1') for _ in range(MOST_REQUESTS_AT_ONCE))
    assert not budget.take('10.0.0.1')
    assert budget.take('10.0.0.2')
    clock.now_s += 2.5 / REQUESTS_PER_S
    assert [budget.take('10.0.0.1') for _ in range(3)] == [True, True, False]


def test_a_page_that_asks_too_often_is_given_a_sentence():
    budget = RequestBudget(Clock())
    guarded = client(budget=budget)
    assert guarded.get('/').status_code == 200
    assert sum(budget.take('testclient') for _ in range(MOST_REQUESTS_AT_ONCE)) > 800
    refused(guarded.get('/'), 429, 'Too many requests')


# What a page is sent.


def read(content):
    length = int.from_bytes(content[:4], 'little')
    return json.loads(content[4 : 4 + length]), content[4 + length :]


def test_a_message_holds_facts_and_a_picture():
    assert read(message({'label': '<script>'}, b'jpeg')) == ({'label': '<script>'}, b'jpeg')
    with pytest.raises(ValueError):
        message({'confidence': float('nan')})


def until(condition, timeout_s=20.0):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def hub_of(wakes):
    return Hub(lambda: {'kind': 'hello'}, lambda: wakes.append(1))


def test_a_page_is_sent_what_is_newest_when_it_asks():
    wakes = []
    hub = hub_of(wakes)
    with client(hub=hub).websocket_connect(MOMENTS) as page:
        assert read(page.receive_bytes())[0] == {'kind': 'hello'}
        for number in range(3):
            hub.offer('moment', message({'number': number}))
        hub.offer('health', message({'level': 'ok'}))
        page.send_text('next')
        sent = [read(page.receive_bytes())[0] for _ in range(2)]
        # Those before it were never sent: a slow page has no queue.
        assert sent == [{'number': 2}, {'level': 'ok'}]
        assert wakes
        page.send_text('next')
        hub.offer('moment', message({'number': 3}))
        assert read(page.receive_bytes())[0] == {'number': 3}


def test_what_no_page_asks_for_is_not_wanted():
    hub = hub_of([])
    assert not hub.wanted
    with client(hub=hub).websocket_connect(MOMENTS) as page:
        page.receive_bytes()
        assert not hub.wanted
        page.send_text('next')
        page.send_text('next')
        until(lambda: hub.wanted)
    until(lambda: not hub.wanted and not hub.pages)


def test_what_any_page_asks_for_beside_the_usual_is_wished_until_it_is_closed():
    hub = hub_of([])
    guarded = client(hub=hub)
    with guarded, guarded.websocket_connect(MOMENTS) as usual:
        usual.send_text('next')
        until(lambda: hub.wanted)
        assert hub.wishes() == frozenset()
        with guarded.websocket_connect(MOMENTS) as drawing:
            drawing.send_text('next mesh')
            until(lambda: hub.wishes() == {'mesh'})
        until(lambda: not hub.wishes())


def test_ten_pages_are_sent_the_same():
    hub = hub_of([])
    guarded = client(hub=hub)
    with guarded:
        pages = [guarded.websocket_connect(MOMENTS) for _ in range(10)]
        sockets = [page.__enter__() for page in pages]
        for socket in sockets:
            socket.receive_bytes()
            socket.send_text('next')
        hub.offer('moment', message({'number': 1}, b'jpeg'))
        assert [read(socket.receive_bytes()) for socket in sockets] == [
            ({'number': 1}, b'jpeg')
        ] * 10
        for page in pages:
            page.__exit__(None, None, None)


def test_pages_beyond_a_limit_are_refused_with_a_sentence():
    hub = hub_of([])
    hub.pages = MOST_PAGES
    no_socket(client(hub=hub), 'close one of them')


def test_a_page_that_says_more_than_a_word_is_closed():
    hub = hub_of([])
    with client(hub=hub).websocket_connect(MOMENTS) as page:
        page.receive_bytes()
        page.send_text('x' * 1000)
        with pytest.raises(WebSocketDisconnect):
            page.receive_bytes()


def test_an_address_that_is_taken_is_reported():
    with bound_socket('localhost', 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ValueError, match=f'port {port}: .*with --port; launch has view_port'):
            bound_socket('localhost', port)
    with pytest.raises(ValueError, match=r'cannot be served at .*with --port'):
        bound_socket('localhost', 70_000)


@pytest.mark.parametrize('host', ['1.2.3.4.5', '192.0.2.1', 'x' * 100])
def test_a_host_that_is_not_this_machine_s_is_reported(host):
    with pytest.raises(ValueError, match='cannot be served at') as caught:
        bound_socket(host, 0)
    assert 'an address of this machine with --host' in str(caught.value)
    assert '--port' not in str(caught.value)


def test_where_the_page_is_opened():
    assert addresses('127.0.0.1', 8080, '') == ['http://localhost:8080']
    assert addresses('::1', 8080, '') == ['http://localhost:8080']
    first, second = addresses('0.0.0.0', 8081, 'a b')
    assert first.endswith(':8081/?token=a%20b')
    assert second == 'http://localhost:8081/?token=a%20b'


@pytest.fixture
def view_process(tmp_path):
    """Start the command with a token and give what it says; ended with Ctrl-C."""
    domain_id, claim = claim_domain(DOMAINS)
    words = ('--host', '0.0.0.0', '--port', '0', '--folder', str(tmp_path))
    profiles = dict.fromkeys(
        (f'{name}_DEFAULT_PROFILES_FILE' for name in ('FASTDDS', 'FASTRTPS')),
        str(ROOT / 'config/fastdds_large_images.xml'),
    )
    environment = {**os.environ, **profiles, 'ROS_DOMAIN_ID': str(domain_id)}
    process = subprocess.Popen(
        [sys.executable, '-m', 'emotion_estimator.view.main', *words],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    yield process
    process.kill()
    process.wait()
    process.stdout.close()
    claim.close()


def test_the_command_lets_the_nodes_go_first_and_takes_no_segment_for_images(view_process):
    for _ in range(3):
        view_process.stdout.readline()
    process = Path(f'/proc/{view_process.pid}')
    niceness = os.getpriority(os.PRIO_PROCESS, 0) + NICENESS

    def listening():
        """List the threads in which Fast DDS listens to shared memory."""
        return [
            int(task.name)
            for task in (process / 'task').iterdir()
            if (task / 'comm').read_text().startswith('dds.shm')
        ]

    until(listening)
    threads = [view_process.pid, *listening()]
    assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {niceness}
    mapped = (process / 'maps').read_text()
    segments = set(re.findall(r'/dev/shm/fast(?:dds|rtps)_[0-9a-f]+$', mapped, re.MULTILINE))
    assert segments
    assert max(Path(segment).stat().st_size for segment in segments) < 1_000_000


def test_the_command_serves_a_page_that_needs_no_other_address_and_ends_quietly(view_process):
    lines = [view_process.stdout.readline() for _ in range(3)]
    address = lines[1].removeprefix('The live view: ').strip()
    assert 'faces included' in lines[2]
    base = address.partition('/?token=')[0]
    with httpx.Client(timeout=100.0) as browser:
        assert browser.get(base).status_code == 403
        assert browser.get(f'{base}/?token=wrong').status_code == 403
        # Before it is known whose it is, little of a request is taken.
        with suppress(httpx.TransportError):
            assert browser.get(base, headers={'x': 'a' * 300_000}).status_code == 400
        assert browser.get(f'{base}/view/../../setup.py?token=wrong').status_code == 403
        answer = browser.get(address, follow_redirects=True)
        assert answer.status_code == 200
        for path in ('/view/..%2f..%2fnode.py', '/view/%2e%2e/node.py', '/view//etc/passwd'):
            assert browser.get(base + path).status_code in (400, 404)
        assert browser.get(f'{base}/view/view.js').status_code == 200
    assert re.findall(r'(?:src|href|from|url\()\s*=?\s*"?(https?://[^"\s)]+)', answer.text) == []
    view_process.send_signal(signal.SIGINT)
    assert view_process.wait(60.0) == 0

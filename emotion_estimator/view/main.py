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

"""The command `view`: reads its options, says where the page is opened, runs the node."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.main('view'))

import argparse
import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from urllib.parse import quote

from emotion_estimator.commands import MOST_PORT, has_display, home_folder, part_arguments, place
from emotion_estimator.nodes.spin import keep_freed_memory, run

NODE_NAME = 'emotion_view'
DEFAULT_PORT = 8080
DEFAULT_RATE_HZ = 15.0
BUSY_RATE_HZ = 5.0
MOST_RATE_HZ = 1000.0
DEFAULT_WIDTH = 640
LEAST_WIDTH = 16
NICENESS = 5
"""By how much its priority is lower than that of the nodes: a robot that is busy goes first."""
GATHER_S = 0.03
"""How far apart results are taken, in seconds: all of an image at once."""
NICEGUI = 3
"""Least major version that the page is written for."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """
    Read the command line.

    :param arguments: without the program's name and ROS's own.
    :returns: the options.
    """
    about = 'Serves a page that shows live what the nodes see and say.'
    parser = argparse.ArgumentParser(prog='view', description=about)
    add = parser.add_argument
    add(
        '--host',
        default='localhost',
        help='address to serve at; 0.0.0.0 lets others in the network in, who need the token',
    )
    add('--port', type=int, default=DEFAULT_PORT, help='0 takes any that is free')
    add(
        '--rate',
        type=float,
        help=f'most pictures a second; else {DEFAULT_RATE_HZ:g}, and {BUSY_RATE_HZ:g} while all '
        'processors are busy',
    )
    add(
        '--folder',
        type=place,
        default=home_folder() / 'emotion_estimator_recordings',
        help='where recordings go, and nowhere else',
    )
    add('--open', action='store_true', help='open it in a browser, where there is a display')
    add('--width', type=int, default=DEFAULT_WIDTH, help='most pixels across a picture')
    options = parser.parse_args(arguments)
    if options.rate is not None and not 0 < options.rate <= MOST_RATE_HZ:
        parser.error(f'--rate must be above 0 and at most {MOST_RATE_HZ:g}, not {options.rate:g}.')
    if not 0 <= options.port <= MOST_PORT:
        parser.error(f'--port must be from 0 to {MOST_PORT}, not {options.port}.')
    if options.width < LEAST_WIDTH:
        parser.error(f'--width must be at least {LEAST_WIDTH}, not {options.width}.')
    # A rate that was given stays, however busy the machine.
    options.busy_rate = BUSY_RATE_HZ if options.rate is None else options.rate
    options.rate = DEFAULT_RATE_HZ if options.rate is None else options.rate
    return options


def main() -> int:
    """
    Serve the page until Ctrl-C.

    :returns: exit status: 0, or with a sentence 1 when it cannot be served, 2 when an argument
        is wrong.
    """
    options = parse(part_arguments(sys.argv[1:])[0])
    # Before there are threads, each of which takes over the priority of the one that starts it.
    os.nice(NICENESS)
    keep_freed_memory()
    installed = installed_nicegui()
    if not installed or int(installed.partition('.')[0]) < NICEGUI:
        state = f'but {installed} is installed' if installed else 'which is not installed'
        print(
            f'The live view needs NiceGUI {NICEGUI} or newer, {state}: run `pip install '
            f"'nicegui>={NICEGUI}' segno`, or `pip install .[view]` in the package.",
            file=sys.stderr,
        )
        return 1
    # Imported here: without NiceGUI there is no server.
    from emotion_estimator.view.node import ViewNode
    from emotion_estimator.view.server import LOCAL_HOSTS, bound_socket

    token = '' if options.host in LOCAL_HOSTS else secrets.token_urlsafe(18)
    try:
        bound = bound_socket(options.host, options.port)
        found = addresses(options.host, bound.getsockname()[1], token)

        def begin() -> ViewNode:
            announce(found, token)
            if options.open and has_display():
                # In a thread of its own: some browsers return when they are closed.
                threading.Thread(target=webbrowser.open, args=(found[-1],), daemon=True).start()
            # Nobody sets parameters of this node, and their services would be looked at each time.
            return ViewNode(options, token, bound, start_parameter_services=False)

        return run([begin], sends_images=False, gather_s=GATHER_S)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1


def installed_nicegui() -> str:
    """Tell the version of NiceGUI that is installed; empty for none."""
    try:
        return version('nicegui')
    except PackageNotFoundError:
        return ''


def announce(found: Sequence[str], token: str) -> None:
    """
    Say where the page is opened; with a token, also as a QR code for a tablet.

    :param found: addresses, the one that others can reach first.
    :param token: that they hold; empty for none.
    """
    for address in found:
        print(f'The live view: {address}', flush=True)
    if not token:
        return
    print('Whoever has this address sees the camera, faces included. It is shown once.')
    if find_spec('segno') is not None:
        import segno

        segno.make(found[0], error='l').terminal(compact=True)
    sys.stdout.flush()


def addresses(host: str, port: int, token: str) -> list[str]:
    """
    Say where the page is opened.

    :param host: as it is served at.
    :param port: of it.
    :param token: to be shown; empty for none.
    :returns: addresses, the one that others can reach first.
    """
    from emotion_estimator.view.server import LOCAL_HOSTS

    names = [own_address(), 'localhost'] if host in ('0.0.0.0', '::') else [host]
    query = f'/?token={quote(token)}' if token else ''
    shown = ['localhost' if name in LOCAL_HOSTS else name for name in names]
    return [f'http://{f"[{name}]" if ":" in name else name}:{port}{query}' for name in shown]


def own_address() -> str:
    """
    Tell this machine's address in its network.

    :returns: a number; 'localhost' where it has none.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: it only shows by which of its addresses it would be (RFC 5737).
            probe.connect(('192.0.2.1', 9))
            return str(probe.getsockname()[0])
        except OSError:
            return 'localhost'

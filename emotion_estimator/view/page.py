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

"""Lays the page out with NiceGUI; what moves on it is drawn by its own script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, WebSocket
from fastapi.staticfiles import StaticFiles
from nicegui import app as gui
from nicegui import run, ui

from emotion_estimator.colours import COLOURS, shades

if TYPE_CHECKING:
    from emotion_estimator.view.node import ViewNode

STATIC = Path(__file__).parent / 'static'
OVERLAYS = (
    ('box', 'Box', True),
    ('label', 'Expression', True),
    ('mesh', 'Mesh', False),
    ('gaze', 'Gaze', True),
    ('axes', 'Head axes', False),
)
"""Names that the script knows, what they are called, and whether they are shown at first."""


def build_page(node: ViewNode) -> FastAPI:
    """
    Make what is served.

    :param node: gives what the page shows.
    :returns: the application; one a process, since NiceGUI is.
    """
    served = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    served.mount('/view', StaticFiles(directory=STATIC))

    @served.websocket('/moments')
    async def moments(page: WebSocket) -> None:
        await node.hub.serve(page)

    gui.config.socket_io_js_transports = ['websocket']
    run.process_pool_start_method = 'spawn'

    @ui.page('/')
    def main_page() -> None:
        _lay_out(node)

    ui.run_with(
        served,
        title='Emotion estimator',
        dark=None,
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=10.0,
    )
    return served


def _lay_out(node: ViewNode) -> None:
    colours = {label: [shade.light, shade.dark] for label, shade in shades(COLOURS).items()}
    ui.add_head_html(
        '<link rel="stylesheet" href="/view/view.css">'
        f'<script>window.viewColours = {json.dumps(colours)};</script>'
        '<script type="module" src="/view/view.js"></script>'
    )
    with ui.element('header').classes('view-header'):
        ui.label('Emotion estimator').classes('view-title')
        ui.element('div').props('id=view-status')
        ui.button(icon='pause').props('flat round id=view-pause aria-label=Pause').on(
            'click', js_handler='() => window.view.pause()'
        )
        ui.button(icon='dark_mode').props('flat round aria-label="Light or dark"').on(
            'click', js_handler='() => Quasar.Dark.toggle()'
        )
    with ui.element('main').classes('view-main'):
        with ui.element('section').classes('view-left'):
            with ui.element('div').classes('view-picture'):
                ui.element('canvas').props('id=view-canvas')
            with ui.element('div').classes('view-switches'):
                for name, title, on in OVERLAYS:
                    ui.switch(title, value=on).props('dense').on(
                        'update:model-value',
                        js_handler=f'(on) => window.view.overlay({name!r}, on)',
                    )
            ui.element('div').props('id=view-timeline')
        ui.element('section').classes('view-people').props('id=view-people')

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
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, WebSocket
from fastapi.staticfiles import StaticFiles
from nicegui import app as gui
from nicegui import run, ui
from nicegui.events import GenericEventArguments, ValueChangeEventArguments

from emotion_estimator.colours import COLOURS, shades
from emotion_estimator.view.controls import CONTROLS, Control

if TYPE_CHECKING:
    from emotion_estimator.view.node import ViewNode

STATIC = Path(__file__).parent / 'static'
OVERLAYS = (
    ('picture', 'Picture', True),
    ('box', 'Box', True),
    ('label', 'Expression', True),
    ('mesh', 'Mesh', False),
    ('gaze', 'Gaze', True),
    ('axes', 'Head axes', False),
)
"""Names that the script knows, what they are called, and whether they are shown at first."""
REFRESH_S = 0.5
"""How often an open page takes over what others have changed, in seconds."""
_DOUBLE_CLICK_S = 0.5  # as desktops have it
_WIDE = 50  # times the least value: a wider range is laid out by its logarithm
_STEPS = 100
_WORDS = {'class_prior': ('model', 'uniform', 'training')}
"""Values of parameters of words that the page completes."""


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
        # Nothing is bound: no loop over bindings while no page is open.
        binding_refresh_interval=None,
    )
    return served


def _lay_out(node: ViewNode) -> None:
    known = shades([*COLOURS, ''])  # those of a user's own classes come with what is shown
    colours = {label: [shade.light, shade.dark] for label, shade in known.items()}
    ui.add_head_html(
        '<link rel="stylesheet" href="/view/view.css">'
        f'<script>window.viewColours = {json.dumps(colours)};</script>'
        '<script type="module" src="/view/view.js"></script>'
    )
    with ui.right_drawer(value=False, elevated=True).props('overlay width=400') as drawer:
        with ui.element('div').classes('view-drawer-head'):
            ui.label('Settings of the nodes').classes('view-heading')
            ui.button(icon='close', on_click=drawer.hide).props('flat round aria-label=Close')
        refresh = _settings(node)
    with ui.element('header').classes('view-header'):
        ui.label('Emotion estimator').classes('view-title')
        ui.element('div').props('id=view-status role=status')
        recording = ui.icon('fiber_manual_record').classes('view-recording')
        _button('Pause or go on', 'window.view.pause()', 'pause', 'play_arrow').props(
            'id=view-pause'
        )
        _button('Light or dark', 'Quasar.Dark.toggle()', 'contrast')
        ui.button(icon='tune', on_click=drawer.toggle).props(
            'flat round aria-label=Settings id=view-settings'
        )
    ui.element('div').props('id=view-problems role=alert')
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
            ui.element('div').props('id=view-health')
        ui.element('section').classes('view-people').props('id=view-people')

    def refresh_all() -> None:
        recording.set_visibility(bool(refresh()['records']))

    ui.timer(REFRESH_S, refresh_all)


def _button(title: str, script: str, icon: str, icon_paused: str = '') -> ui.button:
    """Make a button that the page's script answers, not the node."""
    with ui.button().props(f'flat round aria-label="{title}"') as button:
        ui.icon(icon).classes('view-when-live' if icon_paused else '')
        if icon_paused:
            ui.icon(icon_paused).classes('view-when-paused')
    return button.on('click', js_handler=f'() => {script}')


def _settings(node: ViewNode) -> Callable[[], dict[str, Any]]:
    """Lay out what can be changed; returns what takes over what others have changed."""
    controls = [
        _Words(node, control) if isinstance(control.spec.default, str) else _Slider(node, control)
        for control in CONTROLS
    ]
    ui.label('Pictures').classes('view-heading')
    topics = ui.select({'': 'those that the nodes look at'}, value='', label='Image topic')
    topics.props('id=view-topic').classes('view-wide')
    record = _Record(node)
    refusals, of_robot, of_page = node.controls.refusal[0], '', ''

    def choose(event: ValueChangeEventArguments[Any]) -> None:
        nonlocal of_page
        if (event.value or '') != of_page:  # else taken over from another page
            of_page = event.value or ''
            node.do(partial(node.robot.choose, of_page))

    topics.on_value_change(choose)

    def refresh() -> dict[str, Any]:
        nonlocal refusals, of_robot, of_page
        facts = node.robot.facts
        for control in controls:
            control.take(node.controls.values)
        listed = {'': 'those that the nodes look at', **{x: x for x in facts.get('topics', ())}}
        chosen = facts.get('chosen', '')
        chosen = chosen if chosen in listed else ''  # its camera may have gone
        if listed != topics.options or chosen != of_robot:
            of_robot = of_page = chosen
            topics.set_options(listed, value=chosen)
        count, sentence = node.controls.refusal
        if count != refusals:
            refusals = count
            ui.notify(sentence, type='warning', multi_line=True)
        return record.refresh()

    return refresh


class _Slider:
    """A parameter with its meaning; follows changes that others make."""

    def __init__(self, node: ViewNode, control: Control) -> None:
        self._node, self._control = node, control
        spec = control.spec
        self._least, self._most = float(spec.minimum or 0), float(spec.maximum or 1)
        # Zero has no logarithm: a range that begins with it is laid out by that of one more.
        self._shift = 0.0 if self._least > 0 else 1.0
        self._wide = (self._most + self._shift) / (self._least + self._shift) >= _WIDE
        whole = isinstance(spec.default, int)
        low, high = self._place(self._least), self._place(self._most)
        with ui.element('div').classes('view-control'):
            with ui.element('div').classes('view-control-head'):
                ui.label(spec.name).classes('view-control-name')
                self._shown = ui.label('').classes('view-control-value')
            step = 1 if whole else (high - low) / _STEPS
            self._slider = ui.slider(min=low, max=high, step=step, value=low)
            self._slider.props(f'id=view-{spec.name} aria-label={spec.name}')
            self._slider.on('change', self._changed)
            self._slider.on_value_change(self._show)
            more = ' The node loads again for it, for a second or two.' if control.restarts else ''
            ui.label(f'{spec.description}{more}').classes('view-control-text')
        self._known: float | None = None
        self.take(node.controls.values)

    def _place(self, value: float) -> float:
        """Where on the slider a value lies."""
        return math.log10(value + self._shift) if self._wide else value

    def _value(self, place: float) -> float:
        """Of a place on the slider."""
        value = 10**place - self._shift if self._wide else place
        return min(max(float(f'{value:.3g}'), self._least), self._most)

    def _show(self) -> None:
        value = f'{self._value(float(self._slider.value)):g}'
        self._shown.set_text('not known' if self._known is None else value)

    def _changed(self, event: GenericEventArguments) -> None:
        # The event's own place: the slider's may come later.
        self._known = self._value(float(event.args))
        self._node.do(partial(self._node.controls.change, self._control.spec.name, self._known))

    def take(self, values: dict[str, Any]) -> None:
        """Show the node's value, where it is another than before."""
        value = values.get(self._control.spec.name)
        self._slider.set_enabled(value is not None)
        if value is None or float(value) != self._known:
            self._known = None if value is None else float(value)
            if self._known is not None:
                self._slider.set_value(self._place(self._known))
            self._show()


class _Words:
    """
    A parameter of words: its value, and a field for another one, which a button sets.

    The value and the field are apart: what a node refused stays in the field, to be mended.
    """

    def __init__(self, node: ViewNode, control: Control) -> None:
        self._node, self._name = node, control.spec.name
        with ui.element('div').classes('view-control'):
            with ui.element('div').classes('view-control-head'):
                ui.label(self._name).classes('view-control-name')
                self._shown = ui.label('').classes('view-control-value')
            with ui.element('div').classes('view-control-words'):
                self._field = ui.input(autocomplete=list(_WORDS.get(self._name, ())))
                self._button = ui.button('Set', on_click=self._set)
            ui.label(control.spec.description).classes('view-control-text')
        self._shown.props(f'id=view-{self._name}')
        self._field.props(f'for=view-{self._name}-field dense aria-label="New {self._name}"')
        self._field.on('keydown.enter', self._set)
        self._button.props(f'id=view-{self._name}-set flat dense')
        self._known: str | None = None
        self.take(node.controls.values)

    def _set(self) -> None:
        words = str(self._field.value or '').strip()
        self._node.do(partial(self._node.controls.change, self._name, words))

    def take(self, values: dict[str, Any]) -> None:
        """Show the node's value; what is being written stays where that is the same as before."""
        value = values.get(self._name)
        self._field.set_enabled(value is not None)
        self._button.set_enabled(value is not None)
        self._shown.set_text('not known' if value is None else str(value))
        if value is not None and value != self._known:
            self._field.set_value(str(value))
        self._known = None if value is None else str(value)


class _Record:
    """Starts and ends a recording."""

    def __init__(self, node: ViewNode) -> None:
        self._node, self._records, self._clicked_s = node, False, -math.inf
        ui.label('Record').classes('view-heading')
        self._name = ui.input('Name', placeholder='date and time').classes('view-wide')
        self._name.props('maxlength=60 id=view-name')
        self._pictures = ui.checkbox('with the pictures, faces included')
        self._button = ui.button('Record', icon='fiber_manual_record', on_click=self._toggle)
        self._button.props('id=view-record')
        self._word = ui.label('').classes('view-control-text').props('id=view-recorded')

    def _toggle(self) -> None:
        clicked_s, self._clicked_s = self._clicked_s, time.monotonic()
        if self._clicked_s - clicked_s < _DOUBLE_CLICK_S:
            return
        recorder = self._node.recorder
        # What this page shows counts: another page's click does not turn this one's round.
        if self._records:
            self._node.do(recorder.stop)
            return
        name, pictures = str(self._name.value or '').strip(), bool(self._pictures.value)
        self._node.do(
            lambda: recorder.start(name, self._node.robot.image_topic() if pictures else None)
        )

    def refresh(self) -> dict[str, Any]:
        """Show how far it is; returns the recorder's facts."""
        facts = self._node.recorder.facts()
        self._records = records = bool(facts['records'])
        self._button.set_text('Stop' if records else 'Record')
        self._button.set_icon('stop' if records else 'fiber_manual_record')
        self._name.set_enabled(not records)
        self._pictures.set_enabled(not records)
        size = f'{facts["bytes"] / 2**20:.1f} MB'
        going = f'{facts["name"]}: {facts["seconds"]:.0f} s, {size}'
        self._word.set_text(going if records else facts['word'] or f'Into {facts["folder"]}.')
        return facts

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

"""HTML and SVG as elements; the standard library writes them and escapes every text."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

Child = Element | str | float | None
_FORBIDDEN = re.compile(
    '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]'
)


def element(tag: str, *children: Child, **attributes: str | float | None) -> Element:
    """
    Make an element.

    :param tag: its name.
    :param children: elements and texts, in order; None is left out.
    :param attributes: by name, where `class_` is class and `_` within a name is a hyphen, but
        `viewBox` and its like stay; None is left out.
    :returns: the element.
    """
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip('_').replace('_', '-'), text_of(value))
    add(made, *children)
    return made


def add(parent: Element, *children: Child) -> None:
    """
    Put children behind those that an element has.

    :param parent: the element.
    :param children: elements and texts; None is left out.
    """
    for child in children:
        if isinstance(child, Element):
            parent.append(child)
        elif child is not None:
            text = text_of(child)
            if len(parent):
                parent[-1].tail = (parent[-1].tail or '') + text
            else:
                parent.text = (parent.text or '') + text


def text_of(value: str | float) -> str:
    """
    Write a text or number; what HTML forbids becomes the replacement character.

    :param value: numbers get at most two decimals.
    :returns: the text, not yet escaped.
    """
    if isinstance(value, str):
        return _FORBIDDEN.sub('\ufffd', value)
    return f'{value:.2f}'.rstrip('0').rstrip('.') if isinstance(value, float) else str(value)


def data(content: Any, **attributes: str) -> Element:
    """
    Make an element that carries JSON to the page's script.

    :param content: what JSON takes.
    :param attributes: see `element`.
    :returns: a script element that is not run.
    """
    text = json.dumps(content, separators=(',', ':'), ensure_ascii=True)
    # A script's text is not escaped by HTML: nothing in it may look like a tag.
    return element('script', text.replace('<', '\\u003c'), type='application/json', **attributes)


def document(root: Element) -> bytes:
    """
    Write a page.

    :param root: the html element.
    :returns: UTF-8.
    """
    text = ElementTree.tostring(root, encoding='unicode', method='html')
    return f'<!doctype html>\n{text}\n'.encode()

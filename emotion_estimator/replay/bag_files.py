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

"""Tells which files a bag consists of."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

import yaml

from emotion_estimator.replay.bag_recovery import NAME, is_bag_file
from emotion_estimator.replay.recordings import RecordingError

METADATA_FILE = 'metadata.yaml'
SUFFIXES = ('.bag', '.db3', '.mcap')
_PART = re.compile(r'(.*)_(\d+)(\.[a-z0-9]+){1,2}$')


def storage_files(folder: Path) -> list[Path]:
    """
    List the storage files in a folder, parts of one bag in their order.

    :returns: their paths; hidden files are none.
    """

    def order(path: Path) -> tuple[str, int]:
        part = _PART.match(path.name)
        return (part[1], int(part[2])) if part else (path.name, -1)

    found = (p for p in folder.iterdir() if NAME.match(p.name) and p.name[0] != '.')
    return sorted((path for path in found if path.is_file()), key=order)


def may_be_of_a_bag(path: Path) -> bool:
    """Tell whether what lies in a folder is a file of a bag; unreadable, by its name alone."""
    try:
        return path.is_file() and is_bag_file(path)
    except OSError:
        return bool(NAME.match(path.name))


def is_bag_folder(folder: Path) -> bool:
    """
    Tell whether a folder is one bag, rather than a folder of several.

    :returns: whether it has metadata, or one storage file, or parts that are numbered.
    """
    if (folder / METADATA_FILE).is_file():
        return True
    files = storage_files(folder)
    parts = [_PART.match(path.name) for path in files]
    names = {part[1] if part else '' for part in parts}
    numbers = [int(part[2]) for part in parts if part]
    return len(files) == 1 or (len(names) == 1 and numbers == list(range(len(files))))


def files_of_bag(path: Path, problems: list[str], hints: list[str]) -> list[Path]:
    """
    List the storage files of a bag in their order: those that its metadata names.

    Where it names none all in the folder are taken; where parts go on behind those that it names
    it is older than they are, and they are taken too.

    :param path: a folder, or a storage file.
    :param problems: gets sentences that say what is missing.
    :param hints: gets sentences that say what else was found.
    :returns: their paths.
    :raises RecordingError: when there is no bag, or none of its files.
    """
    if not path.exists():
        raise RecordingError(f'{path} does not exist; check the path.')
    if not path.is_dir():
        return [path]
    found = storage_files(path)
    metadata = path / METADATA_FILE
    if not metadata.is_file():
        if not is_bag_folder(path):
            what = 'several bags: give one of them' if found else f'no bag ({", ".join(SUFFIXES)})'
            raise RecordingError(f'{path} holds {what}.')
        return found
    try:
        said = yaml.safe_load(metadata.read_text(encoding='utf-8'))
        names = said['rosbag2_bagfile_information']['relative_file_paths']
        listed = [path / PurePath(name).name for name in names]
        if not listed:
            raise ValueError('it names no files')
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        hints.append(f'{metadata} cannot be read ({reason}); all files beside it are used.')
        return found
    known = {unpacked_name(p.name): p for p in found}
    there = [p if p.is_file() else known.get(unpacked_name(p.name)) for p in listed]
    lost = [str(file) for file, one in zip(listed, there) if one is None]
    if lost and not any(there):
        raise RecordingError(f'{metadata} names files that are not there: {", ".join(lost)}.')
    problems += [f'{file} is missing, though {METADATA_FILE} names it.' for file in lost]
    return _with_later_parts([one for one in there if one is not None], listed, found, hints)


def _with_later_parts(
    named: list[Path], listed: list[Path], found: list[Path], hints: list[str]
) -> list[Path]:
    """Add to the files that metadata names those whose numbers go on; tell of all others."""
    stems = {unpacked_name(file.name) for file in listed}
    others = [file for file in found if unpacked_name(file.name) not in stems]
    if not others:
        return named
    first = others[0].parent / METADATA_FILE
    every = [part for file in (*listed, *others) if (part := _PART.match(file.name))]
    numbers = sorted(int(part[2]) for part in every)
    alike = len({(part[1], unpacked_name(part[0]).rpartition('.')[2]) for part in every}) == 1
    if alike and len(every) == len(listed) + len(others) and numbers == list(range(len(every))):
        hints.append(f'{first} does not name {_listed(others)}; the numbers go on: used too.')
        return [file for file in found if file in named or file in others]
    hints.append(f'{first} does not name {_listed(others)}; give such a file by name to read it.')
    return named


def _listed(files: list[Path]) -> str:
    more = f' and {len(files) - 1} more files' if len(files) > 1 else ''
    return f'{files[0].name}{more}'


def unpacked_name(name: str) -> str:
    """Name the file that another holds, packed."""
    return re.sub(r'\.zstd?$', '', name)

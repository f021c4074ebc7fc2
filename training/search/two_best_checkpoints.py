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

"""Keeps the two best models of a training on disk (the report's appendix A, without a script)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras

KEPT = 2
_UNFINISHED = 'unfinished-'


@dataclass(frozen=True)
class Checkpoint:
    """
    A saved model.

    :param path: its file.
    :param epoch: finished epochs when it was saved, from 1 on.
    :param value: the monitored metric, to six decimals.
    """

    path: Path
    epoch: int
    value: float


def saved_checkpoints(folder: Path, monitor: str, mode: Literal['min', 'max']) -> list[Checkpoint]:
    """
    List what `TwoBestCheckpoints` saved.

    :param folder: where; it need not exist.
    :param monitor: name of the metric.
    :param mode: 'min' where less of it is better, 'max' where more is.
    :returns: the checkpoints of this metric, best first; of equals the earlier epoch first.
    """
    name = re.compile(rf'epoch-(\d+)-{re.escape(monitor)}-(-?\d+\.\d{{6}})\.keras')
    sign = 1 if mode == 'min' else -1
    found = [
        Checkpoint(path, int(match[1]), float(match[2]))
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := name.fullmatch(path.name))
    ]
    return sorted(found, key=lambda saved: (sign * saved.value, saved.epoch))


class TwoBestCheckpoints(keras.callbacks.Callback):
    """
    Saves the model after every epoch and keeps the two files with the best metric.

    An epoch that is none of the two best is not written at all. Each file is written whole or
    not at all, and is there before a worse one goes: a run that is broken at any moment leaves
    the best models so far, and the next run in the same folder goes on from what is there. The
    names are such as `epoch-0012-val_categorical_crossentropy-0.623512.keras`; other files in
    the folder are left alone.

    :param folder: where the models go; it is made.
    :param monitor: name of the metric, among those that Keras logs after an epoch.
    :param mode: 'min' where less of it is better, 'max' where more is.
    """

    def __init__(self, folder: Path, monitor: str, mode: Literal['min', 'max'] = 'min') -> None:
        super().__init__()
        self.folder = folder
        self.monitor = monitor
        self.mode: Literal['min', 'max'] = mode

    @property
    def kept(self) -> list[Checkpoint]:
        """What is on disk, best first."""
        return saved_checkpoints(self.folder, self.monitor, self.mode)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """
        Clear away what a broken run left unfinished.

        :param logs: not used.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(f'{_UNFINISHED}*.keras'):
            path.unlink()
        self._remove_all_but_the_best()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """
        Save the model if it is one of the two best.

        :param epoch: number of the epoch, from 0 on.
        :param logs: the epoch's metrics.
        :raises ValueError: when the monitored metric is not among them.
        """
        if self.monitor not in (logs or {}):
            raise ValueError(
                f'{self.monitor} is not measured; this training measures '
                f'{", ".join(logs or {}) or "nothing"}. Monitor one of these.'
            )
        value = float((logs or {})[self.monitor])
        if not math.isfinite(value):
            return
        kept = self.kept
        if len(kept) < KEPT or self._is_better(value, kept[KEPT - 1].value):
            name = f'epoch-{epoch + 1:04d}-{self.monitor}-{value:.6f}.keras'
            self._save_whole(self.folder / name)
            self._remove_all_but_the_best()

    def _is_better(self, value: float, other: float) -> bool:
        # Rounded, as the file names are: a restarted run must decide alike.
        rounded = float(f'{value:.6f}')
        return rounded < other if self.mode == 'min' else rounded > other

    def _save_whole(self, path: Path) -> None:
        unfinished = path.with_name(f'{_UNFINISHED}{path.name}')
        try:
            self.model.save(unfinished)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _remove_all_but_the_best(self) -> None:
        for saved in self.kept[KEPT:]:
            saved.path.unlink()

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

"""What people say a recording shows, and when: read from a table, a topic or folder names."""

from emotion_estimator.evaluation.labels.finding import Recorded, find_labels, table_beside
from emotion_estimator.evaluation.labels.folder_names import labels_of_folder
from emotion_estimator.evaluation.labels.messages import labels_of_messages
from emotion_estimator.evaluation.labels.segment import ANY_FACE, LabelError, Labels, Segment
from emotion_estimator.evaluation.labels.table import Time, read_table

__all__ = [
    'ANY_FACE',
    'LabelError',
    'Labels',
    'Recorded',
    'Segment',
    'Time',
    'find_labels',
    'labels_of_folder',
    'labels_of_messages',
    'read_table',
    'table_beside',
]

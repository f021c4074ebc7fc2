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

"""ROS 2 nodes: thin shells round `faces` and `emotion`."""

import ctypes
import os

# Before NumPy is imported: its products here are small, and a pool of threads for them would take
# the cores that MediaPipe needs.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')


def give_memory_back() -> None:
    """
    Give what loading or releasing models left over back to the system.

    glibc keeps it in its heaps otherwise, in pieces that the next models do not fit.
    """
    getattr(ctypes.CDLL(None), 'malloc_trim', int)(0)

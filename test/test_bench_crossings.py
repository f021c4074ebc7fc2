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

"""People of real photographs who cross, through the real networks."""

import pytest

from dev.bench.crossings import RATE_HZ, ids_kept, random_crossings
from dev.bench.finder import new_finder
from dev.bench.pictures import SIZE, landscape
from emotion_estimator.stamps import NS_PER_S


@pytest.fixture
def finder(media, landmarker_path, detector_path):
    media('london_001_neutral.jpg')
    made = new_finder(max_faces=2)
    yield made
    made.close()


@pytest.mark.parametrize('overlapping', [False, True])
def test_two_people_who_cross_keep_their_ids(finder, overlapping):
    (crossing,) = random_crossings(1, overlapping)
    sightings = [
        finder.find(picture, NS_PER_S + number * NS_PER_S // RATE_HZ).faces
        for number, picture in enumerate(crossing.frames(landscape()))
    ]
    assert crossing.apart.all() != overlapping
    assert ids_kept(crossing, sightings)
    lost = [faces if n < len(sightings) // 2 else () for n, faces in enumerate(sightings)]
    assert not ids_kept(crossing, lost)


def test_crossings_repeat_and_stay_in_the_picture(media):
    media('london_001_neutral.jpg')
    first, again = ([*random_crossings(3, overlapping=True)] for _ in range(2))
    for crossing, same in zip(first, again):
        assert (crossing.ways == same.ways).all()
        assert (crossing.ways >= 0).all()
        assert (crossing.ways <= SIZE).all()
        assert crossing.apart[0]
        assert crossing.apart[-1]
        assert not crossing.apart.all()

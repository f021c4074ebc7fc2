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

"""What small networks tell of a crop, whatever the light: features, and what of a face is seen."""

import struct
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from helpers.faces import (
    NEUTRAL,
    PEOPLE,
    SERIOUS,
    cartoon,
    frames,
    landmarks_of,
    line_drawing,
    photograph,
    shipped_network,
)
from helpers.live_nodes import START_NS, image_message
from hypothesis import given
from hypothesis import strategies as st

from dev.bench.covered_faces import COLOURS, COVERS, EYES, MOUTH, cover, drawn, upside_down
from emotion_estimator import ExpressionEstimator
from emotion_estimator.emotion.decision import UNKNOWN, VISIBLE_PARTS
from emotion_estimator.emotion.model import read_metadata
from emotion_estimator.faces.appearance import (
    CROP_PX,
    FAINT,
    VISIBLE_NAMES,
    AppearanceNetwork,
    FaceVisibility,
    UprightWatch,
    evened,
)
from emotion_estimator.faces.encoding import (
    FaceEncodingError,
    checksum_file,
    checksum_line,
    read_encoding,
    visibility_file,
)
from emotion_estimator.faces.landmarker import FaceLandmarker
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding, find_model
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.parameters import read_parameters
from emotion_estimator.replay.files import open_recording
from emotion_estimator.replay.replay import Selection, replay


def noise(seed, blur_px=0.0):
    grey = np.random.default_rng(seed).integers(0, 256, (CROP_PX, CROP_PX), np.uint8)
    return cv2.GaussianBlur(grey, (0, 0), blur_px) if blur_px else grey


@pytest.fixture(scope='module')
def network():
    return AppearanceNetwork(shipped_network().tobytes())


@given(st.integers(0, 1000), st.floats(0.05, 1), st.floats(0, 1))
def test_evened_crops_have_mean_0_and_a_deviation_just_below_1(seed, contrast, brightness):
    crop = (noise(seed) * contrast + 255 * (1 - contrast) * brightness).astype(np.uint8)
    values = evened(crop)
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(0, abs=1e-5)
    assert values.std() == pytest.approx(crop.std() / (crop.std() + FAINT), abs=1e-4)


@pytest.mark.parametrize('grey', [0, 77, 255])
def test_an_even_crop_stays_even(grey):
    np.testing.assert_array_equal(evened(np.full((CROP_PX, CROP_PX), grey, np.uint8)), 0)


def test_many_crops_are_evened_each_by_itself():
    crops = np.stack([noise(0), noise(1, 2.0), noise(2) // 3])
    for crop, values in zip(crops, evened(crops)):
        np.testing.assert_allclose(values, evened(crop), atol=1e-5)


def test_many_crops_are_described_as_each_alone(network):
    crops = np.stack([noise(seed, 2.0) for seed in range(4)])
    found = network(crops)
    assert found.shape == (4, network.count)
    assert found.dtype == np.float32
    for crop, numbers in zip(crops, found):
        np.testing.assert_array_equal(network(crop[None])[0], numbers)
    assert found.std(axis=0).min() > 0


def test_a_mirrored_crop_has_the_same_numbers(network):
    crops = np.stack([noise(seed, 2.0) for seed in range(4)])
    np.testing.assert_allclose(network(crops[:, :, ::-1]), network(crops), atol=1e-4)


def test_no_crops_give_no_numbers(network):
    empty = np.empty((0, CROP_PX, CROP_PX), np.uint8)
    assert network(empty).shape == (0, network.count)


def test_threads_that_share_a_network_get_their_own_numbers(network):
    crops = [noise(seed, 2.0)[None] for seed in range(8)]
    alone = [network(crop) for crop in crops]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(network, crops * 20))
    for number, found in enumerate(together):
        np.testing.assert_array_equal(found, alone[number % 8])


def test_light_and_contrast_change_little_and_a_smile_changes_much(media, landmarker_path):
    encoding = read_encoding(find_encoding(DEFAULT_ENCODING))
    clip, _ = frames(media(NEUTRAL))
    neutral, smiling = (
        encoding.crop(image, landmarks_of(image))
        for image in (cv2.cvtColor(clip[i], cv2.COLOR_BGR2RGB) for i in (0, -1))
    )
    dim = (60 + 0.4 * neutral).astype(np.uint8)
    usual, in_other_light, other = encoding.appearance(np.stack([neutral, dim, smiling]))
    change = np.linalg.norm(other - usual)
    assert np.linalg.norm(in_other_light - usual) < 0.35 * change


@pytest.mark.parametrize('content', [b'', b'TFL3', bytes(range(200))])
def test_what_is_no_network_is_refused(content):
    with pytest.raises(ValueError):
        AppearanceNetwork(content)


def test_a_network_that_can_be_loaded_but_not_run_is_refused():
    content = bytearray(visibility_file(find_encoding(DEFAULT_ENCODING)).read_bytes())
    # The zero points of 32 channels.
    at = content.index(struct.pack('<i', 32) + bytes(32 * 8))
    struct.pack_into('<q', content, at + 4, 199)
    with pytest.raises(ValueError, match='LiteRT cannot run it'):
        AppearanceNetwork(bytes(content))


def test_a_network_of_quantised_numbers_is_refused(quantised):
    content = visibility_file(find_encoding(DEFAULT_ENCODING)).read_bytes()
    with pytest.raises(ValueError, match='quantised, not float32'):
        AppearanceNetwork(content)


def test_a_network_for_something_else_is_refused_with_its_shapes():
    folder = find_model('basic7')
    content = (folder / read_metadata(folder).network).read_bytes()
    with pytest.raises(ValueError, match=r'it takes \[1, 30, .*not \[1, 48, 48, 1\]'):
        AppearanceNetwork(content)


# Covered faces and those upside down are noticed; what hides neither mouth nor eyes is not.


@pytest.fixture(scope='module')
def encoding():
    return read_encoding(find_encoding(DEFAULT_ENCODING))


@pytest.fixture(scope='module')
def visible(encoding):
    """Make what tells the parts of a face by name."""
    visibility = FaceVisibility(encoding.template, encoding.visibility)
    return lambda picture, points: dict(
        zip(VISIBLE_NAMES, visibility.of(encoding.crop(picture, points)))
    )


@pytest.fixture(scope='module')
def landmarker(landmarker_path):
    """Make what finds the face of a still."""
    made = FaceLandmarker(FaceNetworks(landmarker_path), stills=True)
    yield made
    made.close()


@pytest.fixture(scope='module')
def faces(landmarker, media):
    """Photographs with their landmarks."""
    pictures = [photograph(media(name)) for name in PEOPLE]
    return [(picture, landmarker.find(picture)[0].landmarks) for picture in pictures]


@pytest.fixture(scope='module')
def estimator(landmarker_path):
    with ExpressionEstimator(max_faces=1, face_id_seed=1) as made:
        yield made


def test_the_decision_looks_at_all_that_is_visible():
    assert VISIBLE_PARTS == VISIBLE_NAMES


def test_a_face_as_it_is_is_seen_whole(visible, faces):
    for picture, points in faces:
        assert visible(picture, points) == dict.fromkeys(VISIBLE_NAMES, 1)


@pytest.mark.parametrize('colour', COLOURS.values(), ids=COLOURS)
@pytest.mark.parametrize(
    'where, hidden, shown',
    [(MOUTH, 'mouth', 'eyes'), (EYES, 'eyes', 'mouth')],
    ids=('mouth', 'eyes'),
)
def test_what_is_covered_is_not_seen_but_the_rest_is(visible, faces, where, hidden, shown, colour):
    for picture, points in faces:
        seen = visible(cover(picture, points, where, colour), points)
        assert seen[f'visible.{hidden}'] < 0.2
        assert seen[f'visible.{shown}'] > 0.8


@pytest.mark.parametrize('hidden, name', [(h, n) for h in ('mouth', 'eyes') for n in COVERS[h]])
def test_what_the_landmarker_makes_of_a_cover_is_noticed(visible, landmarker, faces, hidden, name):
    for picture, points in faces:
        covered = drawn(picture, points, name)
        for found in landmarker.find(covered):
            seen = visible(covered, found.landmarks)
            # A printed mouth is one, but on no skin.
            assert seen[f'visible.{hidden}'] * seen['visible.skin'] < 0.5


@pytest.mark.parametrize('name', ['spectacles', 'beard'])
def test_spectacles_and_beards_cover_nothing(visible, landmarker, faces, name):
    for picture, points in faces:
        dressed = drawn(picture, points, name)
        (found,) = landmarker.find(dressed)
        seen = visible(dressed, found.landmarks)
        assert seen == pytest.approx(dict.fromkeys(VISIBLE_NAMES, 1), abs=0.2)


@pytest.mark.parametrize('name', [name for hides in ('mouth', 'eyes') for name in COVERS[hides]])
def test_a_covered_face_is_decided_unknown(estimator, faces, name):
    for picture, points in faces:
        found = estimator.estimate_picture(drawn(picture, points, name))
        assert [face.expression for face in found] in ([], [UNKNOWN])


def test_a_hand_before_a_real_mouth_is_noticed(estimator, media):
    pictures, _ = frames(media('WolfgangLanger_Pexels.mp4'), 301)
    for number, expression in ((110, UNKNOWN), (130, UNKNOWN), (300, 'happy')):
        rgb = cv2.cvtColor(cv2.resize(pictures[number], (640, 360)), cv2.COLOR_BGR2RGB)
        (face,) = estimator.estimate_picture(rgb)
        assert face.expression == expression


def test_a_face_upside_down_is_decided_unknown_or_not_found(estimator, faces):
    for picture, _ in faces:
        found = estimator.estimate_picture(upside_down(picture))
        assert [face.expression for face in found] in ([], [UNKNOWN])


@pytest.mark.parametrize('angle_deg', [-90, -60, -30, 30, 60, 90])
def test_a_head_that_leans_or_lies_is_upright_where_its_mesh_lies_right(
    visible, landmarker, faces, angle_deg
):
    turn = cv2.getRotationMatrix2D((240, 240), angle_deg, 0.8)
    for picture, points in faces:
        turned = cv2.warpAffine(picture, turn, (480, 480), borderMode=cv2.BORDER_REPLICATE)
        right = points[:, :2] * 480 @ turn[:, :2].T + turn[:, 2]
        for found in landmarker.find(turned):
            if np.hypot(*(found.landmarks[:, :2] * 480 - right).T).mean() < 15:
                assert visible(turned, found.landmarks)['visible.upright'] == 1


@pytest.mark.parametrize('draw', [line_drawing, cartoon])
def test_a_drawing_has_no_skin(visible, landmarker, draw):
    (face,) = landmarker.find(draw())
    assert visible(draw(), face.landmarks)['visible.skin'] < 0.1


def test_a_drawing_on_white_paper_has_no_skin(visible, landmarker):
    picture = line_drawing()
    picture[picture >= 240] = 255
    (face,) = landmarker.find(picture)
    assert visible(picture, face.landmarks)['visible.skin'] < 0.1


@pytest.mark.parametrize('exposure', [1.3, 1.6])
def test_skin_in_too_much_light_is_skin(visible, faces, exposure):
    for picture, points in faces:
        bright = cv2.convertScaleAbs(picture, alpha=exposure)
        assert visible(bright, points)['visible.skin'] > 0.9


def test_a_picture_of_one_colour_shows_nothing(visible, faces):
    picture, points = faces[0]
    seen = visible(np.full_like(picture, 128), points)
    assert [seen[f'visible.{part}'] for part in ('mouth', 'eyes', 'skin')] == [0, 0, 0]


def test_without_its_network_plain_covers_alone_are_noticed(encoding, faces):
    plain = FaceVisibility(encoding.template)
    picture, points = faces[0]
    assert plain.of(encoding.crop(picture, points)).tolist() == [1, 1, 1, 1]
    black = cover(picture, points, MOUTH, COLOURS['black'])
    assert plain.of(encoding.crop(black, points))[0] < 0.2


def test_an_encoding_has_the_network_that_lies_beside_it_if_it_fits(tmp_path, encoding):
    shipped = find_encoding(DEFAULT_ENCODING)
    mine = tmp_path / 'mine.npz'
    mine.write_bytes(shipped.read_bytes())
    assert read_encoding(mine).visibility is None
    beside = tmp_path / 'mine_visibility.tflite'
    beside.write_bytes(visibility_file(shipped).read_bytes())
    crop = np.random.default_rng(1).integers(0, 256, (1, CROP_PX, CROP_PX), np.uint8)
    network = read_encoding(mine).visibility
    assert isinstance(network, AppearanceNetwork)
    np.testing.assert_array_equal(network(crop), encoding.visibility(crop))
    shipped_line = checksum_file(visibility_file(shipped)).read_bytes()
    assert shipped_line == checksum_line(visibility_file(shipped), beside.read_bytes())
    checksum_file(beside).write_bytes(checksum_line(beside, beside.read_bytes()))
    assert read_encoding(mine).visibility is not None
    damaged = bytearray(beside.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    beside.write_bytes(damaged)
    with pytest.raises(FaceEncodingError, match=r'mine_visibility.*sha256 beside it is of other'):
        read_encoding(mine)
    checksum_file(beside).unlink()
    beside.write_bytes(b'no network')
    with pytest.raises(FaceEncodingError, match=r'mine_visibility.* cannot be used'):
        read_encoding(mine)


# A camera that hangs upside down.


def test_most_faces_upside_down_are_a_hint():
    over, upright = {'visible.upright': 0.0}, {'visible.upright': 1.0, 'head.roll': 1.6}
    watch = UprightWatch(least=3, most=5)
    for values in (over, over):
        watch.see(values)
    assert watch.hints() == []
    watch.see({'head.roll': -3.1, 'visible.upright': 1.0})
    (hint,) = watch.hints()
    assert hint.startswith('3 of 3 faces look upside down') and 'rotate' in hint
    for values in (upright, {}):
        watch.see(values)
    assert watch.hints() != []
    watch.see(upright)
    assert watch.hints() == []


@pytest.fixture
def folder(tmp_path, media):
    """Eight pictures of a person whom MediaPipe finds upside down too, both ways up."""
    picture = photograph(media(SERIOUS))
    for name, bgr in (('upright', picture[:, :, ::-1]), ('over', picture[::-1, ::-1, ::-1])):
        (tmp_path / name).mkdir()
        for number in range(8):
            cv2.imwrite(str(tmp_path / name / f'{1_700_000_000_000 + 66 * number}.png'), bgr)
    return tmp_path


def test_a_replay_hints_at_a_camera_upside_down_and_tells_no_expression(folder, landmarker_path):
    reported = {}
    for name in ('upright', 'over'):
        recording = open_recording(folder / name)
        reported[name] = replay(recording, read_parameters(), Selection())
        recording.close()
    assert reported['upright'].hints == ()
    assert UNKNOWN not in {one.label for one in reported['upright'].predictions}
    assert {one.label for one in reported['over'].predictions} <= {UNKNOWN}
    count = len(reported['over'].predictions)
    assert count
    (hint,) = reported['over'].hints
    assert hint.startswith(f'over: {count} of {count} faces look upside down')
    assert reported['over'].problems == ()


def test_diagnostics_hint_at_a_camera_upside_down(live, landmarker_path, media):
    bgr = upside_down(photograph(media(SERIOUS)))[:, :, ::-1]
    node = live.add(BlendshapeNode, landmarker=str(landmarker_path), face_id_seed=1)
    statuses = live.listen(DiagnosticArray, '/diagnostics')
    camera = live.camera()
    for number in range(40):
        before = node.statistics.report().published
        camera.publish(image_message(bgr, START_NS + number * 40_000_000))
        live.until(lambda: node.statistics.report().published > before, 'the image')  # noqa: B023
    statuses.clear()
    live.until(lambda: statuses, 'diagnostics')
    (status,) = statuses[-1].status
    assert status.level == DiagnosticStatus.WARN
    assert 'faces look upside down' in status.message

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

"""Videos, in files and in messages, give the frames that a player shows, at their times."""

import base64
import struct
import sys
import zlib
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest
from helpers.bags import (
    COMPRESSED,
    ROS2,
    START_NS,
    camera_info,
    header,
    problem,
    reported,
    stamps,
    write_bag,
)
from helpers.faces import NEUTRAL, frames, media_path
from rosbags.rosbag2 import StoragePlugin, Writer
from sensor_msgs.msg import Image

from emotion_estimator.extras.camera_node import CameraNode
from emotion_estimator.faces.image_decoding import ImageError
from emotion_estimator.messages import nanoseconds
from emotion_estimator.replay.bag import PACKET, VIDEO, video_types
from emotion_estimator.replay.files import open_recording
from emotion_estimator.replay.recordings import FIRST_STAMP_NS, RecordingError
from emotion_estimator.stamps import NS_PER_S

MS = NS_PER_S // 1000
GREYS = tuple(range(10, 250, 6))
RATE_HZ = 20
# Five grey frames of 16 x 16 pixels in AV1, made by ffmpeg and libaom; packed by zlib.
AV1 = (
    'c-nnZy-ve05WX~}Dg{Ik9g5T;NF7*^+6p8Vq)IFu7+7Fpacf77ut^lV5io@}=mQ|}0<7#ESa|^6fElqcm2;Y^ZVEl+a_8^<&jtY3'
    'Q}>}S0|8I~ElJ#Lp=^urs09FJFJcU(5R|A&1vTsW=k*Jc_J#u=2^1292JM}uJw~lGL1YXr#3O`?R?&cl9fV4Sax#Zxg3$WgmNSR$'
    'M*wz71VM~>xrhf87Rdg@4!*$x{msc*^va(*u#yV+U8;!Opnk1x(wg>iHmnP)>-<^Q$rzx)sFEn_j7v3-$nvJK*1MoSLB$m`Kl=f4'
    '6)xY>!{LDPXl99h%1qBIJO^EJOF7d%)}8QgJslm3G^yEUgHCOA8ZplpV{;gBH*4@jsvbxEMJh=RpC|oV{#k_{+JP?0?#yHRoWy;X'
    '`#lnfLlU=^B5IR~{-f#a5jMemZ>Uu~pYgPe6A~F_H8odzD#{jGx|lN5q)L}P>un97sP!t&VB(tVi1l;WS|$(B_F(j=@jc|-9An;o'
    'VB}~bpAM<gmw7B$DmCq!7l)S}kuc=u63RZlj$iDcddv'
)


def video(path, codec, greys=GREYS):
    """Make a video of grey frames, each as bright as is said."""
    size = (64, 48)
    fourcc = cv2.VideoWriter_fourcc(*codec)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, RATE_HZ, size)
    assert writer.isOpened()
    for grey in greys:
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()
    return path


def element(name, body):
    body = struct.pack('>I', body) if isinstance(body, int) else body
    return bytes.fromhex(name) + struct.pack('>Q', 1 << 56 | len(body)) + body


def matroska(path, times_ms, lasts_ms=None):
    """Make a Matroska file whose frames stand at any times; without a length, as browsers do."""
    picture = element('E0', element('B0', 64) + element('BA', 48))
    track = element('D7', 1) + element('73C5', 1) + element('83', 1) + element('86', b'V_MJPEG')
    clusters = b''
    for ms, grey in zip(times_ms, GREYS):
        jpeg = cv2.imencode('.jpg', np.full((48, 64, 3), grey, np.uint8))[1].tobytes()
        clusters += element('1F43B675', element('E7', ms) + element('A3', b'\x81\0\0\x80' + jpeg))
    length = b'' if lasts_ms is None else element('4489', struct.pack('>d', lasts_ms))
    info = element('1549A966', element('2AD7B1', 1_000_000) + length)
    frame_length = element('23E383', 50_000_000)
    tracks = element('1654AE6B', element('AE', track + picture + frame_length))
    head = element('4282', b'matroska') + element('4287', 2) + element('4285', 2)
    content = element('1A45DFA3', head) + element('18538067', info + tracks + clusters)
    path.write_bytes(content)
    return path


def assert_frames(images, times_ms, greys=GREYS):
    assert [ns - FIRST_STAMP_NS for ns, _ in images] == pytest.approx(
        [ms * MS for ms in times_ms], abs=MS
    )
    assert [rgb.mean() for _, rgb in images] == pytest.approx(greys[: len(images)], abs=6)


def assert_whole(path, times_ms, greys=GREYS):
    """Compare a recording's images; nothing is said of it."""
    images, problems, hints = reported(path)
    assert_frames(images, times_ms, greys)
    assert problems == hints == []


EVEN_MS = tuple(number * 1000 // RATE_HZ for number in range(len(GREYS)))


@pytest.mark.parametrize(
    'name, codec',
    [
        *(('clip.avi', 'MJPG'), ('clip.mp4', 'mp4v'), ('clip.MOV', 'mp4v')),
        *(('clip.mkv', 'mp4v'), ('clip.webm', 'VP80'), ('clip.flv', 'FLV1')),
        *(('clip.wmv', 'WMV2'), ('clip.ts', 'mpg2'), ('clip.3gp', 'mp4v')),
        ('clip.nobody_knows', 'FLV1'),
    ],
)
def test_whatever_opencv_opens_is_read_at_its_frames_times(tmp_path, name, codec):
    made = tmp_path / (name if 'nobody' not in name else 'made.flv')
    path = video(made, codec).rename(tmp_path / name)
    assert_whole(path, EVEN_MS)


@pytest.mark.parametrize('name', ['\udcff.mp4', '10:30.mp4'], ids=['no UTF-8', 'colon'])
def test_a_video_is_read_whatever_its_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = video(tmp_path / 'clip.mp4', 'mp4v').rename(name)
    assert_whole(path, EVEN_MS)


UNEVEN_MS = tuple(np.cumsum([16, 17, 33, 34, 50, 66, 100, 4] * 5).tolist())


@pytest.mark.parametrize(
    'times_ms, lasts_ms',
    [
        ([3000 + ms for ms in EVEN_MS], 3000 + EVEN_MS[-1] + 50),
        (UNEVEN_MS, UNEVEN_MS[-1] + 50),
        (UNEVEN_MS, None),
    ],
    ids=['begins at 3 s', 'uneven', 'of a browser'],
)
def test_frames_of_a_video_stand_where_they_are_shown(tmp_path, times_ms, lasts_ms):
    path = matroska(tmp_path / 'clip.mkv', times_ms, lasts_ms)
    assert_whole(path, [ms - times_ms[0] for ms in times_ms])


@pytest.mark.parametrize(
    'stated_ms, shown_ms',
    [
        pytest.param([0, 40, 40, 80, 80, 120], [0, 40, 40, 80, 80, 120], id='twos'),
        pytest.param([0, 40, 40, 40, 80, 120], [0, 40, 40, 90, 90, 120], id='a three'),
        pytest.param([0, 120, 40, 80, 160, 200], [0, 120, 170, 170, 170, 200], id='out of order'),
        pytest.param([0, 0, 0, 0, 0, 0], [0, 50, 100, 150, 200, 250], id='no times'),
        pytest.param([0, 40, 80, 120, 0, 0], [0, 40, 80, 120, 170, 220], id='none at the end'),
        pytest.param([0, 40, 40, 40, 40, 40], [0, 40, 40, 90, 140, 190], id='no times any more'),
        pytest.param(
            [0, 1000, 2000, 0, 50, 100], [0, 1000, 2000, 2050, 2100, 2150], id='two files joined'
        ),
        pytest.param([0, 9000, 40, 80, 120], [0, 9000, 9050, 9100, 9150], id='one far ahead'),
    ],
)
def test_frames_of_one_time_put_off_no_later_one(tmp_path, stated_ms, shown_ms):
    images, problems, _ = reported(matroska(tmp_path / 'clip.mkv', stated_ms))
    assert_frames(images, shown_ms)
    stamps_ns = [ns for ns, _ in images]
    assert all(after > before for before, after in pairwise(stamps_ns))
    assert problems == []


def test_a_video_whose_first_frame_is_not_at_0_begins_at_0_all_the_same(tmp_path):
    av = pytest.importorskip('av')
    with av.open(str(tmp_path / 'clip.avi'), 'w') as container:
        stream = container.add_stream('libx264', RATE_HZ)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for number, grey in enumerate(GREYS, start=5 * RATE_HZ):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8))
            picture.pts, picture.time_base = number, Fraction(1, RATE_HZ)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    assert_whole(tmp_path / 'clip.avi', EVEN_MS)


def test_a_video_that_ends_before_its_stated_length_gives_a_hint(tmp_path):
    images, problems, hints = reported(matroska(tmp_path / 'clip.mkv', EVEN_MS, 10_000))
    assert_frames(images, EVEN_MS)
    assert problems == []
    assert 'ends after 2.0 s, though 10.0 s are stated' in hints[0]


@pytest.mark.parametrize('greys, alike', [((90, 90, 90), True), ((90, 90, 160), False)])
def test_of_a_video_whose_frames_are_all_the_same_a_hint_tells_the_likely_reason(
    tmp_path, greys, alike
):
    path = video(tmp_path / "it's.avi", 'MJPG', greys)
    images, problems, hints = reported(path)
    assert_frames(images, EVEN_MS[:3], greys)
    assert problems == []
    assert [hint.split('. ')[0] for hint in hints] == (
        [f'{path}: all 3 frames are the same picture'] if alike else []
    )
    assert all('-vf yadif ' in hint and 'interlaced' in hint for hint in hints)


def test_a_video_that_was_cut_without_encoding_is_whole(tmp_path):
    path = video(tmp_path / 'cut.mp4', 'mp4v')
    data = bytearray(path.read_bytes())
    # Such a cut lets the edit list begin later: here by a second.
    scale, movie = (
        struct.unpack_from('>I', data, data.find(box) + 16)[0] for box in (b'mdhd', b'mvhd')
    )
    at = data.find(b'elst') + 12
    duration, start = struct.unpack_from('>Ii', data, at)
    struct.pack_into('>Ii', data, at, duration - movie, start + scale)
    path.write_bytes(data)
    assert_whole(path, EVEN_MS[:20], GREYS[20:])


@pytest.mark.parametrize('name, codec', [('cut.avi', 'MJPG'), ('cut.mkv', 'mp4v')])
def test_a_video_that_is_cut_off_says_so(tmp_path, name, codec):
    path = video(tmp_path / name, codec)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    images, problems, _ = reported(path)
    assert 10 < len(images) < 40
    assert_frames(images, EVEN_MS[: len(images)])
    assert f'{path} is cut off: {len(content) - len(content) * 2 // 3:,} bytes' in problems[0]
    assert f'{len(images)} frames of it are used' in problems[0]


@pytest.mark.parametrize('name, codec', [('a.mp4', 'mp4v'), ('a.avi', 'MJPG'), ('a.wmv', 'WMV2')])
def test_a_video_with_damage_inside_says_so(tmp_path, name, codec):
    path = video(tmp_path / name, codec)
    content = path.read_bytes()
    begin, end = len(content) * 3 // 10, len(content) * 6 // 10
    path.write_bytes(content[:begin] + bytes(end - begin) + content[end:])
    _, problems, _ = reported(path)
    assert 'is damaged: some of its frames cannot be decoded' in problems[0]


def test_a_codec_that_opencv_lacks_is_named_with_a_remedy(tmp_path):
    path = tmp_path / "it's.mp4"
    path.write_bytes(zlib.decompress(base64.b85decode(AV1)))
    said = problem(path)
    assert str(path) in said
    assert 'AV1 (av01)' in said
    assert "-c:v libx264 'it'" in said


@pytest.mark.parametrize('rate_hz, expected_ms', [(0.0, UNEVEN_MS[:8]), (50.0, range(0, 160, 20))])
def test_the_demo_s_camera_goes_by_the_frames_own_times(tmp_path, live, rate_hz, expected_ms):
    path = matroska(tmp_path / "it's $1.mkv", UNEVEN_MS[:8])
    images = live.listen(Image, '/image', 100)
    live.add(CameraNode, video=str(path), rate_hz=rate_hz, loop=True, wait_for='tester')
    live.until(lambda: len(images) > 8, 'the second round')
    stamps_ns = [nanoseconds(image.header.stamp) for image in images]
    first_ms = expected_ms[0]
    assert [ns - stamps_ns[0] for ns in stamps_ns[:8]] == [
        (ms - first_ms) * MS for ms in expected_ms
    ]
    assert stamps_ns[8] > stamps_ns[7]
    assert [image.data[0] for image in images[:8]] == pytest.approx(GREYS[:8], abs=3)


def test_a_video_of_huge_frames_is_refused_before_one_is_decoded(tmp_path):
    path = tmp_path / 'wide.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (40_000, 16))
    writer.write(np.zeros((16, 40_000, 3), np.uint8))
    writer.release()
    assert 'wide.avi cannot be used: The image is 40000 x 16 pixels' in problem(path)


# Messages that hold video.


def video_message(kind, ns, data):
    store = video_types()
    if kind == COMPRESSED:
        return store.types[kind](header(ROS2, ns), 'h264', data)
    if kind == PACKET:
        return store.types[kind](header(ROS2, ns), 640, 360, 'libx264', 0, 0, False, data)
    stamp = header(ROS2, ns).stamp
    return store.types[kind](stamp, 'camera', data, 'h264')


def packet_bag(path, kind, packets, topic='/camera/video'):
    store = video_types()
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        camera = writer.add_connection(topic, kind, typestore=store)
        for recorded_ns, (ns, data) in zip(stamps(len(packets)), packets):
            message = video_message(kind, ns, np.frombuffer(data, np.uint8))
            writer.write(camera, recorded_ns, store.serialize_cdr(message, kind))
    return path


def video_bag(path, kind):
    """Put the packets of a clip into messages."""
    capture = cv2.VideoCapture(str(media_path(NEUTRAL)), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    packets = [(ns, capture.read()[1].tobytes()) for ns in stamps(20)]
    return packet_bag(path, kind, packets)


def grey_packets(**options):
    """Encode grey frames in H.264, with a key frame every ten; packets have their stamps."""
    av = pytest.importorskip('av')
    encoder = av.CodecContext.create('libx264', 'w')
    encoder.width, encoder.height, encoder.pix_fmt, encoder.gop_size = 64, 48, 'yuv420p', 10
    encoder.time_base = Fraction(1, RATE_HZ)
    encoder.options = options or {'tune': 'zerolatency'}
    pictures = [av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8)) for grey in GREYS]
    for number, picture in enumerate(pictures):
        picture.pts = number
    packets = [packet for one in (*pictures, None) for packet in encoder.encode(one)]
    return [(stamps(len(GREYS))[packet.pts], bytes(packet)) for packet in packets]


def test_video_that_begins_between_key_frames_is_read_from_the_next_one_on(tmp_path):
    packets = grey_packets()
    images, problems, hints = reported(packet_bag(tmp_path / 'bag', VIDEO, packets[7:]))
    assert [ns for ns, _ in images] == stamps(len(GREYS))[10:]
    assert [rgb.mean() for _, rgb in images] == pytest.approx(GREYS[10:], abs=6)
    assert problems == []
    (hint,) = hints
    assert hint.startswith('3 of 33 packets on /camera/video')
    assert 'only be read from a key frame on' in hint


def test_video_that_begins_at_an_open_group_of_pictures_keeps_its_stamps(tmp_path):
    # Pictures behind the key frame in the stream, and before it in time, cannot be decoded.
    packets = grey_packets(**{'x264-params': 'open-gop=1:bframes=3:b-adapt=0:scenecut=0'})
    order = [ns for ns, _ in packets]
    key = order.index(stamps(len(GREYS))[10])
    assert min(order[key:]) < order[key]
    images, problems, hints = reported(packet_bag(tmp_path / 'bag', VIDEO, packets[key:]))
    assert [ns for ns, _ in images] == stamps(len(GREYS))[10:]
    assert [rgb.mean() for _, rgb in images] == pytest.approx(GREYS[10:], abs=6)
    assert (problems, len(hints)) == ([], 1)


@pytest.mark.parametrize('kind, name', [(PACKET, 'ffmpeg'), (VIDEO, 'foxglove')])
def test_a_video_topic_s_calibration_stands_beside_the_camera_s_own_topic(tmp_path, kind, name):
    pytest.importorskip('av')
    path = packet_bag(tmp_path / 'bag', kind, [(START_NS, b'\0')], f'/camera/image_raw/{name}')
    said = camera_info(ROS2, START_NS, 64, 48, 60.0)
    beside = write_bag(tmp_path / 'beside', [('/camera/camera_info', START_NS, said)])
    (beside / 'beside.mcap').rename(path / 'bag_1.mcap')
    (path / 'metadata.yaml').unlink()
    (path / 'bag.mcap').rename(path / 'bag_0.mcap')
    bag = open_recording(path)
    assert bag.topic == f'/camera/image_raw/{name}'
    assert len(list(bag.calibrations())) == 1
    bag.close()


def test_packets_that_are_damaged_are_told_from_those_before_a_key_frame(tmp_path):
    packets = grey_packets()
    damaged = [(ns, b'\0\0\0\1damaged') for ns, _ in packets]
    one = [*packets[7:25], damaged[25], *packets[26:]]
    frames = list(open_recording(packet_bag(tmp_path / 'one', VIDEO, one)).frames())
    assert [frame.stamp_ns for frame in frames] == stamps(len(GREYS))[10:]
    with pytest.raises(ImageError, match='packet of 11 bytes is damaged'):
        frames[15].decode()
    every = open_recording(packet_bag(tmp_path / 'every', VIDEO, damaged))
    frames = list(every.frames())
    assert len(frames) == len(GREYS)
    with pytest.raises(ImageError, match='packet of 11 bytes is damaged'):
        frames[0].decode()
    assert every.hints[0].startswith(f'{len(GREYS)} of {len(GREYS)} packets')


@pytest.mark.parametrize('kind', [COMPRESSED, PACKET, VIDEO])
def test_video_in_messages_is_decoded_where_pyav_is(tmp_path, kind):
    pytest.importorskip('av')
    images, problems, _ = reported(video_bag(tmp_path / 'bag', kind))
    expected, _ = frames(media_path(NEUTRAL), 20)
    assert [ns for ns, _ in images] == stamps(20)
    for (_, rgb), bgr in list(zip(images, expected))[:16]:
        assert np.abs(rgb.astype(int) - bgr[..., ::-1]).mean() < 3
    assert problems == []


@pytest.mark.parametrize('kind', [COMPRESSED, PACKET, VIDEO])
def test_video_in_messages_is_reported_with_a_remedy_where_pyav_is_not(
    tmp_path, kind, monkeypatch
):
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(
        RecordingError, match=r'/camera/video \(\w+/msg/\w+\) holds h264 video.*pip install av'
    ):
        open_recording(video_bag(tmp_path / 'bag', kind))

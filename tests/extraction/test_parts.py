"""Parts of videos: few frames are decoded for them, and they are those of decoding from the beginning."""

import wave
from types import SimpleNamespace

import av
import numpy as np
import pytest

from avzoo.extraction import media
from avzoo.extraction.frame_order import Entry, _last_entry
from avzoo.extraction.media import MediaFile
from avzoo.extraction.resampling import mono
from tests.extraction.made_videos import make_video

SHARED = ('bbb_1s.webm', 'bbb_30s.webm', 'sintel_2s.mp4', 'nasa.mp4', 'smpte.mp4', 'no_duration.webm')
NO_B = {'x264-params': 'bframes=0:keyint=25'}
WITH_B = {'x264-params': 'bframes=3:b-adapt=0:keyint=25'}
RECOVERY = {'x264-params': 'bframes=3:b-adapt=0:keyint=25:open-gop=1'}
REFRESH = {'x264-params': 'bframes=0:keyint=25:intra-refresh=1'}
# Of each video: suffix, codec, frames between others, options, and whether parts of it are decoded from their keyframe.
VIDEOS = {
    'mkv': ('mkv', 'mpeg4', 0, {}, True),
    'mp4': ('mp4', 'mpeg4', 0, {}, True),
    'open': ('mp4', 'mpeg4', 2, {}, False),
    'avi': ('avi', 'mpeg4', 2, {}, False),
    'mjpeg': ('mkv', 'mjpeg', 0, {}, True),
    'vp8': ('webm', 'libvpx', 0, dict(g='25'), True),
    'one keyframe': ('webm', 'libvpx', 0, dict(g='1000'), False),
    'h264': ('mp4', 'libx264', 3, WITH_B, True),
    'h264 mkv': ('mkv', 'libx264', 3, WITH_B, True),
    'h264 low delay': ('mp4', 'libx264', 0, NO_B, True),
    'h264 avi': ('avi', 'libx264', 3, WITH_B, False),
    'h264 ts': ('ts', 'libx264', 3, WITH_B, False),
    'h264 recovery': ('mp4', 'libx264', 3, RECOVERY, True),  # Keyframes after which frames could know earlier ones.
    'h264 refresh': ('mkv', 'libx264', 0, REFRESH, False),
}


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    def make(name, seconds=4):
        suffix, codec, between, options, quick = VIDEOS[name]
        if codec not in av.codecs_available:
            pytest.skip(f'PyAV has no {codec}')
        path = tmp_path_factory.mktemp('parts') / f'clip.{suffix}'
        pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
        return make_video(
            path, seconds=seconds, codec=codec, max_b_frames=between, options=options, pix_fmt=pix_fmt
        ), quick

    return make


def assert_parts_are_those_of_the_whole(path):
    clip = MediaFile(path)
    whole = list(clip.frames())
    last = whole[-1].seconds
    for start in np.linspace(0.1, 0.97, 5) * last:
        for end in (start + 0.3, None) if start < last / 3 or start > last * 0.9 else (start + 0.3,):
            part = MediaFile(path)
            found = list(part.frames(start, end))
            wanted = [f for f in whole if f.seconds >= start and (end is None or f.seconds < end)]
            assert [f.seconds for f in found] == [f.seconds for f in wanted]
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(one.rgb, other.rgb)
            if end is None:
                assert part.facts == clip.facts


@pytest.mark.parametrize('name', VIDEOS)
def test_a_part_is_that_of_the_whole(video, name):
    assert_parts_are_those_of_the_whole(video(name)[0])


@pytest.mark.parametrize('name', SHARED)
def test_a_part_of_a_real_clip_is_that_of_the_whole(shared_dir, name):
    assert_parts_are_those_of_the_whole(shared_dir / 'clips' / name)


@pytest.fixture
def decoded(monkeypatch):
    """A list that grows by each frame that is decoded."""
    found = []
    decode = MediaFile._decoded

    def counted(*args):
        for frame in decode(*args):
            found.append(frame.pts)
            yield frame

    monkeypatch.setattr(MediaFile, '_decoded', counted)
    return found


@pytest.mark.parametrize('name', VIDEOS)
def test_few_frames_are_decoded_for_a_part(video, name, decoded):
    path, quick = video(name, seconds=12)
    assert len(list(MediaFile(path).frames(11, 11.2))) == 5
    assert len(decoded) < 75 if quick else len(decoded) >= 275


def test_a_part_near_the_beginning_is_decoded_once(video, decoded):
    assert len(list(MediaFile(video('mkv')[0]).frames(0.2, 0.4))) == 5
    assert len(decoded) < 30


def test_a_part_with_a_bad_packet_is_that_of_the_whole(video):
    path, _ = video('vp8')
    with av.open(str(path)) as file:
        found = [(packet.pos, bytes(packet)) for packet in file.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for position, packet in found[80:82]:
        begin = content.index(packet, position)
        content[begin : begin + len(packet)] = bytes(len(packet))
    path.write_bytes(content)
    whole, part = MediaFile(path), MediaFile(path)
    wanted = [frame for frame in whole.frames() if frame.seconds >= 3]
    found = list(part.frames(3))
    assert part.facts.bad_packets == whole.facts.bad_packets == 2
    assert [f.seconds for f in found] == [f.seconds for f in wanted]
    assert all((a.rgb == b.rgb).all() for a, b in zip(found, wanted, strict=True))


def test_a_part_behind_the_end_is_empty_and_the_file_not_cut_short(video):
    clip = MediaFile(video('mkv')[0])
    assert list(clip.frames(100)) == [] and clip.facts.notes == [] and clip.facts.frames == 100


def packets(times, keyframes=(0, 20, 40, 60), **changes):
    """Packets with the given times; ``changes`` of single ones are by their number, as ``_NUMBER``."""
    found = []
    for number, pts in enumerate(times):
        packet = SimpleNamespace(size=9, pts=pts, is_keyframe=number in keyframes, is_discard=False, is_corrupt=False)
        packet.has_sidedata = lambda kind: False
        vars(packet).update(changes.get(f'_{number}', {}))
        found.append(packet)
    return found


def test_the_last_keyframe_is_taken_before_which_a_decoder_has_settled():
    entries = [_last_entry(packets(range(100)), start, False) for start in (15, 37, 38, 57, 58, 95, 1000)]
    assert [entry and entry.packets for entry in entries] == [None, None, 20, 20, 40, 60, 60]
    assert entries[2] == Entry(20, 20, 0)
    every = [_last_entry(packets(range(100), range(100)), start, False) for start in (10, 50)]
    assert [entry and entry.packets for entry in every] == [None, 32]


@pytest.mark.parametrize(
    ('found', 'reorders'),
    [
        (packets(range(100), _3=dict(pts=None)), False),
        (packets(range(100), _3=dict(is_discard=True)), False),
        (packets(range(100), _3=dict(is_corrupt=True)), False),
        (packets(range(100), _50=dict(has_sidedata=lambda kind: kind == 'new_extradata')), False),
        (packets(range(100), _2=dict(pts=-1)), False),
        (packets(range(100), (0,)), False),
        (packets(range(100)), True),  # Times of decoding.
        (packets([]), False),
    ],
)
def test_a_doubt_is_decoded_from_the_beginning(found, reorders):
    assert _last_entry(found, 90, reorders) is None


def test_a_keyframe_with_frames_before_it_is_no_entry():
    times = [*range(60), 62, 60, 61, *range(63, 100)]
    assert _last_entry(packets(times), 90, True) == Entry(40, 40, 0)


def test_sound_before_a_part_is_not_converted(tmp_path, monkeypatch):
    path = tmp_path / 'sound.wav'
    with wave.open(str(path), 'wb') as file:
        file.setparams((1, 2, 16000, 0, 'NONE', ''))
        file.writeframes(np.arange(-30000, 130000).astype('<i2').tobytes())
    whole = np.concatenate(list(MediaFile(path).samples(16000)))
    converted = []
    monkeypatch.setattr(media, 'mono', lambda frame: converted.append(mono(frame)) or converted[-1])
    clip = MediaFile(path)
    np.testing.assert_array_equal(np.concatenate(list(clip.samples(16000, 9, 9.5))), whole[144000:152000])
    assert sum(map(len, converted)) < 16000 < clip.facts.samples

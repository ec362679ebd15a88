"""Frames and sound of video files, and the traps of containers and codecs."""

import os
import struct
import warnings
import wave
from types import SimpleNamespace

import av
import numpy as np
import pytest

from avzoo.extraction import media
from avzoo.extraction.frame_order import in_display_order
from avzoo.extraction.log_mel import log_mel_examples
from avzoo.extraction.media import MediaFile
from avzoo.extraction.media_container import MediaError
from tests.extraction.made_videos import make_video

# Of each clip: frames, frames per second, samples at 16 kHz, their rms, examples of VGGish, mean of these.
COUNTS = {
    'bbb_30s.webm': (720, 24.0, 480305, 0.03638, 31, -1.8514),
    'bbb_1s.webm': (24, 24.0, 16092, 0.09710, 1, -1.0855),
    'sintel_2s.mp4': (48, 24.0, 32200, 0.13876, 2, -0.9657),
    'nasa.mp4': (390, 30000 / 1001, 208896, 0.07795, 13, -1.0360),
    'smpte.mp4': (251, 25.0, 160768, 0.02413, 10, -4.2466),
    'no_duration.webm': (74, 15000 / 1001, 77760, 0.0, 5, -4.6052),
}


def sound_of(clip, *args):
    return np.concatenate([*clip.samples(16000, *args), np.zeros(0, np.float32)])


@pytest.mark.parametrize('name', COUNTS)
def test_counts_of_real_clips(shared_dir, name):
    frames, rate, samples, rms, examples, mean = COUNTS[name]
    clip = MediaFile(shared_dir / 'clips' / name)
    times = [frame.seconds for frame in clip.frames()]
    sound = sound_of(clip)
    assert (len(times), len(sound)) == (clip.facts.frames, clip.facts.samples) == (frames, samples)
    assert float(clip.frame_rate) == pytest.approx(rate)
    assert times == sorted(times)
    np.testing.assert_allclose(np.sqrt(np.mean(sound**2)), rms, atol=1e-5)
    spectrum = np.stack(list(log_mel_examples([sound])))
    assert len(spectrum) == examples
    np.testing.assert_allclose(spectrum.mean(), mean, atol=1e-4)


def test_the_best_streams_are_read_and_others_by_their_index(shared_dir):
    path = shared_dir / 'clips' / 'nasa.mp4'
    clip = MediaFile(path)
    assert (clip.facts.video_stream, clip.facts.audio_stream) == (3, 4)
    other = MediaFile(path, video_stream=0, audio_stream=1)
    assert sum(1 for _ in other.frames()) == 325
    with pytest.raises(MediaError, match=r'no video stream 1; its video streams: 0, 3'):
        MediaFile(path, video_stream=1)


def test_channels_are_averaged_after_resampling(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)
    path = make_video(tmp_path / 'stereo.mkv', sound=np.stack([tone, np.zeros_like(tone)]))
    np.testing.assert_allclose(np.abs(sound_of(MediaFile(path))).max(), 0.25, atol=1e-3)


def test_a_part_of_a_clip_is_cut_from_both_streams(tmp_path):
    ramp = np.linspace(-1, 1, 32000, dtype=np.float32)[None]
    clip = MediaFile(make_video(tmp_path / 'clip.mkv', seconds=2, sound=ramp))
    whole = sound_of(clip)
    np.testing.assert_array_equal(sound_of(clip, 0.5, 1.25), whole[8000:20000])
    times = [frame.seconds for frame in clip.frames(0.5, 1.25)]
    assert len(times) == 19 and 0.5 <= times[0] < 0.54 and 1.2 <= times[-1] < 1.25


def test_times_of_decoding_are_put_in_order():
    decoded = [SimpleNamespace(name=i, pts=pts) for i, pts in enumerate([1, 2, 4, 3, 5, 7, 6, *range(8, 40), None])]
    found = list(in_display_order(iter(decoded)))
    assert [frame.name for frame, _ in found] == [*range(40)]  # Frames stay as they come.
    assert [pts for _, pts in found] == [*range(1, 40), None]


def test_frames_between_others_come_in_the_order_of_display(tmp_path):
    frames = list(MediaFile(make_video(tmp_path / 'clip.avi', max_b_frames=2)).frames())
    np.testing.assert_allclose([f.seconds for f in frames], np.arange(25) / 25, atol=1e-6)
    np.testing.assert_allclose([f.rgb[:, :28].mean() for f in frames], [10 * i % 240 for i in range(25)], atol=8)


@pytest.mark.parametrize(('angle', 'bright'), [(0, 'left'), (-90, 'top'), (90, 'bottom'), (180, 'right')])
def test_pictures_are_turned_upright(angle, bright):
    class Turned:
        rotation = angle
        picture = np.zeros((4, 6, 3), np.uint8)
        picture[:, :3] = 255

        def to_ndarray(self, format):
            return self.picture

    upright = media._upright(Turned()).mean(axis=2)
    halves = dict(left=upright[:, : upright.shape[1] // 2], right=upright[:, upright.shape[1] // 2 :])
    halves |= dict(top=upright[: len(upright) // 2], bottom=upright[len(upright) // 2 :])
    assert max(halves, key=lambda name: halves[name].mean()) == bright
    assert upright.shape == ((6, 4) if angle in (90, -90) else (4, 6))


@pytest.mark.parametrize(
    ('matrix', 'bright'),
    [((1, 0, 0, 1), 'left'), ((-1, 0, 0, -1), 'right'), ((0, 1, -1, 0), 'top'), ((0, -1, 1, 0), 'bottom')],
)
def test_a_file_whose_header_turns_the_picture(tmp_path, matrix, bright):
    path = make_video(tmp_path / 'clip.mp4', seconds=0.4)
    content = bytearray(path.read_bytes())
    at = content.index(b'tkhd') + 44  # Where the display matrix of the track begins.
    a, b, c, d = (value << 16 for value in matrix)
    content[at : at + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    last = [frame.rgb for frame in MediaFile(path).frames()][-1].mean(axis=2)
    height, width = last.shape
    halves = dict(left=last[:, : width // 2], right=last[:, width // 2 :])
    halves |= dict(top=last[: height // 2], bottom=last[height // 2 :])
    assert max(halves, key=lambda name: halves[name].mean()) == bright
    assert last.shape == ((64, 48) if bright in ('top', 'bottom') else (48, 64))


def test_cover_art_is_not_the_video(tmp_path):
    path = tmp_path / 'song.mp4'
    picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 200, np.uint8), format='rgb24')
    with av.open(str(path), 'w') as file:
        cover = file.add_stream('mjpeg', rate=1, width=64, height=48, pix_fmt='yuvj420p')
        cover.disposition = av.stream.Disposition.attached_pic
        video = file.add_stream('mpeg4', rate=25, width=32, height=32, pix_fmt='yuv420p')
        packets = cover.encode(picture.reformat(format='yuvj420p')) + cover.encode()
        file.start_encoding()
        file.mux(packets)
        file.mux([packet for _ in range(25) for packet in video.encode(picture.reformat(32, 32, 'yuv420p'))])
        file.mux(video.encode())
    frames = list(MediaFile(path).frames())
    assert len(frames) == 25 and frames[0].rgb.shape == (32, 32, 3)
    assert MediaFile(path).facts.audio_stream is None


def test_a_file_without_sound_or_without_picture_says_so(tmp_path):
    silent = MediaFile(make_video(tmp_path / 'silent.mkv'))
    with pytest.raises(MediaError, match='has no sound'):
        next(silent.samples(16000))
    blind = MediaFile(make_video(tmp_path / 'blind.mkv', codec=None, sound=np.zeros((1, 16000), np.float32)))
    with pytest.raises(MediaError, match='has no video stream'):
        next(blind.frames())
    assert blind.frame_rate is None


def test_bad_packets_are_left_out_and_counted(tmp_path):
    path = make_video(tmp_path / 'clip.mkv', seconds=4, codec='libvpx')
    with av.open(str(path)) as file:
        packets = [bytes(packet) for packet in file.demux(video=0) if packet.size]
    content = path.read_bytes()
    for packet in packets[50:53]:
        content = content.replace(packet, bytes(len(packet)), 1)
    path.write_bytes(content)
    clip = MediaFile(path)
    found = len(list(clip.frames()))
    assert (found, clip.facts.bad_packets) == (97, 3)


def test_few_frames_at_long_distances_are_not_a_file_cut_short(tmp_path):
    path = tmp_path / 'clip.mkv'
    with av.open(str(path), 'w') as file:
        video = file.add_stream('mpeg4', rate=25, width=64, height=48, pix_fmt='yuv420p')
        for i in range(0, 100, 5):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format='rgb24')
            frame.pts = i
            file.mux(video.encode(frame))
        file.mux(video.encode())
    clip = MediaFile(path)
    times = [frame.seconds for frame in clip.frames()]
    np.testing.assert_allclose(times, np.arange(20) / 5, atol=2e-3)
    assert clip.facts.notes == []


def test_a_file_that_is_cut_short_is_noted(tmp_path):
    path = make_video(tmp_path / 'clip.avi', seconds=8, codec='mjpeg', pix_fmt='yuvj420p')
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = MediaFile(path)
    assert 0 < len(list(clip.frames())) < 150
    assert clip.facts.missing_seconds > 2 and 'cut short' in clip.facts.notes[-1]


def test_pictures_that_end_before_the_sound_are_not_cut_short(tmp_path):
    path = make_video(tmp_path / 'clip.mkv', seconds=1, sound=np.zeros((1, 4 * 16000), np.float32))
    clip = MediaFile(path)
    assert len(list(clip.frames())) == 25
    assert sum(map(len, clip.samples(16000))) >= 4 * 16000
    assert clip.facts.notes == [] and clip.facts.missing_seconds == 0


def test_a_matroska_file_that_is_cut_short_is_noted(tmp_path):
    path = make_video(tmp_path / 'clip.mkv', seconds=8, codec='mjpeg', pix_fmt='yuvj420p')
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = MediaFile(path)
    assert 0 < len(list(clip.frames())) < 150
    assert 'cut short: the header says 8.0 s' in clip.facts.notes[-1]


@pytest.mark.parametrize('content', [b'', b'hello', bytes(2000)])
def test_what_is_not_a_video_is_refused(tmp_path, content):
    (tmp_path / 'x.mp4').write_bytes(content)
    with pytest.raises(MediaError, match='not a video file'):
        MediaFile(tmp_path / 'x.mp4')


@pytest.mark.parametrize(
    ('name', 'told'),
    [
        *((name, 'cannot be read') for name in ('missing.mp4', 'http://127.0.0.1:9/x.mp4', 'concat:a|b')),
        *((name, 'is not a file') for name in ('.', '/dev/zero')),
    ],
)
def test_only_files_are_opened(tmp_path, monkeypatch, name, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MediaError, match=told):
        MediaFile(name)


@pytest.mark.parametrize('channels', [1, 2, 8, 9, 64])
def test_sound_of_any_number_of_channels_is_averaged(tmp_path, channels):
    path = tmp_path / 'sound.wav'
    with wave.open(str(path), 'wb') as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16000)
        ramp = np.arange(channels) * 100  # Each channel has another value.
        file.writeframes(np.tile(ramp, (16000, 1)).astype('<i2').tobytes())
    sound = sound_of(MediaFile(path))
    assert len(sound) == 16000
    np.testing.assert_allclose(sound[100:-100], ramp.mean() / 32768, atol=1e-6)


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('x.mp4', 'ffconcat version 1.0\nfile secret.mkv\n'),
        ('x.mp4', '#EXTM3U\n#EXTINF:1,\nsecret.mkv\n'),
        ('x.m3u8', '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mkv\n#EXT-X-ENDLIST\n'),
    ],
)
def test_a_playlist_opens_no_other_file(tmp_path, name, text):
    make_video(tmp_path / 'secret.mkv')
    (tmp_path / name).write_text(text)
    with pytest.raises(MediaError, match=r'not a video file|is of the format'):
        list(MediaFile(tmp_path / name).frames())


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'x.mp4')
    with pytest.raises(MediaError, match='not a file'):
        MediaFile(tmp_path / 'x.mp4')


def test_files_are_closed(tmp_path):
    make_video(tmp_path / 'x.mkv', seconds=0.2, sound=np.zeros((1, 16000), np.float32))
    (tmp_path / 'bad.mkv').write_bytes(b'x')
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter('always')
        clip = MediaFile(tmp_path / 'x.mkv')
        assert len(list(clip.frames()))
        assert len(next(clip.samples(8000)))  # The rest is not read.
        with pytest.raises(MediaError):
            MediaFile(tmp_path / 'bad.mkv')
    assert not [warning for warning in told if warning.category is ResourceWarning]

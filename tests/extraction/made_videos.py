"""Small videos that tests make by the library that reads them."""

from pathlib import Path

import numpy as np


def make_video(
    path: Path,
    *,
    seconds: float = 1.0,
    rate: int = 25,
    codec: str | None = 'mpeg4',
    pix_fmt: str = 'yuv420p',
    sound: np.ndarray | None = None,
    sound_rate: int = 16000,
    max_b_frames: int = 0,
    options: dict[str, str] | None = None,
    size: tuple[int, int] = (64, 48),
) -> Path:
    """Write a video whose i-th frame is a grey of 10 * i (modulo 240), left half; the right half is black.

    Args:
        path: File; its suffix chooses the container.
        seconds: Length.
        rate: Frames per second.
        pix_fmt: How the codec stores colours.
        codec: Of the frames, or ``None`` for no video.
        sound: (channels, n) of float32, or ``None`` for no sound.
        sound_rate: Samples per second.
        max_b_frames: Frames between two others that are coded by both.
        options: Of the codec of the frames, such as ``dict(g='12')`` for a keyframe every 12 frames.
        size: Width and height.
    """
    import av

    with av.open(str(path), 'w') as file:
        video = None
        if codec is not None:
            video = file.add_stream(
                codec, rate=rate, width=size[0], height=size[1], pix_fmt=pix_fmt, options=options or {}
            )
            video.codec_context.max_b_frames = max_b_frames
        audio = None
        if sound is not None:
            audio = file.add_stream('pcm_s16le', rate=sound_rate, layout='stereo' if len(sound) == 2 else 'mono')
        for i in range(round(seconds * rate) if video is not None else 0):
            picture = np.zeros((size[1], size[0], 3), np.uint8)
            picture[:, : size[0] // 2] = 10 * i % 240
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        if video is not None:
            file.mux(video.encode())
        if audio is not None:
            samples = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples.T.reshape(1, -1)), format='s16', layout=audio.layout.name
            )
            frame.sample_rate = sound_rate
            file.mux(audio.encode(frame))
            file.mux(audio.encode())
    return path

"""What the shapes of some clips reveal: the width of the features, swapped axes, and how long the clips are."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from avzoo.importers.array_features import ArrayFeatures
from avzoo.protocol import AUDIO, MODALITIES, VISUAL
from avzoo.utils.bad_items import list_items
from avzoo.utils.errors import DataError

_LOGGER = logging.getLogger(__name__)
_SAMPLE = 200
_WIDTHS = (
    128,
    256,
    384,
    512,
    640,
    768,
    1024,
    1280,
    1408,
    1536,
    1792,
    2048,
    2304,
    4096,
)  # Of networks that people take features from.
_FAR = 1.25  # Ratio of durations from which sound and picture do not fit together.
Shapes = Mapping[str, Sequence[tuple[int, int]]]  # modality -> (steps, width) of clips


def sample_shapes(source: ArrayFeatures, videos: Sequence[str]) -> Shapes:
    """Return the shapes of up to 200 of the videos, those that can be read and have steps.

    Raises:
        DataError: Some modality has no such video.
    """
    shapes: dict[str, list[tuple[int, int]]] = {key: [] for key in source.modalities}
    bad: dict[str, str] = {}
    for video in videos[:: -(-len(videos) // _SAMPLE)]:
        try:
            arrays = source.read(video)
        except DataError as error:
            bad[video] = str(error)
            continue
        for key, array in arrays.items():
            if len(array):
                shapes[key].append((array.shape[0], array.shape[1]))
            else:
                bad[video] = f'no steps in its {key} features'
    for key, found in shapes.items():
        if not found:
            raise DataError(f'{source.path}: no clip has {key} features that can be used:', details=list_items(bad))
    return shapes


def usual_width(shapes: Sequence[tuple[int, int]]) -> int:
    """Return the width that most clips have."""
    return Counter(width for _, width in shapes).most_common(1)[0][0]


def check_axes(path: Path, shapes: Shapes) -> None:
    """Refuse features that look like (width, steps).

    Raises:
        DataError: The first axis is the same in nearly all clips, and the second varies, or the first is the width of
            a common network and the second is not. It warns if all clips alike have more steps than features.
    """
    for key, found in shapes.items():
        (first, same), *_ = Counter(steps for steps, _ in found).most_common(1)
        (second, alike), *_ = Counter(width for _, width in found).most_common(1)
        varies = first > 1 and alike <= (0.8 if len(found) >= 10 else 0.5) * len(found)
        if same > 0.9 * len(found) and (varies or (first in _WIDTHS and second not in _WIDTHS)):
            low, high = min(width for _, width in found), max(width for _, width in found)
            raise DataError(
                f'{path}: the {key} features of a clip look like (width, steps): its first axis is {first}, its second '
                f'{low if low == high else f"{low} to {high}"}; (steps, width) is needed. Swap them with --transpose '
                f'{key}. If they are (steps, width), confirm with --transpose none.'
            )
        if same == len(found) > 1 and first > second:
            _LOGGER.warning(
                'Each clip has %d steps of %d %s features. If they are (width, steps), swap them with --transpose %s; '
                'if not, confirm with --transpose none.',
                *(first, second, key, key),
            )


def warn_of_durations(shapes: Shapes, seconds: Mapping[str, float]) -> None:
    """Warn if sound and picture of the median clip last differently: then the seconds per step must be wrong."""
    if not all(shapes.get(key) for key in MODALITIES):
        return
    steps = {key: median(steps for steps, _ in shapes[key]) for key in MODALITIES}
    lengths = {key: steps[key] * seconds[key] for key in MODALITIES}
    longest, shortest = max(lengths.values()), min(lengths.values())
    # Clips end within a step: of short ones, up to a step of difference says nothing.
    if max(steps.values()) > 1 and longest > _FAR * shortest and longest - shortest > max(seconds.values()):
        _LOGGER.warning(
            'The median clip has %g s of sound (%g steps of %g s) and %g s of picture (%g steps of %g s). A model '
            'compares them by time: set the seconds per step with --seconds-audio and --seconds-visual.',
            *(lengths[AUDIO], steps[AUDIO], seconds[AUDIO], lengths[VISUAL], steps[VISUAL], seconds[VISUAL]),
        )

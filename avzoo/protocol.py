"""The names of the benchmark, each written once: modalities, shots, splits, metrics (AV-DIFF, sec. 3.2, 4.1, 5.1)."""

import re
from collections.abc import Mapping
from typing import Final, Literal, get_args

AUDIO: Final = 'audio'
VISUAL: Final = 'visual'
MODALITIES: Final = (AUDIO, VISUAL)
# Of the benchmark's features: VGGish for audio, C3D for the pictures
SECONDS_PER_STEP: Final[Mapping[str, float]] = {AUDIO: 0.96, VISUAL: 0.64}
# Length of the clip for which multiply-adds are counted
CLIP_SECONDS: Final = 10.0

# The benchmark's K of K-shot, and how often the novel shots of each are drawn.
SHOTS: Final = (1, 5, 10, 20)
NUM_DRAWS: Final = 3

# The headline numbers of a table, and all that an evaluation gives
TABLE_METRICS: Final = ('B', 'N', 'HM', 'FSL')
METRIC_NAMES: Final = (*TABLE_METRICS, 'AUSUC')

Subset = Literal['base', 'novel', 'all']
EvaluationName = Literal['val', 'test']


def base_split(stage: int) -> str:
    """Return the training split of the base classes of a stage.

    Raises:
        ValueError: If the stage is neither 1 nor 2.
    """
    if stage not in (1, 2):
        raise ValueError(f'stage={stage!r}: the stages are 1 and 2')
    return f'stage{stage}_base'


def train_splits(stage: int, draw: int | None = None) -> tuple[str, str]:
    """Return the training splits of a stage: of its base classes, and of its novel classes.

    Args:
        stage: 1 (choose epochs and calibration) or 2 (train anew, then test).
        draw: Which draw of the novel shots; stage 1 has one only.

    Raises:
        ValueError: If the stage is neither 1 nor 2, or stage 2 is given no draw.
    """
    return base_split(stage), 'stage1_novel' if stage == 1 else f'stage2_novel_{_number(draw)}'


def evaluation_splits(evaluation: EvaluationName, draw: int | None = None) -> tuple[str, str]:
    """Return the splits, base and novel, of the validation of stage 1 or of the test of stage 2.

    Args:
        evaluation: ``val`` or ``test``.
        draw: The test's draw of the novel shots.

    Raises:
        ValueError: If the evaluation is neither, or the test is given no draw.
    """
    if evaluation not in get_args(EvaluationName):
        raise ValueError(f'evaluation={evaluation!r}: choose val or test')
    return ('val_base', 'val_novel') if evaluation == 'val' else ('test_base', f'test_novel_{_number(draw)}')


def stage_of(split: str) -> int:
    """Return the stage, 1 or 2, that a split belongs to.

    Raises:
        ValueError: If no split of the protocol has such a name.
    """
    if split in (*train_splits(1), *evaluation_splits('val')):
        return 1
    if split in (base_split(2), 'test_base') or re.fullmatch(r'(stage2|test)_novel_\d+', split):
        return 2
    raise ValueError(f'{split!r} is not a split of the protocol; its splits are {", ".join(split_names())}')


def split_names(num_draws: int = NUM_DRAWS) -> list[str]:
    """Return the names of all splits of a K-shot protocol with ``num_draws`` draws of the novel shots."""
    draws = range(num_draws)
    return [
        *train_splits(1),
        *evaluation_splits('val'),
        base_split(2),
        *(train_splits(2, draw)[1] for draw in draws),
        'test_base',
        *(evaluation_splits('test', draw)[1] for draw in draws),
    ]


def _number(draw: int | None) -> int:
    if draw is None:
        raise ValueError('draw=None: the novel splits of stage 2 need a draw, counted from 0')
    return draw

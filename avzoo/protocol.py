"""The names of the benchmark, each written once: modalities, splits and metrics (AV-DIFF, sec. 3.2, 4.1 and 5.1)."""

from collections.abc import Mapping
from typing import Final, Literal

AUDIO: Final = 'audio'
VISUAL: Final = 'visual'
MODALITIES: Final = (AUDIO, VISUAL)
# Of the benchmark's features: VGGish for audio, C3D for the pictures
SECONDS_PER_STEP: Final[Mapping[str, float]] = {AUDIO: 0.96, VISUAL: 0.64}
# Length of the clip for which multiply-adds are counted
CLIP_SECONDS: Final = 10.0

# The headline numbers of a table, and all that an evaluation gives
TABLE_METRICS: Final = ('B', 'N', 'HM', 'FSL')
METRICS: Final = (*TABLE_METRICS, 'AUSUC')

Subset = Literal['base', 'novel', 'all']


def base_split(stage: int) -> str:
    """Return the training split of the base classes of a stage."""
    return f'stage{stage}_base'


def train_splits(stage: int, draw: int | None = None) -> tuple[str, str]:
    """Return the training splits of a stage: of its base classes, and of its novel classes.

    Args:
        stage: 1 (choose epochs and calibration) or 2 (train anew, then test).
        draw: Which draw of the novel shots; stage 1 has one only.
    """
    return base_split(stage), 'stage1_novel' if stage == 1 else f'stage2_novel_{draw}'


def evaluation_splits(evaluation: str, draw: int | Literal['*'] | None = None) -> tuple[str, str]:
    """Return the splits, base and novel, of the validation of stage 1 or of the test of stage 2.

    Args:
        evaluation: ``val`` or ``test``.
        draw: The test's draw of the novel shots, or ``*`` for a pattern that fits all.
    """
    return ('val_base', 'val_novel') if evaluation == 'val' else ('test_base', f'test_novel_{draw}')


def stage_of(split: str) -> int:
    """Return the stage, 1 or 2, that a split belongs to."""
    return 1 if split.startswith(('stage1_', 'val_')) else 2


def split_names(num_draws: int = 3) -> list[str]:
    """Return the names of all splits of a K-shot protocol with ``num_draws`` draws of the novel shots."""
    (test_base, _), draws = evaluation_splits('test'), range(num_draws)
    return [
        *train_splits(1),
        *evaluation_splits('val'),
        base_split(2),
        *(train_splits(2, draw)[1] for draw in draws),
        test_base,
        *(evaluation_splits('test', draw)[1] for draw in draws),
    ]

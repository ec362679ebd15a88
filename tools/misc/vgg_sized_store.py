"""A store the size of VGGSound-FSL with random features: for timing, not for accuracy."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from avzoo.datasets.feature_store_writer import FeatureStoreWriter
from avzoo.datasets.splits import ZeroShotLists, draw_splits
from avzoo.protocol import AUDIO, NUM_DRAWS, SECONDS_PER_STEP, VISUAL
from avzoo.utils.progress import progress_of

# Number of classes, and videos per class and list, which match the sets of the paper within 1% (AV-DIFF, Table 1).
_GROUPS = (
    (138, dict(stage_1_train=510, stage_1_val_seen=57, stage_2_test_seen=44)),
    (69, dict(stage_1_val_unseen=45, stage_2_test_seen=44)),
    (64, dict(stage_2_test_unseen=50)),
)
_DIMS = {AUDIO: 128, VISUAL: 4096}
_TEXT_DIM, _SHOTS, _SECONDS, _FEWEST = 300, 5, 10.0, 6


def write_vgg_sized_store(out: Path, *, share: float = 1.0, seed: int = 0) -> Path:
    """Write the store in float16, 11 GB with ``share=1``, unless it exists; return its path.

    Args:
        out: Folder of the store.
        share: Fraction of the videos of each class; each list has at least 6, one more than the shots.
        seed: Seed of the random numbers.
    """
    if out.exists():
        return out
    rng = np.random.default_rng(seed)
    steps = {m: int(_SECONDS / SECONDS_PER_STEP[m]) for m in _DIMS}  # Complete steps only.
    # Videos are pieces of one long sequence: drawing every number of the store would take minutes.
    sequences = {m: rng.random((1000 + steps[m], dim), np.float32).astype(np.float16) for m, dim in _DIMS.items()}
    classes = [f'class {number:03}' for number in range(sum(count for count, _ in _GROUPS))]
    videos = list(_videos(classes, share))
    lists: dict[str, dict[str, list[str]]] = {}
    modalities = {m: dict(dim=dim, seconds_per_step=SECONDS_PER_STEP[m]) for m, dim in _DIMS.items()}
    writer = FeatureStoreWriter(
        out, name='vgg_sized', modalities=modalities, classes=classes, dtype='float16', source='random numbers'
    )
    with writer, progress_of('videos') as report:
        for done, (video, name, list_name) in enumerate(videos, 1):
            starts = {m: rng.integers(1000) for m in _DIMS}
            writer.add(video, name, {m: sequences[m][starts[m] : starts[m] + steps[m]] for m in _DIMS})
            lists.setdefault(list_name, {}).setdefault(name, []).append(video)
            report(done, len(videos))
        writer.write_class_embeddings('word2vec', rng.normal(size=(len(classes), _TEXT_DIM)))
        writer.write_splits(_SHOTS, draw_splits(ZeroShotLists(out, lists), _SHOTS, NUM_DRAWS, seed))
        writer.finish()
    return out


def _videos(classes: list[str], share: float) -> Iterator[tuple[str, str, str]]:
    """Yield id, class and list of each video."""
    left = iter(classes)
    for count, counts in _GROUPS:
        for name in (next(left) for _ in range(count)):
            for list_name, number in counts.items():
                for i in range(max(_FEWEST, round(share * number))):
                    yield f'{name} {list_name} {i:03}'.replace(' ', '_'), name, list_name

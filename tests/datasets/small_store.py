"""A store of seven videos, for the tests of this folder."""

import numpy as np

from avzoo.datasets.feature_store_writer import FeatureStoreWriter

MODALITIES = {'audio': dict(dim=3, seconds_per_step=0.96), 'visual': dict(dim=5, seconds_per_step=0.64)}
CLASSES = ['barking, loud', 'Ärger', 'tap']
LABELS = {f'video, {i}': CLASSES[i % 3] for i in range(7)}


def make_videos(num=7, seed=0):
    rng = np.random.default_rng(seed)
    return {
        f'video, {i}': {
            key: rng.standard_normal((int(rng.integers(1, 6)), entry['dim'])).astype(np.float32)
            for key, entry in MODALITIES.items()
        }
        for i in range(num)
    }


def write(out, videos=None, **kwargs):
    videos = make_videos() if videos is None else videos
    with FeatureStoreWriter(out, name='small', modalities=MODALITIES, classes=CLASSES, **kwargs) as writer:
        for i, (video, arrays) in enumerate(videos.items()):
            writer.add(video, CLASSES[i % 3], arrays)
        writer.write_class_embeddings('word2vec', np.eye(3, 4))
        writer.write_splits(5, {'stage1_base': list(videos)[::-1], 'val_base': list(videos)[:2]})
        writer.finish()
    return videos

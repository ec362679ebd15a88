"""A table of labels and one file of features become a store by two commands."""

import csv
import importlib.util

import numpy as np
import pytest

from avzoo.datasets.feature_store import FeatureStore
from avzoo.utils.cli import run_tool
from tests.conftest import REPO


def run(tool, *args):
    spec = importlib.util.spec_from_file_location(tool, REPO / 'tools/dataset_converters' / f'{tool}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return run_tool(module.main, list(map(str, args)))


@pytest.mark.parametrize('suffix', ['', '.mp4'])
def test_a_table_and_one_h5_become_a_store_with_splits(tmp_path, suffix):
    h5py = pytest.importorskip('h5py')
    rng = np.random.default_rng(0)
    labels = {f'{c}_{i}': f'class {c}' for c in 'abcdef' for i in range(8)}
    with open(tmp_path / 'clips.csv', 'w', newline='') as file:
        csv.writer(file).writerows([('video', 'label'), *((v + suffix, label) for v, label in labels.items())])
    with h5py.File(tmp_path / 'features.h5', 'w') as file:
        for video in labels:
            file[f'audio/{video}'] = rng.random((4, 6))
            file[f'visual/{video}'] = rng.random((6, 8))
    assert run('splits', tmp_path / 'clips.csv', tmp_path / 'lists', '--novel', 1, 2, '--shots', 1, 5) == 0
    options = ['--match', 'stem'] if suffix else []
    given = ['--features', tmp_path / 'features.h5', '--lists', tmp_path / 'lists', '--shots', 1, 5, *options]
    assert run('features', tmp_path / 'store', *given) == 0
    store = FeatureStore(tmp_path / 'store', verify=True)
    assert store.shots() == [1, 5] and len(store) == len(labels)
    assert {v: store.class_names[i] for v, i in zip(store.video_ids, store.labels, strict=True)} == {
        v + suffix: label for v, label in labels.items()
    }
    assert len(store.split(5, 'stage2_novel_0')) == 10


def test_the_table_of_an_extraction_is_read_by_the_ids_of_its_clips(tmp_path):
    rows = [(f'{c}_{i}', c, f'videos/{c}.mp4') for c in 'abc' for i in range(8)]
    with open(tmp_path / 'clips.csv', 'w', newline='') as file:
        csv.writer(file).writerows([('video', 'label', 'filename'), *rows])
    assert run('splits', tmp_path / 'clips.csv', tmp_path / 'lists', '--novel', 1, 1, '--shots', 1) == 0
    with open(tmp_path / 'lists/stage_1_train.csv') as file:
        assert {row['filename'] for row in csv.DictReader(file)} < {video for video, _, _ in rows}

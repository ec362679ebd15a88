"""A table of labels and one file of features become a store by two commands."""

import csv
import importlib.util
import shlex
from pathlib import Path

import numpy as np
import pytest

from avzoo.datasets.feature_store import FeatureStore
from avzoo.utils.cli import run_tool
from tests.conftest import REPO
from tests.forked import run_tool_file


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


def test_the_three_commands_of_the_page_end_in_a_table_of_results(tmp_path):
    h5py = pytest.importorskip('h5py')
    page = (REPO / 'docs/data_preparation.md').read_text(encoding='utf-8')
    block = page[page.index('From a table and a file to the table of results') :].split('```')[1]
    commands = [shlex.split(line) for line in block.splitlines() if line.startswith('python ')]
    assert [Path(command[1]).name for command in commands] == ['splits.py', 'features.py', 'train.py']
    rng = np.random.default_rng(0)
    classes = [f'class {c}' for c in range(24)]
    rows = [(f'{label[6:]}_{i}', label) for label in classes for i in range(8)]
    with open(tmp_path / 'clips.csv', 'w', newline='') as file:
        csv.writer(file).writerows([('video', 'label'), *rows])
    with h5py.File(tmp_path / 'features.h5', 'w') as file:
        for video, label in rows:
            file[f'audio/{video}'] = rng.normal(classes.index(label), 1, (2, 6))
            file[f'visual/{video}'] = rng.normal(-classes.index(label), 1, (3, 8))
    quick = ['curriculum.choices=[]', 'curriculum.num_draws=1', 'curriculum.references=[]']
    quick += ["model.head.heads=[{'type':'LogisticHead','max_steps':20}]"]
    for _, tool, *arguments in commands:
        options = quick if tool.endswith('train.py') else []
        code, out, err = run_tool_file(REPO / tool, *arguments, *options, cwd=linked(tmp_path))
        assert code == 0, err
    assert 'AV-Gauss (no generator) / mean' in out
    assert (tmp_path / 'work_dirs/avgauss-nogen_custom_5shot/results.json').is_file()


def linked(folder):
    """Return a folder in which the configs are found as in a checkout."""
    if not (folder / 'configs').exists():
        (folder / 'configs').symlink_to(REPO / 'configs')
    return folder

"""Lists and features as people have them, made small."""

import csv
import importlib.util

import numpy as np

from avzoo.utils.cli import run_tool
from tests.conftest import REPO

LISTS = {
    'stage_1_train': 'ab',
    'stage_1_val_seen': 'ab',
    'stage_1_val_unseen': 'c',
    'stage_2_test_seen': 'abc',
    'stage_2_test_unseen': 'd',
}
WIDTHS = {'audio': 6, 'visual': 8}


def video_ids(per_class=3):
    """Return {video id: class}."""
    return {f'{name}_{c}{i}': c for name, classes in LISTS.items() for c in classes for i in range(per_class)}


def write_lists(folder, rename=str):
    """Write five lists of four classes with three videos each; ``rename`` changes the ids in them."""
    (folder / 'lists').mkdir(parents=True, exist_ok=True)
    for name in LISTS:
        rows = [(rename(v), c) for v, c in video_ids().items() if v.rpartition('_')[0] == name]
        with open(folder / 'lists' / f'{name}.csv', 'w', newline='') as file:
            csv.writer(file).writerows([('filename', 'label'), *rows])
    return folder / 'lists'


def clips(steps=lambda key, i: 3, widths=None):
    """Return {modality: {video id: (T, D)}}; ``steps`` gives T of the i-th clip."""
    rng = np.random.default_rng(0)
    return {
        key: {v: rng.random((steps(key, i), dim), np.float32) for i, v in enumerate(video_ids())}
        for key, dim in (widths or WIDTHS).items()
    }


def write_folder(folder, values):
    """Write a file for each video and modality."""
    for key, arrays in values.items():
        for video, array in arrays.items():
            path = folder / key / f'{video}.npy'
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array)
    return folder


def run_features(folder, *options, features='F'):
    """Run the converter in this process; returns its exit code."""
    spec = importlib.util.spec_from_file_location('features_tool', REPO / 'tools/dataset_converters/features.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    given = [folder / 'out', '--features', folder / features, '--lists', folder / 'lists', '--shots', 1, *options]
    return run_tool(tool.main, list(map(str, given)))

"""One table becomes the five zero-shot lists."""

import csv
import itertools
import re

import numpy as np
import pytest

from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.splits import LIST_NAMES, draw_splits, read_zero_shot_lists
from avzoo.importers.class_split import Roles, divide_videos, draw_roles, name_roles, write_lists
from avzoo.importers.class_table import ClassTable, read_class_table
from avzoo.utils.cli import run_tool
from avzoo.utils.errors import DataError
from tests.importers.load_tool import load_tool

BASE, NOVEL_1, NOVEL_2 = ['a', 'b', 'c'], ['d', 'e'], ['f']


def table(tmp_path, sizes=None, group_size=0):
    sizes = dict.fromkeys('abcdef', 30) | (sizes or {})
    labels = {f'{label}{i}': label for label, size in sizes.items() for i in range(size)}
    groups = {video: f'{video[0]}-{int(video[1:]) // group_size}' for video in labels} if group_size else {}
    return ClassTable(tmp_path / 't.csv', labels, groups)


def test_a_tenth_of_each_known_class_is_held_out(tmp_path):
    lists = divide_videos(table(tmp_path), Roles(BASE, NOVEL_1, NOVEL_2), shots=5)
    sizes = {name: {label: len(ids) for label, ids in classes.items()} for name, classes in lists.videos.items()}
    assert sizes == {
        'stage_1_train': dict.fromkeys('abc', 24),
        'stage_1_val_seen': dict.fromkeys('abc', 3),
        'stage_1_val_unseen': dict.fromkeys('de', 27),
        'stage_2_test_seen': dict.fromkeys('abcde', 3),
        'stage_2_test_unseen': {'f': 30},
    }
    assert len(set(lists.ids(*LIST_NAMES))) == 6 * 30


def test_lists_are_read_back_as_they_were_made(tmp_path):
    lists = divide_videos(table(tmp_path, group_size=2), Roles(BASE, NOVEL_1, NOVEL_2), shots=5)
    write_lists(tmp_path, lists)
    again = read_zero_shot_lists(tmp_path)
    assert again.videos == lists.videos and again.groups == lists.groups and not again.missing


@pytest.mark.parametrize('group_size', [2, 4, 7])
def test_videos_of_one_group_stay_in_one_list(tmp_path, group_size, caplog):
    write_lists(tmp_path, divide_videos(table(tmp_path, group_size=group_size), Roles(BASE, NOVEL_1, NOVEL_2), shots=5))
    lists = read_zero_shot_lists(tmp_path)
    assert not caplog.records  # Divided groups are warned of.
    assert all(ids for classes in lists.videos.values() for ids in classes.values())
    assert draw_splits(lists, 5)['test_novel_0']


def test_a_large_group_leaves_videos_for_every_list(tmp_path):
    labels = {f'a{i}': 'a' for i in range(20)} | {f'{label}{i}': label for label in 'df' for i in range(9)}
    groups = {f'a{i}': 'large' for i in range(18)}
    lists = divide_videos(ClassTable(tmp_path, labels, groups), Roles(['a'], ['d'], ['f']))
    assert [len(lists.videos[name]['a']) for name in ('stage_1_train', 'stage_1_val_seen', 'stage_2_test_seen')] == [
        18,
        1,
        1,
    ]


def test_drawn_classes_depend_on_the_seed_alone(tmp_path):
    drawn = draw_roles(table(tmp_path), 2, 1)
    assert [len(role) for role in drawn] == [3, 2, 1] and sorted(itertools.chain(*drawn)) == list('abcdef')
    shuffled = ClassTable(tmp_path, dict(reversed(table(tmp_path).labels.items())))
    assert draw_roles(shuffled, 2, 1) == drawn
    assert len({str(draw_roles(table(tmp_path), 2, 1, seed=seed)) for seed in range(8)}) > 1


def test_the_cut_of_a_class_does_not_depend_on_other_classes(tmp_path):
    one = divide_videos(table(tmp_path), Roles(BASE, NOVEL_1, NOVEL_2))
    other = divide_videos(table(tmp_path, {'g': 40}), Roles(['a', 'g'], ['b'], ['c']))
    assert one.videos['stage_1_train']['a'] == other.videos['stage_1_train']['a']
    assert one.videos != divide_videos(table(tmp_path), Roles(BASE, NOVEL_1, NOVEL_2), seed=1).videos


def test_classes_kept_as_base_are_never_drawn(tmp_path):
    for seed in range(8):
        assert {'a', 'f'} <= set(draw_roles(table(tmp_path), 2, 1, base=['a', 'f'], seed=seed).base)


def test_named_classes_leave_the_others_as_base(tmp_path):
    assert name_roles(table(tmp_path), NOVEL_1, NOVEL_2) == Roles(BASE, NOVEL_1, NOVEL_2)
    assert name_roles(table(tmp_path), NOVEL_1, NOVEL_2, ['a']).base == ['a']


@pytest.mark.parametrize('counts', [(0, 1), (1, 0), (3, 3), (4, 9)])
def test_numbers_that_leave_no_base_class_or_no_novel_one_are_refused(tmp_path, counts):
    with pytest.raises(DataError, match='has 6 classes'):
        draw_roles(table(tmp_path), *counts)


@pytest.mark.parametrize(
    ('novel_1', 'novel_2', 'base', 'words'),
    [
        (['d', 'D'], ['f'], None, "no class 'D'"),
        (['d'], ['d'], None, "'d' is named twice"),
        (['d'], ['f'], ['d'], "'d' is named twice"),
        (['d'], [], None, '0 new in stage 2'),
        (list('abcde'), ['f'], None, '0 base classes'),
    ],
)
def test_names_that_do_not_divide_the_table_are_refused(tmp_path, novel_1, novel_2, base, words):
    with pytest.raises(DataError, match=words):
        name_roles(table(tmp_path), novel_1, novel_2, base)


def test_all_classes_that_are_too_small_are_named_the_smallest_first(tmp_path):
    sizes = {'a': 2, 'd': 6, 'f': 5, 'e': 7, 'b': 3}
    words = "'a' has 2 videos and needs 3; 'f' has 5 videos and needs 6; 'd' has 6 videos and needs 7. Lower --shots"
    with pytest.raises(DataError, match=f't.csv: too few videos for 5 shots: class {words}'):
        divide_videos(table(tmp_path, sizes), Roles(BASE, NOVEL_1, NOVEL_2), shots=5)


@pytest.mark.parametrize('shots', [1, 5, 9])
def test_the_least_number_of_videos_is_enough(tmp_path, shots):
    sizes = dict.fromkeys('abc', 3) | dict.fromkeys('de', shots + 2) | {'f': shots + 1}
    lists = divide_videos(table(tmp_path, sizes), Roles(BASE, NOVEL_1, NOVEL_2), shots=shots)
    splits = draw_splits(lists, shots)
    assert len(splits['val_novel']) == 2 and len(splits['test_novel_2']) == 1


def test_classes_with_too_few_groups_are_named(tmp_path):
    with pytest.raises(DataError, match="'a' has 2 groups and needs 3"):
        divide_videos(table(tmp_path, group_size=15), Roles(BASE, NOVEL_1, NOVEL_2))


@pytest.fixture
def table_file(tmp_path):
    with open(tmp_path / 't.csv', 'w', newline='') as file:
        rows = [(f'{label}{i}', f'{label}, x') for label in 'abcdef' for i in range(12)]
        csv.writer(file).writerows([('video', 'label'), *rows])
    return tmp_path / 't.csv'


def splits(*args):
    return run_tool(load_tool('splits').main, [str(arg) for arg in args])


@pytest.mark.parametrize('how', ['numbers', 'names', 'files'])
def test_the_tool_turns_a_table_into_lists_and_splits(tmp_path, table_file, capsys, how):
    (tmp_path / 'one.txt').write_text('d, x\ne, x\n')
    (tmp_path / 'two.txt').write_text('f, x\n')
    novel = dict(
        numbers=['--novel', 2, 1],
        names=['--novel', 'd, x', 'e, x', '--novel', 'f, x'],
        files=['--novel', tmp_path / 'one.txt', '--novel', tmp_path / 'two.txt'],
    )[how]
    assert splits(table_file, tmp_path / 'out', *novel, '--shots', 1, 5) == 0
    assert '3 base classes' in capsys.readouterr().out
    lists = read_zero_shot_lists(tmp_path / 'out')
    assert len(lists.labels) == 72 and len(lists.videos['stage_2_test_unseen']) == 1
    drawn = (tmp_path / 'out' / '5shot' / 'test_novel_0.txt').read_text().split()
    assert sorted(drawn) == sorted(draw_splits(lists, 5)['test_novel_0'])


@pytest.mark.parametrize(
    'args', [['--novel', '2'], ['--novel', 'd, x'], ['--novel', '2', '1', '3'], ['--novel', '2', '1', '--novel', '3']]
)
def test_the_tool_says_how_to_name_novel_classes(tmp_path, table_file, capsys, args):
    assert splits(table_file, tmp_path / 'out', *args) == 2
    assert re.search("--novel .*: give two numbers|no class '2'", capsys.readouterr().err)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('base', [['-a', 'b'], ['=-a', '=b']])
def test_classes_whose_names_begin_with_a_dash_are_named_in_a_file_or_joined(tmp_path, capsys, base):
    rows = [f'{i}{label},{label}' for label in ('-a', 'b', '-c', '-d', 'e') for i in range(12)]
    (tmp_path / 't.csv').write_text('\n'.join(['filepath,activity', *rows]))
    (tmp_path / 'one.txt').write_text('-c\n-d\n')
    (tmp_path / 'base.txt').write_text('\n'.join(base))
    given = ['--base', tmp_path / 'base.txt'] if base[0] == '-a' else [f'--base{name}' for name in base]
    assert (
        splits(
            tmp_path / 't.csv', tmp_path / 'out', '--novel', tmp_path / 'one.txt', '--novel', 'e', '--shots', 1, *given
        )
        == 0
    )
    lists = read_zero_shot_lists(tmp_path / 'out')
    assert set(lists.videos['stage_1_train']) == {'-a', 'b'} and set(lists.videos['stage_1_val_unseen']) == {'-c', '-d'}
    with pytest.raises(SystemExit):
        splits(tmp_path / 't.csv', tmp_path / 'out', '--novel', '-c')
    assert '--novel=-A' in capsys.readouterr().err


@pytest.mark.parametrize('as_store', [False, True])
def test_lists_of_a_table_and_features_become_a_store(tmp_path, table_file, as_store):
    videos = list(read_class_table(table_file).labels)
    np.savez(tmp_path / 'f.npz', video_id=np.array(videos), audio=np.ones((72, 3)), visual=np.ones((72, 4)))
    np.save(tmp_path / 'e.npy', np.eye(6))
    assert splits(table_file, tmp_path / 'lists', '--novel', 2, 1, '--shots', 1) == 0
    args = ['--features', tmp_path / 'f.npz', '--lists', tmp_path / 'lists', '--class-embeddings', tmp_path / 'e.npy']
    assert run_tool(load_tool('features').main, [str(a) for a in [tmp_path / 'store', *args, '--shots', 1]]) == 0
    if as_store:  # The splits of the same table are added to the store.
        assert splits(table_file, tmp_path / 'store', '--novel', 2, 1, '--shots', 1, 5) == 0
    store = FeatureStore(tmp_path / 'store', verify=True)
    assert len(store) == 72 and store.shots() == ([1, 5] if as_store else [1])
    drawn = (tmp_path / 'lists/1shot/test_novel_0.txt').read_text().split()
    assert store.video_ids[store.split(1, 'test_novel_0')].tolist() == drawn

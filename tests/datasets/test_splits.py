"""How k-shot splits are cut from zero-shot lists."""

import csv

import numpy as np
import pytest

from avzoo.datasets.shots import draw_shots
from avzoo.datasets.splits import draw_splits, format_table, read_zero_shot_lists
from avzoo.protocol import split_names
from avzoo.utils.errors import DataError

# AV-DIFF, Table 1, 5 shots.
TABLE_1 = {
    'UCF': '3174 60 353 1407 4994 30 555 815',
    'ActivityNet': '9204 255 1023 4052 14534 240 1615 3812',
    'VGGSound': '- 345 7817 2757 - 320 9032 2880',  # the list of stage-1 training is too large to pass on
}
ROLES = {
    'stage_1_train': 'base',
    'stage_1_val_seen': 'base',
    'stage_1_val_unseen': 'novel1',
    'stage_2_test_seen': 'base',
    'stage_2_test_unseen': 'novel2',
}


def write_lists(folder, videos_per_class=8, reverse=False):
    folder.mkdir()
    for name, role in ROLES.items():
        rows = [(f'{name}_{c}_{i}', f'{role}, {c}') for c in range(2) for i in range(videos_per_class)]
        with open(folder / f'{name}.csv', 'w', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(['filename', 'code', 'label'])
            writer.writerows((video, 0, label) for video, label in (rows[::-1] if reverse else rows))
    return folder


@pytest.fixture
def lists(tmp_path):
    return read_zero_shot_lists(write_lists(tmp_path / 'lists'))


@pytest.mark.parametrize('dataset', TABLE_1)
def test_the_lists_of_the_paper_give_its_table_1(shared_dir, dataset):
    lists = read_zero_shot_lists(shared_dir / 'data' / 'gzsl_lists' / dataset)
    sizes = {name: len(ids) for name, ids in draw_splits(lists, 5).items()}
    assert format_table({5: sizes}).split('\n')[2].split()[1:] == TABLE_1[dataset].split()


def test_all_splits_of_the_protocol_are_made(lists):
    assert sorted(draw_splits(lists, 3, draws=2)) == sorted(split_names(2))


def test_every_novel_class_gives_k_videos_to_training_and_the_rest_to_evaluation(lists):
    splits = draw_splits(lists, 3)
    for shots, rest, source in [
        ('stage1_novel', 'val_novel', 'stage_1_val_unseen'),
        *((f'stage2_novel_{d}', f'test_novel_{d}', 'stage_2_test_unseen') for d in range(3)),
    ]:
        assert len(splits[shots]) == 6 and len(splits[rest]) == 10
        assert sorted(splits[shots] + splits[rest]) == sorted(lists.ids(source))
        assert [sum(video.startswith(f'{source}_{c}_') for video in splits[shots]) for c in range(2)] == [3, 3]


def test_base_training_of_stage_2_is_everything_of_stage_1(lists):
    splits = draw_splits(lists, 3)
    parts = ('stage1_base', 'val_base', 'stage1_novel', 'val_novel')
    assert sorted(splits['stage2_base']) == sorted(video for part in parts for video in splits[part])


def test_what_is_evaluated_on_is_never_trained_on(lists):
    splits = draw_splits(lists, 3)
    assert not set(splits['stage1_base'] + splits['stage1_novel']) & set(splits['val_base'] + splits['val_novel'])
    for draw in range(3):
        training = set(splits['stage2_base'] + splits[f'stage2_novel_{draw}'])
        assert not training & set(splits['test_base'] + splits[f'test_novel_{draw}'])


def test_draws_differ_and_depend_on_the_seed_alone(lists, tmp_path):
    splits = draw_splits(lists, 3)
    assert len({tuple(splits[f'stage2_novel_{d}']) for d in range(3)}) == 3
    assert draw_splits(lists, 3) == splits != draw_splits(lists, 3, seed=1)
    assert draw_splits(lists, 3, draws=1)['stage2_novel_0'] == splits['stage2_novel_0']
    assert draw_splits(read_zero_shot_lists(write_lists(tmp_path / 'reversed', reverse=True)), 3) == splits


def test_the_drawn_videos_stay_the_same_for_ever(lists):
    # Published splits must be drawn alike by every version: change this only with a new major version.
    assert draw_splits(lists, 1)['stage2_novel_0'] == ['stage_2_test_unseen_0_0', 'stage_2_test_unseen_1_5']


@pytest.mark.parametrize('shots', [8, 9])
def test_a_class_with_too_few_videos_is_named_with_its_counts(lists, shots):
    with pytest.raises(DataError, match=rf"class 'novel1, 0' has 8 videos; {shots} shots need at least {shots + 1}"):
        draw_splits(lists, shots)


def grouped(tmp_path, size=2, videos_per_class=8, alone=()):
    """Lists whose videos belong to groups of ``size``, but for those that are alone."""
    folder = write_lists(tmp_path / 'grouped', videos_per_class)
    for path in folder.glob('*.csv'):
        rows = list(csv.DictReader(path.open()))
        with open(path, 'w', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(['group', 'filename', 'label'])
            for row in rows:
                number = int(row['filename'].split('_')[-1])
                group = '' if number in alone else f'{path.stem} {number // size}'
                writer.writerow([group, row['filename'], row['label']])
    return folder


def groups_of(lists, videos):
    return {(lists.labels[video], lists.groups.get(video, video)) for video in videos}


NOVEL_SPLITS = [('stage1_novel', 'val_novel', 'stage_1_val_unseen')] + [
    (f'stage2_novel_{d}', f'test_novel_{d}', 'stage_2_test_unseen') for d in range(3)
]


@pytest.mark.parametrize(('shots', 'alone'), [(1, ()), (3, ()), (5, ()), (6, ()), (3, (0, 1, 7)), (5, (0, 1, 7))])
@pytest.mark.parametrize(('trained', 'evaluated', 'source'), NOVEL_SPLITS)
def test_no_group_is_both_drawn_and_evaluated_on(tmp_path, shots, alone, trained, evaluated, source):
    lists = read_zero_shot_lists(grouped(tmp_path, alone=alone))
    splits = draw_splits(lists, shots)
    drawn, rest = splits[trained], splits[evaluated]
    assert not groups_of(lists, drawn) & groups_of(lists, rest)
    labels = [lists.labels[video] for video in drawn]
    assert sorted({label: labels.count(label) for label in labels}.values()) == [shots, shots]
    left = set(lists.ids(source)) - set(drawn) - set(rest)
    assert groups_of(lists, left) <= groups_of(lists, drawn)  # What is left out belongs to the drawn groups, ...
    assert len(groups_of(lists, drawn)) == 2 * ((shots + 1) // 2) or alone  # ... which are as few as have K videos.
    assert {lists.labels[video] for video in rest} == set(labels)


def test_left_out_videos_of_stage_1_are_base_videos_of_stage_2(tmp_path):
    lists = read_zero_shot_lists(grouped(tmp_path))
    splits = draw_splits(lists, 3)
    assert set(lists.ids('stage_1_val_unseen')) <= set(splits['stage2_base'])


def test_grouped_draws_differ_and_depend_on_the_seed_alone(tmp_path):
    lists = read_zero_shot_lists(grouped(tmp_path))
    splits = draw_splits(lists, 3)
    assert len({tuple(splits[f'stage2_novel_{d}']) for d in range(3)}) == 3
    assert draw_splits(lists, 3) == splits != draw_splits(lists, 3, seed=1)


def test_classes_without_groups_are_drawn_as_without_the_column(tmp_path, lists):
    folder = grouped(tmp_path)
    for name in ('stage_1_val_unseen', 'stage_2_test_unseen'):
        rows = [(row['filename'], row['label'], '') for row in csv.DictReader((folder / f'{name}.csv').open())]
        (folder / f'{name}.csv').write_text(
            'filename,label,group\n' + ''.join(f'{video},"{label}",{group}\n' for video, label, group in rows)
        )
    assert draw_splits(read_zero_shot_lists(folder), 3) == draw_splits(lists, 3)


def test_shots_of_videos_without_groups_are_the_first_of_a_permutation():
    videos = [f'v{i}' for i in range(20)]
    taken, rest = draw_shots(videos, {'of another class': 'g'}, 5, np.random.default_rng(3), '')
    first = np.random.default_rng(3).permutation(20)[:5]
    assert taken == [videos[i] for i in sorted(first)] and sorted(taken + rest) == sorted(videos)


@pytest.mark.parametrize('seed', range(8))
def test_a_group_that_leaves_enough_others_is_kept_to_evaluate_on(seed):
    # With the small group and then the large one, nothing would be left: only the large one alone is possible.
    sizes = {'large': 5, 'small': 1}
    groups = {f'{group} {i}': group for group, size in sizes.items() for i in range(size)}
    assert draw_shots(list(groups), groups, 5, np.random.default_rng(seed), '') == (
        [f'large {i}' for i in range(5)],
        ['small 0'],
    )


@pytest.mark.parametrize(('size', 'shots'), [(8, 1), (4, 5), (2, 7)])
def test_a_class_with_too_few_groups_is_named_with_its_list_and_the_cure(tmp_path, size, shots):
    lists = read_zero_shot_lists(grouped(tmp_path, size))
    words = (
        rf"stage_1_val_unseen\.csv: class 'novel1, 0' has 8 videos in {8 // size} groups?; "
        f'{shots} shots? needs? .* Add videos'
    )
    with pytest.raises(DataError, match=words):
        draw_splits(lists, shots)


@pytest.mark.parametrize('other', ['stage_1_val_seen', 'stage_2_test_seen'])
def test_a_group_that_two_lists_divide_is_warned_of_and_not_moved(tmp_path, caplog, other):
    folder = grouped(tmp_path)
    before = draw_splits(read_zero_shot_lists(folder), 3)
    assert not caplog.records
    text = (folder / f'{other}.csv').read_text()
    (folder / f'{other}.csv').write_text(text.replace(f'{other} 1,', 'stage_1_train 1,'))
    lists = read_zero_shot_lists(folder)
    (record,) = caplog.records
    for fact in ("'stage_1_train 1'", "'base, 0'", 'stage_1_train.csv', f'{other}.csv', '2 such groups'):
        assert fact in record.getMessage()
    assert draw_splits(lists, 3) == before


def test_a_txt_of_the_same_name_restricts_a_list(tmp_path):
    folder = write_lists(tmp_path / 'lists')
    (folder / 'stage_2_test_unseen.txt').write_text('novel2, 1\n')
    splits = draw_splits(read_zero_shot_lists(folder), 3)
    assert len(splits['stage2_novel_0']) == 3 and len(splits['test_novel_0']) == 5


def test_a_class_that_a_txt_names_without_videos_is_refused(tmp_path):
    folder = write_lists(tmp_path / 'lists')
    (folder / 'stage_2_test_unseen.txt').write_text('novel2, 1\nnovel2, 7\n')
    with pytest.raises(DataError, match="'novel2, 7' has 0 videos"):
        draw_splits(read_zero_shot_lists(folder), 1)


def test_splits_of_a_missing_list_are_left_out(tmp_path):
    folder = write_lists(tmp_path / 'lists')
    (folder / 'stage_1_train.csv').unlink()
    lists = read_zero_shot_lists(folder)
    assert lists.missing == ['stage_1_train']
    assert set(split_names()) - set(draw_splits(lists, 3)) == {'stage1_base', 'stage2_base'}


@pytest.mark.parametrize('target, words', [('stage_1_train', 'occurs twice'), ('stage_2_test_seen', 'and again in')])
def test_a_video_belongs_to_one_list_once(tmp_path, target, words):
    folder = write_lists(tmp_path / 'lists')
    with open(folder / f'{target}.csv', 'a') as file:
        file.write('stage_1_train_0_0,0,"base, 0"\n')
    with pytest.raises(DataError, match=words):
        read_zero_shot_lists(folder)


@pytest.mark.parametrize(
    'target, label',
    [('stage_1_val_unseen', 'base, 0'), ('stage_2_test_unseen', 'base, 1'), ('stage_2_test_unseen', 'novel1, 0')],
)
def test_a_class_is_base_or_novel(tmp_path, target, label):
    folder = write_lists(tmp_path / 'lists')
    with open(folder / f'{target}.csv', 'a') as file:
        file.write(f'one_more,0,"{label}"\n')
    with pytest.raises(DataError, match=rf"class '{label}' is novel in {target}\.csv and base in "):
        read_zero_shot_lists(folder)


@pytest.mark.parametrize('txt, words', [(None, r'csv has no video\. '), ('other\n', 'a class of stage_1_val_seen.txt')])
def test_a_list_without_videos_is_refused(tmp_path, txt, words):
    folder = write_lists(tmp_path / 'lists')
    if txt:
        (folder / 'stage_1_val_seen.txt').write_text(txt)
    else:
        (folder / 'stage_1_val_seen.csv').write_text('filename,label\n')
    with pytest.raises(DataError, match=words):
        read_zero_shot_lists(folder)


def test_a_class_to_train_on_has_videos(tmp_path):
    folder = write_lists(tmp_path / 'lists')
    for name in ('stage_1_train', 'stage_1_val_seen', 'stage_2_test_seen'):
        (folder / f'{name}.txt').write_text('base, 0\nbase, 7\n')
    with pytest.raises(DataError, match="class 'base, 7' has no video to train on"):
        draw_splits(read_zero_shot_lists(folder), 1)


@pytest.mark.parametrize('row', ['"",0,"base, 0"', '"a\nb",0,"base, 0"', 'a,0,""'])
def test_a_name_that_a_list_cannot_hold_is_refused(tmp_path, row):
    folder = write_lists(tmp_path / 'lists')
    with open(folder / 'stage_1_train.csv', 'a') as file:
        file.write(f'{row}\n')
    with pytest.raises(DataError, match=r'stage_1_train\.csv: (video|class) .* is empty'):
        read_zero_shot_lists(folder)


def test_a_list_without_a_label_column_is_refused(tmp_path):
    folder = write_lists(tmp_path / 'lists')
    (folder / 'stage_1_train.csv').write_text('filename,species\na,b\n')
    with pytest.raises(DataError, match=r"stage_1_train.csv: no column 'label'"):
        read_zero_shot_lists(folder)


@pytest.mark.parametrize(('made', 'problem'), [(False, 'does not exist'), (True, 'is not a folder of zero-shot lists')])
def test_lists_that_are_no_folder_are_refused_with_the_way_to_make_them(made, problem, tmp_path):
    if made:
        (tmp_path / 'lists').touch()
    with pytest.raises(DataError, match=rf'{problem}\. To make such lists .*splits\.py'):
        read_zero_shot_lists(tmp_path / 'lists')

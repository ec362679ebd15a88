"""Extraction of many clips: which, how it is stopped and gone on with, and what happens to bad files."""

import csv
import json
import multiprocessing
import os
import runpy
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock, Thread

import numpy as np
import pytest
import torch

from avzoo import reproduction
from avzoo.extraction import jobs, shared_networks
from avzoo.extraction.build import build_extractor
from avzoo.extraction.clip_tables import write_tables
from avzoo.extraction.clips import Clip, find_clips, names_of_clips, shard_of
from avzoo.extraction.extract import Settings, extract_all, extract_clip, open_folder, stamps_of
from avzoo.extraction.extraction_folder import differences, read_extraction
from avzoo.extraction.extractors import LogMelStatistics
from avzoo.extraction.jobs import Workers
from avzoo.importers.class_table import read_class_table
from avzoo.utils.errors import AvzooError, CheckpointError, ConfigError, DataError
from tests.conftest import REPO
from tests.extraction.made_videos import make_video

AUDIO = ('--visual', 'none', '--audio', 'log_mel_statistics')


@pytest.fixture(scope='module')
def made_videos(tmp_path_factory):
    """Two classes of two good clips; five bad files: no video, empty, cut short, without sound, too short."""
    folder = tmp_path_factory.mktemp('made') / 'videos'
    rng = np.random.default_rng(0)
    for label in ('dog', 'cat'):
        (folder / label).mkdir(parents=True)
        for i in range(2):
            sound = rng.uniform(-0.3, 0.3, (1, 32000)).astype(np.float32)
            make_video(folder / label / f'{label}_{i}.mkv', seconds=0.2, sound=sound)
    (folder / 'dog' / 'text.mp4').write_text('hello')
    (folder / 'dog' / 'empty.mp4').touch()
    (folder / 'dog' / 'cut.mkv').write_bytes((folder / 'dog' / 'dog_0.mkv').read_bytes()[:300])
    make_video(folder / 'cat' / 'silent.mkv', seconds=0.2)
    make_video(folder / 'cat' / 'short.mkv', seconds=0.2, sound=np.zeros((1, 4000), np.float32))
    (folder / 'dog' / '._dog_0.mkv').touch()
    (folder / '__MACOSX').mkdir()
    (folder / '__MACOSX' / 'dog_0.mkv').touch()
    return folder


@pytest.fixture
def videos(made_videos, tmp_path):
    return shutil.copytree(made_videos, tmp_path / 'videos')


@pytest.fixture
def tool():
    return runpy.run_path(str(REPO / 'tools/extract_features.py'))['main']


def rows(path):
    return list(csv.DictReader(path.read_text(encoding='utf-8').splitlines()))


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()}


def test_good_clips_are_done_and_bad_ones_reported(tool, videos, tmp_path, capsys):
    out = tmp_path / 'out'
    assert tool([str(videos), str(out), *AUDIO]) == 3
    assert 'features of 4 of 9 clips.' in capsys.readouterr().out
    done = rows(out / 'clips.csv')
    assert [(row['video'], row['label']) for row in done] == [
        ('cat_0', 'cat'), ('cat_1', 'cat'), ('dog_0', 'dog'), ('dog_1', 'dog')
    ]  # fmt: skip
    failed = {row['id']: row for row in rows(out / 'failed.csv')}
    assert failed.keys() == {'text', 'empty', 'cut', 'silent', 'short'}
    assert {row['stage'] for row in failed.values()} == {'open', 'audio'} and all(r['cure'] for r in failed.values())
    assert 'has no sound' in failed['silent']['reason']
    assert np.load(out / 'audio' / 'dog_0.npy').shape == (2, 192)
    assert {p.stem for p in (out / 'audio').iterdir()} == {row['video'] for row in done}


def test_a_clip_without_sound_may_have_zeros(tool, videos, tmp_path):
    out = tmp_path / 'out'
    assert tool([str(videos / 'cat' / 'silent.mkv'), str(out), *AUDIO, '--no-audio', 'zeros']) == 0
    assert not np.load(out / 'audio' / 'silent.npy').any()
    assert 'zeros' in rows(out / 'clips.csv')[0]['notes']
    assert json.loads((out / 'extraction.json').read_text())['settings']['no_audio'] == 'zeros'


def test_a_run_that_was_stopped_goes_on_to_the_same_files(videos, tmp_path, monkeypatch):
    extractors, settings, clips = dict(audio=LogMelStatistics()), Settings(), find_clips(videos)
    whole = open_folder(tmp_path / 'whole', stamps_of(extractors), settings)
    write_tables(whole, clips, extract_all(clips, whole, extractors, settings))
    broken = open_folder(tmp_path / 'broken', stamps_of(extractors), settings)
    extract_all(clips[:2], broken, extractors, settings)
    (broken / 'facts' / f'{clips[1].id}.json').unlink(missing_ok=True)  # As if killed between array and facts.
    (broken / 'audio' / 'cat_1.npy').unlink()
    again = open_folder(broken, stamps_of(extractors), settings)
    write_tables(again, clips, extract_all(clips, again, extractors, settings))
    assert content(whole) == content(broken)


def test_what_is_done_is_not_done_again(videos, tmp_path, monkeypatch):
    extractors, settings = dict(audio=LogMelStatistics()), Settings()
    clip = find_clips(videos)[0]
    out = open_folder(tmp_path / 'out', stamps_of(extractors), settings)
    extract_clip(clip, out, extractors, settings)
    monkeypatch.setattr(LogMelStatistics, 'steps', lambda *args: pytest.fail('computed again'))
    extract_clip(clip, out, extractors, settings)


def test_several_processes_write_the_same_files(tool, videos, tmp_path, monkeypatch):
    assert tool([str(videos), str(tmp_path / 'one'), *AUDIO]) == 3
    # This process needs no networks of its own.
    monkeypatch.setattr(jobs, 'build_all', lambda *args: pytest.fail('built a network'))
    assert tool([str(videos), str(tmp_path / 'two'), *AUDIO, '--jobs', '2']) == 3
    assert content(tmp_path / 'one') == content(tmp_path / 'two')


def test_decoding_processes_that_share_a_network_write_the_same_files(videos, tmp_path):
    import timm  # After avzoo: beside a CPU torch.

    torch.manual_seed(0)
    torch.save(timm.create_model('resnet10t').state_dict(), tmp_path / 'net.pth')
    options = dict(weights=str(tmp_path / 'net.pth'), seconds=0.05, batch_size=3)
    specs = dict(visual=('timm:resnet10t', options), audio=('log_mel_statistics', {}))
    clips, computed = find_clips(videos), []
    for name, processes in (('alone', 1), ('shared', 2)):
        with Workers(specs, Settings(), jobs=processes, shared=True) as workers:
            compute = workers._extractors['visual'].compute
            networks = compute.network.register_forward_pre_hook(lambda *args: computed.append(name))  # noqa: B023
            out = open_folder(tmp_path / name, workers.stamps(), Settings())
            write_tables(out, clips, workers.extract(clips, out))
            networks.remove()
    assert content(tmp_path / 'alone') == content(tmp_path / 'shared')
    assert computed.count('alone') == computed.count('shared') > 4  # All of it in this process.


def test_an_error_of_a_shared_network_reaches_the_user(videos, tmp_path):
    with Workers(dict(audio=('log_mel_statistics', {})), Settings(), jobs=2, shared=True) as workers:
        workers._extractors['audio'].compute = None  # It has no network.
        assert workers.stamps().modalities['audio']['dim'] == 192
    remote, local = multiprocessing.Pipe()
    networks = dict(audio=lambda batch: (_ for _ in ()).throw(ValueError('too large')))
    Thread(target=shared_networks._serve, args=(local, networks, Lock()), daemon=True).start()
    with pytest.raises(ValueError, match='too large'):
        shared_networks._Remote('audio', remote)(np.zeros(3))


@pytest.fixture
def copied_processes(monkeypatch):
    """Has workers be copies of this process, which begin at once; they must not compute."""
    context = multiprocessing.get_context('fork')
    monkeypatch.setattr(jobs.multiprocessing, 'get_context', lambda method: context)


@pytest.mark.parametrize('number', [1, 2])
def test_what_cannot_be_built_is_refused_by_every_number_of_processes(tool, videos, tmp_path, number, copied_processes):
    options = ['--visual', 'none', '--audio', 'vggish', '--audio-option', 'weights=no.pth', '--jobs', str(number)]
    with pytest.raises(CheckpointError, match=r'no\.pth'):
        tool([str(videos), str(tmp_path / 'out'), *options])
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('device', ['gpu', 'cuda:99'])
def test_a_device_that_is_not_here_is_refused(tool, videos, tmp_path, device):
    with pytest.raises(ConfigError, match=f'--device {device}'):
        tool([str(videos), str(tmp_path / 'out'), *AUDIO, '--device', device])
    with pytest.raises(ConfigError, match=f'--device {device}'):
        build_extractor('timm:resnet10t', 'visual', device=device)


def test_a_process_that_is_killed_is_an_error_with_its_cure(copied_processes):
    specs = dict(audio=('log_mel_statistics', {}))
    with Workers(specs, Settings(), jobs=2) as workers, pytest.raises(AvzooError, match='fewer --jobs'):
        workers._result_of(workers._pool.submit(os._exit, 1))


def test_folders_that_begin_at_once_do_not_disturb_each_other(tmp_path):
    stamps = stamps_of(dict(audio=LogMelStatistics()))
    with ThreadPoolExecutor(8) as pool:
        opened = [pool.submit(open_folder, tmp_path / 'out', stamps, Settings()) for _ in range(40)]
    assert {future.result() for future in opened} == {tmp_path / 'out'}
    assert [p.name for p in (tmp_path / 'out').iterdir()] == ['extraction.json']


def test_an_array_of_jobs_writes_what_one_run_writes(tool, videos, tmp_path, monkeypatch):
    submitted = []
    monkeypatch.setattr(reproduction, 'submit_commands', lambda *args: submitted.append(args) or ['7_0', '7_1'])
    here = [str(videos), str(tmp_path / 'array'), *AUDIO]
    assert tool([*here, '--launcher', 'slurm', '--array', '2', '--slurm', 'timeout_min=5']) == 0
    ((commands, folder, parameters),) = submitted
    assert parameters == dict(timeout_min=5) and folder == f'{tmp_path / "array"}_slurm'
    assert not (tmp_path / 'array').exists()
    for command in commands:
        assert command[:2] == [sys.executable, str(REPO / 'tools/extract_features.py')]
        tool(command[2:])
    assert tool(here) == tool([str(videos), str(tmp_path / 'one'), *AUDIO]) == 3
    assert content(tmp_path / 'one') == content(tmp_path / 'array')


@pytest.mark.parametrize(
    'options',
    [
        ['--array', '2'],
        ['--slurm', 'timeout_min=5'],
        ['--launcher', 'slurm'],
        ['--launcher', 'slurm', '--array', '2', '--shard', '1/2'],
    ],
)
def test_options_of_an_array_belong_together(tool, videos, tmp_path, options, capsys):
    with pytest.raises(SystemExit):
        tool([str(videos), str(tmp_path / 'out'), *options])
    assert '--array' in capsys.readouterr().err


def test_an_option_of_no_extractor_is_refused(tool, videos, tmp_path, capsys):
    with pytest.raises(SystemExit):
        tool([str(videos), str(tmp_path / 'out'), *AUDIO, '--visual-option', 'colour=bgr'])
    assert '--visual-option colour=bgr needs an extractor, but --visual is none' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_shards_together_are_the_whole(tool, videos, tmp_path):
    tool([str(videos), str(tmp_path / 'one'), *AUDIO])
    for part in ('1/2', '2/2'):
        tool([str(videos), str(tmp_path / 'two'), *AUDIO, '--shard', part])
    tool([str(videos), str(tmp_path / 'two'), *AUDIO])
    assert content(tmp_path / 'one') == content(tmp_path / 'two')
    clips = find_clips(videos)
    assert sorted(c.id for i in range(3) for c in shard_of(clips, i, 3)) == sorted(c.id for c in clips)


def test_clips_of_an_earlier_run_are_told(tool, videos, tmp_path, capsys, caplog):
    out = tmp_path / 'out'
    for video in ('cat_0', 'cat_1'):
        assert tool([str(videos / 'cat' / f'{video}.mkv'), str(out), *AUDIO]) == 0
        (out / 'facts' / '._cat_0.json').write_bytes(b'of the file system')
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith(
        f'{out} also holds features of 1 clip not among the given clips, which clips.csv leaves out: cat_0. '
    )
    assert 'To keep them, give all clips in one folder or table; otherwise delete their files' in message
    assert [row['video'] for row in rows(out / 'clips.csv')] == ['cat_1']


def test_groups_are_written_beside_the_labels(tool, videos, tmp_path):
    out = tmp_path / 'out'
    (videos / 'clips.csv').write_text('filename,label,group\ndog/dog_0.mkv,dog,day 1\ncat/cat_0.mkv,cat,\n')
    assert tool([str(videos / 'clips.csv'), str(out), *AUDIO]) == 0
    assert [row['group'] for row in rows(out / 'clips.csv')] == ['day 1', '']


def test_facts_without_an_entry_are_damaged(videos, tmp_path):
    clips = find_clips(videos / 'dog' / 'dog_0.mkv')
    out = open_folder(tmp_path / 'out', stamps_of(dict(audio=LogMelStatistics())), Settings())
    assert extract_clip(clips[0], out, dict(audio=LogMelStatistics()), Settings()) is None
    path = out / 'facts' / 'dog_0.json'
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in facts.items() if key != 'frames'}))
    with pytest.raises(DataError, match=r"dog_0\.json is damaged \(no 'frames'\)\. Delete it and repeat the command"):
        write_tables(out, clips, [])


def test_features_of_other_extractors_do_not_mix(videos, tmp_path):
    out = open_folder(tmp_path / 'out', stamps_of(dict(audio=LogMelStatistics())), Settings())
    with pytest.raises(DataError, match=r'other extractors or settings.*Choose another folder'):
        open_folder(out, stamps_of(dict(audio=LogMelStatistics())), Settings(audio_stream=1))
    with pytest.raises(DataError, match='not a folder of extracted features'):
        open_folder(videos, stamps_of(dict(audio=LogMelStatistics())), Settings())


def test_a_table_names_parts_of_videos(videos, tmp_path):
    table = videos / 'clips.csv'
    table.write_text(
        'filename,label,start,end\ndog/dog_0.mkv,"dog, barking",0.5,1.5\ndog/dog_0.mkv,x,1,\ncat/cat_0.mkv,y,,\n'
    )
    found = find_clips(table)
    assert [(c.id, c.label, c.start, c.end) for c in found] == [
        ('dog_0_0.5_1.5', 'dog, barking', 0.5, 1.5), ('dog_0_1', 'x', 1.0, None), ('cat_0', 'y', 0.0, None)
    ]  # fmt: skip


@pytest.mark.parametrize('mark', ['', '\ufeff'])
@pytest.mark.parametrize('delimiter', [';', '\t'])
def test_a_table_may_be_that_of_a_spreadsheet(tmp_path, delimiter, mark):
    text = f'{mark}filename;label;start;end\r\n"a, b.mp4";dog, barking;0.5;1.5\r\n'.replace(';', delimiter)
    (tmp_path / 'clips.csv').write_text(text, encoding='utf-8', newline='')
    assert find_clips(tmp_path / 'clips.csv') == [Clip('a, b_0.5_1.5', tmp_path / 'a, b.mp4', 'dog, barking', 0.5, 1.5)]


@pytest.mark.parametrize('name', ['clips.tsv', 'clips.TSV'])
def test_a_table_of_another_suffix_is_no_video(tmp_path, name):
    (tmp_path / name).write_text('video\tlabel\na.mp4\tdog\n')
    assert find_clips(tmp_path / name) == [Clip('a', tmp_path / 'a.mp4', 'dog')]
    (tmp_path / name).write_text('To do: find videos.\n')
    with pytest.raises(DataError, match="no column 'filename'; its first line 'To do"):
        find_clips(tmp_path / name)


def test_a_text_is_no_table(tmp_path):
    (tmp_path / 'README.txt').write_text('video,label\na.mp4,dog\n')
    assert find_clips(tmp_path / 'README.txt') == [
        Clip('README', tmp_path / 'README.txt')
    ]  # It is told when it is read.


def test_a_part_without_a_group_is_of_that_of_another_part(tmp_path):
    rows = ['a.mp4,dog,0,1,', 'a.mp4,dog,1,2,A', 'a.mp4,dog,2,3,', 'b.mp4,dog,0,1,', 'b.mp4,dog,1,2,']
    (tmp_path / 'clips.csv').write_text('\n'.join(['video,label,start,end,group', *rows]))
    assert [clip.group for clip in find_clips(tmp_path / 'clips.csv')] == ['A'] * 3 + [str(tmp_path / 'b.mp4')] * 2


def test_a_table_may_name_its_columns_otherwise_and_what_is_not_read_is_told(tmp_path, caplog):
    text = 'Video\tClass\tStart time\tStop\tNotes\nb.mp4\tdog\t1\t2\twindy\n'
    (tmp_path / 'clips.csv').write_text(text, encoding='utf-16')
    assert find_clips(tmp_path / 'clips.csv') == [Clip('b_1_2', tmp_path / 'b.mp4', 'dog', 1.0, 2.0)]
    (message,) = (record.getMessage() for record in caplog.records)
    assert (
        message
        == f'{tmp_path / "clips.csv"}: ignored columns: Notes. Known ones: filename, label, group, start, end, video.'
    )


@pytest.mark.parametrize('column', ['path', 'file', 'video', 'File path', 'filename'])
@pytest.mark.parametrize('other', ['video_id', 'video', 'clip', 'id'])
def test_a_table_of_files_and_names_calls_clips_as_the_other_tools_do(tmp_path, column, other, caplog):
    table = tmp_path / 'x.csv'
    if other != column:
        table.write_text(f'{other},{column},label\n7,a.mp4,dog\n')
        (name,) = read_class_table(table).labels  # Of a file and a number beside it, the file.
        assert find_clips(table) == [Clip('7' if name == '7' else 'a', tmp_path / 'a.mp4', 'dog')]
        assert (f'ignored columns: {other}' in caplog.text) == (name != '7')
        assert name == '7' or (column in ('file', 'video', 'filename') and other in ('clip', 'id'))
    table.write_text(f'{other}\na.mp4\n')
    assert find_clips(table) == [Clip('a', tmp_path / 'a.mp4')]


@pytest.mark.parametrize(
    ('rows', 'ids'),
    [
        (['first,x/a.mp4,1,2', 'second,x/a.mp4,2,3'], ['first', 'second']),
        (['a_1_2,x/a.mp4,1,2', 'a_2_3,x/a.mp4,2,3'], ['a_1_2', 'a_2_3']),  # As in clips.csv of an extraction.
        (['b.mp4,x/a.mp4,,', 'y/c.mp4,x/c.mp4,,'], ['b', 'c']),
        (['a.mp4,a.mp4,1,', 'b.mp4,b.mp4,1,'], ['a_1', 'b_1']),
    ],
)
def test_clips_have_the_names_beside_their_files(tmp_path, rows, ids, caplog):
    (tmp_path / 'x.csv').write_text('\n'.join(['video,path,start,end', *rows]))
    assert [clip.id for clip in find_clips(tmp_path / 'x.csv')] == ids and not caplog.records


@pytest.mark.parametrize(
    ('rows', 'ids'), [(['a,x/a.mp4,1,', 'a,x/a.mp4,2,'], ['a_1', 'a_2']), (['n,a.mp4,,', ',b.mp4,,'], ['a', 'b'])]
)
def test_clips_of_which_not_each_has_a_name_are_called_by_their_files(tmp_path, rows, ids, caplog):
    (tmp_path / 'x.csv').write_text('\n'.join(['video,path,start,end', *rows]))
    assert [clip.id for clip in find_clips(tmp_path / 'x.csv')] == ids
    assert 'x.csv: clips are named after their files' in caplog.text


@pytest.mark.parametrize(
    ('text', 'seconds'),
    [
        ('6,5', 6.5),
        ('1:02', 62.0),
        ('00:01:02.5', 62.5),
        ('00:01:02,5', 62.5),
        ('75:30', 4530.0),
        ('1:00:00', 3600.0),
        (' 12 ', 12.0),
    ],
)
@pytest.mark.parametrize('form', ['filename;start\na.mp4;{}\n', 'filename,start\na.mp4,"{}"\n'])
def test_a_time_may_have_colons_and_a_decimal_comma(tmp_path, form, text, seconds):
    (tmp_path / 'clips.csv').write_text(form.format(text))
    (clip,) = find_clips(tmp_path / 'clips.csv')
    assert clip.start == seconds and clip.id == f'a_{seconds:g}'


@pytest.mark.parametrize(
    'text', ['1:2', '1:60', '1:75:00', '-1:02', '1:02:', ':30', '1,2,3', '1,0.5', '1:2:3:04', '5s']
)
def test_what_is_no_time_is_refused(tmp_path, text):
    (tmp_path / 'clips.csv').write_text(f'filename;start\na.mp4;{text}\n')
    with pytest.raises(DataError, match=r'line 2: start=.* is neither a number of seconds.*12,5.*00:01:02\.5'):
        find_clips(tmp_path / 'clips.csv')


def test_parts_of_one_video_are_a_group_where_a_table_names_none(tmp_path):
    def groups(text: str) -> list[str]:
        (tmp_path / 'clips.csv').write_text(text)
        return [clip.group.removeprefix(f'{tmp_path}/') for clip in find_clips(tmp_path / 'clips.csv')]

    assert groups('filename,start\na.mp4,1\nb.mp4,\na.mp4,5\n') == ['a.mp4', '', 'a.mp4']
    text = 'filename,start,group\na.mp4,1,\nb.mp4,,day 1\na.mp4,5,\nb.mp4,7,day 2\nc.mp4,,day 1\nd.mp4,,\n'
    assert groups(text) == ['a.mp4', 'day 1', 'a.mp4', 'day 2', 'day 1', '']


def test_parts_of_one_video_by_several_paths_are_a_group(tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'')
    (tmp_path / 'link.mp4').symlink_to('a.mp4')
    (tmp_path / 'clips.csv').write_text('filename,start\na.mp4,1\nx/../a.mp4,2\nlink.mp4,3\nb.mp4,\n')
    assert [clip.group for clip in find_clips(tmp_path / 'clips.csv')] == [*[str(tmp_path / 'a.mp4')] * 3, '']
    (tmp_path / 'clips.csv').write_text('filename\na\0b.mp4\n')
    with pytest.raises(DataError, match='control character'):
        find_clips(tmp_path / 'clips.csv')


def test_names_of_parts_that_begin_together_say_where_they_end(tmp_path):
    parts = ['a,,', 'a,0,2', 'a,3,4', 'a,5,6', 'a,5,7.5', 'a,5,', 'b,5,6', 'b,12345.12,', 'b,12345.14,']
    (tmp_path / 'x.csv').write_text('\n'.join(['filename,start,end', *(p.replace(',', '.mp4,', 1) for p in parts)]))
    names = [name.removeprefix(f'{tmp_path}/') for name in names_of_clips(find_clips(tmp_path / 'x.csv'))]
    assert names[:4] == ['a.mp4', 'a.mp4 from 0 s', 'a.mp4 from 3 s', 'a.mp4 from 5 s to 6 s']
    assert names[4:7] == ['a.mp4 from 5 s to 7.5 s', 'a.mp4 from 5 s to the end', 'b.mp4 from 5 s']
    assert names[7:] == ['b.mp4 from 12345.12 s to the end', 'b.mp4 from 12345.14 s to the end']


def test_a_part_behind_the_end_of_a_video_is_told_where_to_look(videos, tmp_path):
    clip = Clip('x', videos / 'dog/dog_0.mkv', start=100.0)
    failure = extract_clip(clip, tmp_path, dict(audio=LogMelStatistics()), Settings())
    assert 'less than one step of audio features from 100 s on; check where the video ends' in failure.reason


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('class,begin\nx,1\n', "no column 'filename'"),
        ('', 'clips.csv: the table is empty. Make the first line `filename`'),
        ('filename,label,label\na.mp4,x,y\n', "two columns are called 'label'"),
        ('filename\na.mp4\n"a"b.mp4\n', 'begins at line 3 cannot be read: .* expected after'),
        ('filename,label\na.mp4,dog, barking\n', 'line 2 has 3 fields, more than the 2 of the first line. Quote names'),
        ('filename,label\n,x\n', 'line 2: filename is empty'),
        (
            'filename,start\na.mp4,soon\n',
            "line 2: start='soon' is neither a number of seconds, such as 12.5",
        ),
        (
            'filename,start,end\na.mp4,5,4\n',
            'line 2: a clip from 5.0 s to 4.0 s of a.mp4 is impossible. Give start < end <= 1e6 in seconds',
        ),
        ('filename,start\na.mp4,nan\n', 'line 2: a clip from nan'),
        ('filename\na.mp4\na.mp4\n', r'lines 2 and 3: both are .*a\.mp4\. Remove one row'),
        (
            'filename,label,start,end\na.mp4,x,1,2\na.mp4,x,2,\na.mp4,y,1.0,2\n',
            r"lines 2 and 4: both are .*a\.mp4 from 1 s to 2 s, as 'x' and 'y'; a clip has one label\. Remove",
        ),
        ('filename\na.mp4\n../x/a.mp4\n../y/../x/a.mp4\n', 'two clips are named x__a__mp4: give the files'),
        ('filename\n', r'clips\.csv: there are no rows below the header\. Write one row per clip'),
    ],
)
def test_a_bad_table_is_refused_by_its_line(tmp_path, text, words):
    (tmp_path / 'clips.csv').write_text(text)
    with pytest.raises(DataError, match=words):
        find_clips(tmp_path / 'clips.csv')


def test_clips_of_one_name_are_told_apart(tmp_path):
    for name in ('a/x.mp4', 'b/x.mp4', 'b/x.mkv', 'b/y.mkv'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [c.id for c in find_clips(tmp_path)] == ['a__x', 'b__x__mkv', 'b__x__mp4', 'y']


def test_a_video_below_the_folders_of_classes_is_not_left_out_in_silence(tmp_path):
    for name in ('a/x.mp4', 'a/day/y.mp4', 'a/.thumbs/z.mp4', 'a/day/notes.txt'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b'')
    with pytest.raises(DataError) as caught:
        find_clips(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / 'a' / 'day' / 'y.mp4'))
    (tmp_path / 'a/day/y.mp4').unlink()
    assert [clip.id for clip in find_clips(tmp_path)] == ['x']


def test_a_class_without_videos_is_warned_of(tmp_path, caplog):
    for name in ('a/x.MTS', 'b/y.vob', 'c/notes.txt', '.thumbs/z.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'')
    assert [clip.id for clip in find_clips(tmp_path)] == ['x', 'y']
    assert [record.getMessage() for record in caplog.records] == [
        f'{tmp_path}: there are no videos in c, so no such class.'
    ]
    assert [clip.id for clip in find_clips(tmp_path / 'a')] == ['x'] and len(caplog.records) == 1


def test_the_folder_tells_how_long_its_steps_are(tool, videos, tmp_path):
    tool([str(videos), str(tmp_path / 'out'), *AUDIO])
    found = read_extraction(tmp_path / 'out')
    assert found.seconds == dict(audio=0.96) and found.features == dict(audio='log_mel_statistics')


@pytest.mark.parametrize('change', ['array gone', 'array cut', 'other video', 'other part', 'facts of another kind'])
def test_features_that_are_no_longer_of_their_video_are_extracted_anew(videos, tmp_path, change):
    extractors, settings = dict(audio=LogMelStatistics()), Settings()
    clip = find_clips(videos / 'dog' / 'dog_0.mkv')[0]
    out = open_folder(tmp_path / 'out', stamps_of(extractors), settings)
    extract_clip(clip, out, extractors, settings)
    array, facts = out / 'audio' / 'dog_0.npy', out / 'facts' / 'dog_0.json'
    before = array.read_bytes()
    if change == 'array gone':
        array.unlink()
    elif change == 'array cut':
        array.write_bytes(before[:-4])
    elif change == 'other video':
        clip.path.write_bytes((videos / 'cat' / 'cat_0.mkv').read_bytes())
    elif change == 'other part':
        clip = replace(clip, end=1.0)
    else:
        facts.write_text('{"source": 5, "sha256": []}')
    assert extract_clip(clip, out, extractors, settings) is None
    assert (array.read_bytes() == before) == (change in ('array gone', 'array cut', 'facts of another kind'))
    assert json.loads(facts.read_text())['source']['end'] == clip.end


@pytest.mark.parametrize('limit', [300, 1000, 1600])
def test_a_write_that_fails_does_not_count_as_done(videos, tmp_path, limit):
    import resource
    import signal

    extractors, settings = dict(audio=LogMelStatistics()), Settings()
    clip = find_clips(videos / 'dog' / 'dog_0.mkv')[0]
    out = open_folder(tmp_path / 'out', stamps_of(extractors), settings)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        with pytest.raises(OSError, match='too large'):
            extract_clip(clip, out, extractors, settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (out / 'facts').exists() and [*(out / 'audio').iterdir()] == []


@pytest.mark.parametrize('name', ['../x.mp4', 'a\x1bb.mp4', '/proc/kmsg', 'list.m3u8', 'b' * 2000 + '.mp4'])
def test_a_name_that_could_do_harm_is_refused(tmp_path, name):
    (tmp_path / 'clips.csv').write_text(f'filename,start\n"{name}",1\n')
    if name == '../x.mp4':  # Only its stem names a file of features.
        assert find_clips(tmp_path / 'clips.csv')[0].id == 'x_1'
    else:
        with pytest.raises(DataError):
            find_clips(tmp_path / 'clips.csv')


def test_the_differences_of_two_extractions_are_named():
    begun = dict(modalities=dict(visual=dict(extractor='c3d', colour='bgr'), audio=dict(dim=3)), settings=dict(a=1))
    now = dict(modalities=dict(visual=dict(extractor='c3d', colour='rgb')), settings=dict(a=1))
    found = differences(begun, now)
    assert found == 'modalities.audio {"dim": 3}, now null; modalities.visual.colour "bgr", now "rgb"'
    assert differences(begun, begun) == ''


def test_clips_whose_path_or_times_cannot_be_are_refused():
    assert Clip('', 'a.mp4') == Clip('', Path('a.mp4'))
    with pytest.raises(TypeError, match='not ndarray'):
        Clip('', np.eye(2))
    for times in (('0.5',), (0.0, '1'), (1.5, 0.5), (-1.0,), (np.nan,), (None,)):
        with pytest.raises(DataError, match=r'of a\.mp4 is impossible\. Give start < end'):
            Clip('', 'a.mp4', '', *times)

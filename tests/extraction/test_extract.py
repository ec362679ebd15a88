"""Extraction of many clips: which, how it is stopped and gone on with, and what happens to bad files."""

import csv
import json
import runpy

import numpy as np
import pytest

from avzoo.extraction.clips import find_clips, shard_of
from avzoo.extraction.extract import Settings, extract_all, extract_clip, finish, open_folder
from avzoo.extraction.extraction_folder import read_extraction
from avzoo.extraction.extractors import LogMelStatistics
from avzoo.utils.errors import DataError
from tests.conftest import REPO
from tests.extraction.made_videos import make_video

AUDIO = ('--visual', 'none', '--audio', 'log_mel_statistics')


@pytest.fixture
def videos(tmp_path):
    """Two classes of two good clips; five bad files: no video, empty, cut short, without sound, too short."""
    folder = tmp_path / 'videos'
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
def tool():
    return runpy.run_path(str(REPO / 'tools/extract_features.py'))['main']


def rows(path):
    return list(csv.DictReader(path.read_text(encoding='utf-8').splitlines()))


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()}


def test_good_clips_are_done_and_bad_ones_reported(tool, videos, tmp_path, capsys):
    out = tmp_path / 'out'
    assert tool([str(videos), str(out), *AUDIO]) == 3
    assert '4 of 9 clips have features' in capsys.readouterr().out
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
    whole = open_folder(tmp_path / 'whole', extractors, settings)
    finish(whole, clips, extract_all(clips, whole, extractors, settings))
    broken = open_folder(tmp_path / 'broken', extractors, settings)
    extract_all(clips[:2], broken, extractors, settings)
    (broken / 'facts' / f'{clips[1].id}.json').unlink(missing_ok=True)  # As if killed between array and facts.
    (broken / 'audio' / 'cat_1.npy').unlink()
    again = open_folder(broken, extractors, settings)
    finish(again, clips, extract_all(clips, again, extractors, settings))
    assert content(whole) == content(broken)


def test_what_is_done_is_not_done_again(videos, tmp_path, monkeypatch):
    extractors, settings = dict(audio=LogMelStatistics()), Settings()
    clip = find_clips(videos)[0]
    out = open_folder(tmp_path / 'out', extractors, settings)
    extract_clip(clip, out, extractors, settings)
    monkeypatch.setattr(LogMelStatistics, 'steps', lambda *args: pytest.fail('computed again'))
    extract_clip(clip, out, extractors, settings)


def test_several_processes_write_the_same_files(tool, videos, tmp_path):
    assert tool([str(videos), str(tmp_path / 'one'), *AUDIO]) == 3
    assert tool([str(videos), str(tmp_path / 'two'), *AUDIO, '--jobs', '2']) == 3
    assert content(tmp_path / 'one') == content(tmp_path / 'two')


def test_shards_together_are_the_whole(tool, videos, tmp_path):
    tool([str(videos), str(tmp_path / 'one'), *AUDIO])
    for part in ('1/2', '2/2'):
        tool([str(videos), str(tmp_path / 'two'), *AUDIO, '--shard', part])
    tool([str(videos), str(tmp_path / 'two'), *AUDIO])
    assert content(tmp_path / 'one') == content(tmp_path / 'two')
    clips = find_clips(videos)
    assert sorted(c.id for i in range(3) for c in shard_of(clips, i, 3)) == sorted(c.id for c in clips)


def test_features_of_other_extractors_do_not_mix(videos, tmp_path):
    out = open_folder(tmp_path / 'out', dict(audio=LogMelStatistics()), Settings())
    with pytest.raises(DataError, match=r'other extractors or settings.*Name another folder'):
        open_folder(out, dict(audio=LogMelStatistics()), Settings(audio_stream=1))
    with pytest.raises(DataError, match='not a folder of extracted features'):
        open_folder(videos, dict(audio=LogMelStatistics()), Settings())


def test_a_table_names_parts_of_videos(videos, tmp_path):
    table = videos / 'clips.csv'
    table.write_text(
        'filename,label,start,end\ndog/dog_0.mkv,"dog, barking",0.5,1.5\ndog/dog_0.mkv,x,1,\ncat/cat_0.mkv,y,,\n'
    )
    found = find_clips(table)
    assert [(c.id, c.label, c.start, c.end) for c in found] == [
        ('dog_0_0.5_1.5', 'dog, barking', 0.5, 1.5), ('dog_0_1', 'x', 1.0, None), ('cat_0', 'y', 0.0, None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('video,label\na.mp4,x\n', 'write a header of filename'),
        ('', 'the columns are missing'),
        ('filename,label\na.mp4,dog, barking\n', 'line 2: it has more or fewer fields'),
        ('filename,label\n,x\n', 'line 2: filename is empty'),
        ('filename,start\na.mp4,soon\n', "line 2: start='soon'"),
        ('filename,start,end\na.mp4,5,4\n', 'line 2: a clip from 5 s to 4 s'),
        ('filename,start\na.mp4,nan\n', 'line 2: a clip from nan'),
        ('filename\na.mp4\na.mp4\n', 'two clips are called'),
        ('filename\n', 'holds no video'),
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


def test_the_folder_tells_how_long_its_steps_are(tool, videos, tmp_path):
    tool([str(videos), str(tmp_path / 'out'), *AUDIO])
    found = read_extraction(tmp_path / 'out')
    assert found.seconds == dict(audio=0.96) and found.features == dict(audio='log_mel_statistics')

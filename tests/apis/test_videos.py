"""Videos in place of features: predicting, and teaching new classes with and without a model."""

import copy
import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from avzoo.apis.adapt import adapt
from avzoo.apis.clip_features import ClipFeatures
from avzoo.apis.few_shot import FewShotClassifier
from avzoo.apis.inferencer import Inferencer
from avzoo.apis.support_videos import vectors_of_names
from avzoo.apis.video_answers import classify_videos, extractors_of
from avzoo.apis.video_clips import find_videos, read_video
from avzoo.checkpoints.training import load_checkpoint
from avzoo.checkpoints.zoo_weights import read_zoo_weights, write_zoo_weights
from avzoo.datasets.feature_store import FeatureStore
from avzoo.importers.class_vector_file import make_class_vectors
from avzoo.registry import EXTRACTORS
from avzoo.utils.cli import run_tool
from avzoo.utils.errors import AvzooError, ConfigError, DataError
from avzoo.zoo.build import config_of
from tests.support_clips import write_support
from tests.tools.test_printing import tool

pytest.importorskip('av')
from avzoo.extraction.extractor import Extractor
from tests.extraction.made_videos import make_video

NAME = 'tiny_custom_5shot'
SET = {'audio': 'tiny_sound gain=2.0', 'visual': 'tiny_pictures'}
SECONDS = dict(audio=0.2, visual=0.1)
QUICK = ['--audio', 'tiny_sound', '--visual', 'none', '--method', 'prototypes']


class TinySound(Extractor):
    modality, dim = 'audio', 6

    def __init__(self, gain: float = 2.0) -> None:
        self.gain = gain

    def seconds_per_step(self, media):
        return SECONDS['audio']

    def steps(self, media, start=0.0, end=None):
        samples = np.concatenate([np.zeros(0), *media.samples(16000, start, end)]).astype(np.float32)
        rows = samples[: len(samples) // 3200 * 3200].reshape(-1, 3200)
        bands = np.abs(np.fft.rfft(rows))[:, :1500].reshape(len(rows), 6, 250).mean(2)
        return (self.gain * bands / 100).astype(np.float32)

    def stamp(self):
        return dict(extractor='tiny_sound', gain=self.gain)


class TinyPictures(Extractor):
    modality, dim = 'visual', 9

    def seconds_per_step(self, media):
        return SECONDS['visual']

    def steps(self, media, start=0.0, end=None):
        frames = [frame.rgb.reshape(9, -1).mean(1) / 255 for frame in media.frames(start, end)]
        return np.array(frames, np.float32).reshape(-1, 9)

    def stamp(self):
        return dict(extractor='tiny_pictures')


@pytest.fixture(autouse=True)
def extractors():
    kinds = dict(tiny_sound=TinySound, tiny_pictures=TinyPictures)
    for name, kind in kinds.items():
        EXTRACTORS.register_module(name, module=kind)
    yield dict(audio=TinySound(), visual=TinyPictures())
    for name in kinds:
        EXTRACTORS.module_dict.pop(name)


def write_video(path, hertz=400.0, seconds=1.0, seed=0):
    times = np.arange(round(16000 * seconds)) / 16000
    noise = 0.01 * np.random.default_rng(seed).normal(size=len(times))
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = (0.5 * np.sin(2 * np.pi * hertz * times) + noise).astype(np.float32)[None]
    return make_video(path, seconds=seconds, rate=10, sound=sound)


@pytest.fixture
def weights(published, pretrained_zoo, tmp_path):
    """A function that writes weights of the tiny zoo that were trained on some features."""
    content = read_zoo_weights(published[0])

    def write(features=SET):
        meta = content['meta'] | dict(feature_set=features)
        return write_zoo_weights(tmp_path / 'said.safetensors', content['state_dict'], meta)

    return write


def test_a_model_answers_videos_as_it_answers_their_features(weights, extractors, tmp_path):
    video = write_video(tmp_path / 'clip.mkv')
    model = Inferencer(NAME, weights(), device='cpu')
    (answer,) = classify_videos(model, [video], top=3)
    (part,) = find_videos([video])
    (clip,) = read_video(part, extractors)
    assert {m: array.shape for m, array in clip.features.items()} == dict(audio=(5, 6), visual=(10, 9))
    assert answer['predictions'] == model(clip.features, top=3)[0]['predictions']
    assert (answer['video_id'], answer['start'], answer['end']) == ('clip.mkv', 0.0, None)


def test_windows_cut_each_modality_at_the_same_times(extractors, tmp_path):
    (part,) = find_videos([write_video(tmp_path / 'long.mkv', seconds=2.5)])
    (whole,) = read_video(part, extractors)
    windows = read_video(part, extractors, every=1.0)
    assert [(clip.start, clip.end) for clip in windows] == [(0, 1), (1, 2), (2, 2.5)]
    for m, array in whole.features.items():
        assert np.array_equal(np.concatenate([clip.features[m] for clip in windows]), array)
        assert len(windows[0].features[m]) == round(1 / SECONDS[m])


def test_the_last_window_of_a_part_ends_with_it(extractors, tmp_path):
    write_video(tmp_path / 'long.mkv', seconds=2.5)
    (tmp_path / 'parts.csv').write_text('filename,start,end\nlong.mkv,0.2,1.83\n')
    (part,) = find_videos([tmp_path / 'parts.csv'])
    assert [(c.start, c.end) for c in read_video(part, extractors, every=1.0)] == [(0.2, 1.2), (1.2, 1.83)]


def test_windows_in_which_a_modality_has_ended_are_warned_of(extractors, tmp_path):
    sound = np.random.default_rng(0).normal(size=(1, 24000)).astype(np.float32)
    (part,) = find_videos([make_video(tmp_path / 'clip.mkv', seconds=5, rate=10, sound=sound)])
    with pytest.warns(UserWarning, match=r'clip.mkv: only 1\.\d of 5\.0 s have audio features. 3 windows'):
        assert len(read_video(part, extractors, every=1.0)) == 2


@pytest.mark.parametrize('windows', [[], ['--every', '0.5']])
def test_each_part_of_a_video_that_cannot_be_used_is_told(windows, weights, extractors, tmp_path, capsys):
    write_video(tmp_path / 'long.mkv', seconds=2.5)
    (tmp_path / 'parts.csv').write_text('filename,start\nlong.mkv,0\nlong.mkv,50\nlong.mkv,60\nlong.mkv,1\n')
    given = ['--video', tmp_path / 'parts.csv', '--device', 'cpu', '--json', *windows]
    assert predict(NAME, weights(), *given) == 3
    told = capsys.readouterr()
    assert {answer['start'] for answer in json.loads(told.out)} >= {0, 1}
    assert '2 of 4 clips' in told.err and 'long.mkv (long_50)' in told.err and 'long.mkv (long_60)' in told.err


@pytest.mark.parametrize(('values', 'problem'), [([], 'less than one step'), ([[np.nan] * 9], 'not finite')])
def test_features_that_cannot_be_used_are_refused(values, problem, extractors, tmp_path, monkeypatch):
    steps = np.array(values, np.float32).reshape(-1, 9)
    monkeypatch.setattr(TinyPictures, 'steps', lambda *_: steps)
    (part,) = find_videos([write_video(tmp_path / 'clip.mkv')])
    with pytest.raises(DataError, match=problem):
        read_video(part, extractors)
    with pytest.raises(DataError, match='1 of 1 clips') as error:
        ClipFeatures(dict(visual='tiny_pictures')).of_videos([part.path])
    assert problem in str(error.value)


def test_a_window_that_is_shorter_than_a_step_is_refused(extractors, tmp_path):
    (part,) = find_videos([write_video(tmp_path / 'clip.mkv', seconds=0.3)])
    with pytest.raises(DataError, match=r'0\.05 s'):
        read_video(part, dict(audio=extractors['audio']), every=0.05)


@pytest.mark.parametrize(
    ('features', 'named'),
    [
        (SET | dict(audio='tiny_sound gain=2.0 version=9'), 'version=9.*here they would be'),
        (SET | dict(audio='vggish-pca-u8'), 'no avzoo extractor'),
        (dict(audio=SET['audio']), 'visual features'),
        (SET | dict(audio='tiny_pictures'), 'an extractor for --visual'),
    ],
)
def test_features_that_cannot_be_made_again_are_refused(weights, tmp_path, features, named):
    model = Inferencer(NAME, weights(features), device='cpu')
    with pytest.raises(AvzooError, match=named):
        list(classify_videos(model, [write_video(tmp_path / 'clip.mkv')]))


@pytest.mark.parametrize('gain', [2.0, 9.0])
def test_an_option_of_the_features_is_taken_over(weights, gain):
    model = Inferencer(NAME, weights(SET | dict(audio=f'tiny_sound gain={gain}')), device='cpu')
    assert extractors_of(model, {})['audio'].gain == gain


def predict(*arguments):
    return run_tool(tool('predict').main, [str(argument) for argument in arguments])


def test_the_tool_reports_bad_videos_and_answers_the_others(weights, tmp_path, capsys):
    write_video(tmp_path / 'clips' / 'good.mkv')
    (tmp_path / 'clips' / 'bad.mkv').write_bytes(b'no video')
    given = [NAME, weights(), '--video', tmp_path / 'clips', '--device', 'cpu', '--top', '2', '--every', '0.5']
    assert predict(*given, '--csv') == 3
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(out.splitlines()))
    assert [(row['video_id'], row['start'], row['end'], row['rank']) for row in rows] == [
        ('good.mkv', start, end, rank) for start, end in (('0.0', '0.5'), ('0.5', '1.0')) for rank in '12'
    ]
    assert {row['kind'] for row in rows} <= {'base', 'novel'}
    assert 'bad.mkv' in err


@pytest.mark.parametrize('form', [[], ['--csv']])
def test_answers_are_shown_as_they_come(weights, tmp_path, capsys, monkeypatch, form):
    video = write_video(tmp_path / 'first.mkv')

    def read(part, *rest):
        if part.path != video:
            raise KeyboardInterrupt
        return read_video(part, *rest)

    monkeypatch.setattr('avzoo.apis.video_answers.read_video', read)
    given = ['--video', video, write_video(tmp_path / 'second.mkv'), '--device', 'cpu', '--top', '1', *form]
    assert predict(NAME, weights(), *given) == 130
    assert len([line for line in capsys.readouterr().out.splitlines() if 'first.mkv' in line]) == 1


@pytest.mark.parametrize(
    'given',
    [
        ['--every', '5', '--features', 'x'],
        ['--audio-option', 'weights=y', '--features', 'x'],
        ['--video', 'x', '--video-id', 'y'],
        ['--video', 'x', '--batch-size', '2'],
        ['--video', 'x', '--features', 'y'],
        [],
    ],
)
def test_options_that_do_not_go_together_are_refused(given, capsys):
    with pytest.raises(SystemExit):
        tool('predict').parse_args(['m', *given])
    assert 'error: argument --' in capsys.readouterr().err


@pytest.mark.parametrize(
    'given',
    [
        ['w.pth', '--video', 'x.mp4'],
        ['--cfg-options', 'a=1', '--video', 'x.mp4'],
        ['--no-calibration', '--video', 'x.mp4'],
        ['--audio-option', 'a=1', '--video', 'x.mp4'],
        ['--visual-option', 'a=1', '--video', 'x.mp4'],
        ['--batch-size', '2', '--features', 'x'],
    ],
    ids=lambda given: given[0],
)
def test_options_of_a_trained_model_are_refused_for_a_classifier(given, tmp_path):
    for name in ('config.json', 'model.safetensors'):
        (tmp_path / name).touch()
    option = given[0] if given[0].startswith('--') else 'CKPT'
    with pytest.raises(ConfigError, match=f'few-shot classifier.*{option}'):
        tool('predict').main([str(tmp_path), *given])


@pytest.mark.parametrize(
    ('given', 'model', 'checkpoint', 'videos'),
    [
        (['a.mp4'], 'work_dirs/classifier', None, ['a.mp4']),
        (['m', 'a.WEBM'], 'm', None, ['a.WEBM']),
        (['a.mp4', 'b.mkv', '--video', 'c'], 'work_dirs/classifier', None, ['a.mp4', 'b.mkv', 'c']),
        (['m', 'w.pth', '--video', 'a.mp4'], 'm', 'w.pth', ['a.mp4']),
        (['a.mp4', 'b.mp4', 'c.mp4', 'd.mp4'], 'work_dirs/classifier', None, ['a.mp4', 'b.mp4', 'c.mp4', 'd.mp4']),
        (['m', 'w.pth', 'a.mp4', 'b.mp4'], 'm', 'w.pth', ['a.mp4', 'b.mp4']),
        (['a.mp4', 'm'], 'm', None, ['a.mp4']),
        (['m', '--video', 'c', 'd', '--top', '2'], 'm', None, ['c', 'd']),
    ],
)
def test_a_video_among_the_positions_is_asked_about(given, model, checkpoint, videos):
    args = tool('predict').parse_args(given)
    assert (args.model, args.checkpoint, args.video) == (model, checkpoint, videos)


def test_a_third_name_that_is_no_video_is_refused(capsys):
    with pytest.raises(SystemExit):
        tool('predict').parse_args(['m', 'a.mp4', 'w.pth', 'clips', 'more'])
    assert 'unrecognized arguments: clips more; give folders and tables' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('given', 'last', 'place'), [(['clips'], 'clips', 'MODEL'), (['my_classifier', 'a.tsv'], 'a.tsv', 'CKPT')]
)
def test_a_folder_or_a_table_without_its_option_is_told_which(capsys, given, last, place):
    with pytest.raises(SystemExit):
        tool('predict').parse_args(given)
    told = capsys.readouterr().err
    assert (
        f'{last} was read as {place}. To classify it, write --video {last} (' in told and f'--features {last}' in told
    )


def test_videos_of_one_name_are_called_by_their_paths(extractors, tmp_path):
    videos = [write_video(tmp_path / f'{name}.mkv', hertz) for name, hertz in dict(low=300, high=3500).items()]
    model = FewShotClassifier(dict(audio='tiny_sound', visual='tiny_pictures')).fit(videos, ['low', 'high'])
    for path in ('a/1.mkv', 'b/1.mkv', 'b/2.mkv'):
        write_video(tmp_path / 'asked' / path)
    (tmp_path / 'asked/a/3.mkv').write_text('x')
    (tmp_path / 'asked/b/3.mkv').write_text('x')
    bad = {}
    answers = classify_videos(model, [tmp_path / 'asked'], on_bad=bad.__setitem__)
    both = [str(tmp_path / 'asked' / folder / '1.mkv') for folder in 'ab']
    assert [answer['video_id'] for answer in answers] == [*both, '2.mkv']
    assert sorted(bad) == [str(tmp_path / 'asked' / folder / '3.mkv') for folder in 'ab']


def test_without_a_taught_classifier_the_tool_says_how_to_teach_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert predict('clip.mp4') == 2
    assert 'adapt.py' in capsys.readouterr().err


def test_a_folder_that_is_no_classifier_is_named(tmp_path, capsys):
    assert predict(tmp_path, '--video', 'clip.mp4') == 2
    assert 'which has config.json' in capsys.readouterr().err


def test_a_model_of_the_zoo_is_meant_though_a_folder_has_its_name(weights, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).mkdir()
    assert predict(NAME, weights(), '--video', write_video(tmp_path / 'clip.mkv'), '--device', 'cpu', '--json') == 0
    assert json.loads(capsys.readouterr().out)[0]['video_id'] == 'clip.mkv'


@pytest.fixture
def folder(tmp_path):
    """Four videos of each of two classes."""
    for name, hertz in dict(low=300, high=3500).items():
        for i in range(4):
            write_video(tmp_path / 'support' / name / f'{name}{i}.mkv', hertz, seconds=0.6, seed=i)
    return tmp_path / 'support'


def test_without_a_model_the_clips_alone_teach_a_classifier(folder, tmp_path, capsys):
    given = ['--support', folder, '--out', tmp_path / 'taught', '--audio', 'tiny_sound', '--visual', 'tiny_pictures']
    assert run_tool(tool('adapt').main, [str(one) for one in given]) == 0
    out = capsys.readouterr().out
    assert 'was chosen' in out
    assert 'high; low' in out
    video = write_video(tmp_path / 'new.mkv', 320)
    assert predict(tmp_path / 'taught', '--video', video, '--json') == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer['predictions'][0]['class'] == 'low'
    assert sum(entry['probability'] for entry in answer['predictions']) == pytest.approx(1)


def test_known_labels_stand_beside_the_answers_and_are_counted(folder, tmp_path, capsys, monkeypatch):
    FewShotClassifier(dict(audio='tiny_sound'), 'prototypes').fit(folder).save_pretrained(tmp_path / 'taught')
    asked = tmp_path / 'asked'
    for name, hertz in {'low/a': 320, 'low/b': 3400, 'high/c': 3300, 'horn/d': 300, 'e': 300}.items():
        write_video(asked / f'{name}.mkv', hertz)
    expected = {'a': 'low', 'b': 'low', 'c': 'high', 'd': 'horn', 'e': None}
    summary = (
        '2 of 3 labelled clips right: 66.7 % (95% interval 20.8 to 93.9).\n'
        '  b{0}: label low, answer high\n'
        '1 clip has a label that the model does not know: horn.\n'
    )
    assert predict(tmp_path / 'taught', '--video', asked, '--json') == 0
    told = capsys.readouterr()
    assert {one['video_id'][0]: one['label'] for one in json.loads(told.out)} == expected
    assert told.err.endswith(summary.format('.mkv'))
    assert predict(tmp_path / 'taught', '--video', asked, '--csv', '--every', '0.5') == 0  # Windows are not counted.
    told = capsys.readouterr()
    assert {row['video_id'][0]: row['label'] or None for row in csv.DictReader(told.out.splitlines())} == expected
    assert ' right' not in told.err
    given = [asked, tmp_path / 'features', '--audio', 'tiny_sound', '--visual', 'none']
    assert run_tool(tool('extract_features').main, [str(one) for one in given]) == 0
    assert predict(tmp_path / 'taught', '--features', tmp_path / 'features') == 0
    told = capsys.readouterr()
    assert told.err.endswith(summary.format('')) and '\na  label low\n' in f'\n{told.out}'


def test_answers_without_labels_have_no_place_for_them(folder, tmp_path, capsys):
    FewShotClassifier(dict(audio='tiny_sound'), 'prototypes').fit(folder).save_pretrained(tmp_path / 'taught')
    for form in ('--json', '--csv'):
        assert predict(tmp_path / 'taught', '--video', folder / 'low', form) == 0
        told = capsys.readouterr()
        assert 'label' not in told.out and ' right' not in told.err


def test_known_labels_stand_beside_the_answers_of_a_trained_model(weights, tmp_path, capsys):
    write_video(tmp_path / 'asked' / 'class00' / 'a.mkv')
    assert predict(NAME, weights(), '--video', tmp_path / 'asked', '--json', '--device', 'cpu') == 0
    told = capsys.readouterr()
    (answer,) = json.loads(told.out)
    right = answer['predictions'][0]['class'] == answer['label'] == 'class00'
    assert f'{int(right)} of 1 labelled clip right' in told.err
    names = ['--audio', 'tiny_sound', '--visual', 'tiny_pictures']
    given = [tmp_path / 'asked', tmp_path / 'features', *names]
    assert run_tool(tool('extract_features').main, [str(one) for one in given]) == 0
    capsys.readouterr()
    assert predict(NAME, weights(), '--features', tmp_path / 'features', '--json', '--device', 'cpu') == 0
    told = capsys.readouterr()
    assert json.loads(told.out)[0]['label'] == 'class00' and 'of 1 labelled clip right' in told.err


def test_a_classifier_that_was_not_named_is_said_to_answer(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = FewShotClassifier(dict(audio='tiny_sound'), 'prototypes').fit(folder)
    model.save_pretrained('work_dirs/classifier')
    said = 'No MODEL was given; using work_dirs/classifier, a classifier of 2 classes.'
    video = write_video(tmp_path / 'new.mkv', 320)
    assert predict(video) == 0 and said in capsys.readouterr().err
    assert predict('work_dirs/classifier', video) == 0 and said not in capsys.readouterr().err


@pytest.fixture
def shown(monkeypatch, capsys):
    """What is shown of the progress while a function runs, a line for each call."""
    monkeypatch.setattr('avzoo.utils.progress._EVERY', 0)

    def lines(work):
        capsys.readouterr()
        work()
        return [line.split(',')[0] for line in capsys.readouterr().err.splitlines() if ' videos/s' in line]

    return lines


def test_long_work_on_videos_shows_how_far_it_is(folder, weights, base_store, tmp_path, shown, monkeypatch):
    taught, extractor = tmp_path / 'taught', dict(audio='tiny_sound')
    given = ['--support', str(folder), '--out', str(taught), *QUICK]
    each = [f'{done} of 8 videos' for done in range(9)]
    assert shown(lambda: run_tool(tool('adapt').main, given)) == each
    assert shown(lambda: predict(taught, '--video', folder, '--json')) == each
    assert shown(lambda: FewShotClassifier(extractor, 'prototypes', verbose=True).fit(folder)) == each
    assert shown(lambda: teach(weights(), folder, base_store, tmp_path)) == each
    monkeypatch.setattr('avzoo.apis.clip_features.progress_of', None)  # A program may have a bar of its own.
    assert shown(lambda: FewShotClassifier(extractor, 'prototypes').fit(folder)) == []


def test_a_folder_of_other_things_is_not_written_into(folder, tmp_path, capsys):
    (tmp_path / 'work').mkdir()
    (tmp_path / 'work' / 'README.md').write_text('mine')
    given = ['--support', str(folder), '--audio', 'tiny_sound', '--visual', 'none', '--out', str(tmp_path / 'work')]
    assert run_tool(tool('adapt').main, given) == 2
    assert str(tmp_path / 'work') in capsys.readouterr().err
    assert [path.name for path in (tmp_path / 'work').iterdir()] == ['README.md']


def test_a_clip_in_two_classes_is_warned_of(folder, tmp_path, capsys):
    shutil.copy(folder / 'low' / 'low0.mkv', folder / 'high' / 'again.mkv')
    given = ['--support', str(folder), '--out', str(tmp_path / 'taught'), *QUICK]
    assert run_tool(tool('adapt').main, given) == 0
    warning = capsys.readouterr().err
    assert 'low0.mkv' in warning and 'again.mkv' in warning and warning.count('warning') == 1


@pytest.mark.parametrize('lacking, cure', [('audio', 'sound (--audio none)'), ('visual', 'pictures (--visual none)')])
def test_a_clip_that_lacks_a_modality_asks_whether_it_is_to_be_read(folder, tmp_path, capsys, lacking, cure):
    if lacking == 'audio':  # Longer: its pictures are not those of all others.
        make_video(folder / 'low' / 'silent.mkv', seconds=1.6, rate=10)
    else:
        make_video(folder / 'low' / 'dark.mkv', codec=None, sound=np.ones((1, 16000), np.float32) / 2)
    names = dict(audio='tiny_sound', visual='tiny_pictures')
    given = ['--support', str(folder), '--out', str(tmp_path / 't'), '--method', 'prototypes']
    asked = [text for m, name in names.items() for text in (f'--{m}', name)]
    assert run_tool(tool('adapt').main, [*given, *asked]) == 2
    assert f'Leave them out, or do without {cure}:' in capsys.readouterr().err
    names[lacking] = 'none'
    asked = [text for m, name in names.items() for text in (f'--{m}', name)]
    assert run_tool(tool('adapt').main, [*given, *asked]) == 0


def test_extracted_features_teach_what_their_videos_teach(folder, tmp_path):
    names = ['--audio', 'tiny_sound', '--visual', 'tiny_pictures', '--audio-option', 'gain=3']
    assert run_tool(tool('extract_features').main, [str(folder), str(tmp_path / 'features'), *names]) == 0
    model = FewShotClassifier(method='prototypes').fit(tmp_path / 'features')
    assert model.stamps_['audio'] == dict(extractor='tiny_sound', gain=3.0)
    again = FewShotClassifier.from_pretrained(model.save_pretrained(tmp_path / 'taught'))
    assert again.extractors()['audio'].gain == 3.0
    videos = sorted(folder.glob('*/*.mkv'))
    assert again.predict(videos).tolist() == [path.parent.name for path in videos]


@pytest.mark.parametrize(
    ('file', 'problem'),
    [
        ('audio/low0.npy', "clip 'low0' in clips.csv has no audio features"),
        ('clips.csv', 'once on all clips without --shard'),
    ],
)
def test_extracted_features_that_are_not_complete_are_refused(file, problem, folder, tmp_path):
    given = [folder, tmp_path / 'features', '--audio', 'tiny_sound', '--visual', 'none']
    assert run_tool(tool('extract_features').main, [str(one) for one in given]) == 0
    (tmp_path / 'features' / file).unlink()
    with pytest.raises(DataError, match=problem):
        FewShotClassifier().fit(tmp_path / 'features')


def test_the_tool_uses_clips_of_other_classes(folder, tmp_path, capsys):
    for name, hertz in dict(middle=1200, top=6000).items():
        for i in range(3):
            write_video(tmp_path / 'others' / name / f'{name}{i}.mkv', hertz, seconds=0.6, seed=9 + i)
    names = ['--audio', 'tiny_sound', '--visual', 'tiny_pictures']
    assert run_tool(tool('extract_features').main, [str(tmp_path / 'others'), str(tmp_path / 'base'), *names]) == 0
    given = ['--support', folder, '--base-store', tmp_path / 'base', '--out', tmp_path / 'taught', *names]
    assert run_tool(tool('adapt').main, [str(one) for one in given]) == 0
    assert 'base_discriminant' in capsys.readouterr().out


def test_a_support_that_teaches_no_classifier_says_what_does(tiny_store, tmp_path, capsys):
    for support in (tiny_store, write_support(tmp_path / 'clips')):
        assert run_tool(tool('adapt').main, ['--support', str(support), '--out', str(tmp_path / 'taught')]) == 2
        told = capsys.readouterr().err
        assert f'{support} holds no video' in told and 'one subfolder of videos per class' in told
        assert 'extract_features.py' in told and 'adapt.py MODEL' in told and 'fit(features, labels)' in told


def test_features_without_labels_teach_nothing(tmp_path):
    write_video(tmp_path / 'clips' / 'a.mkv')
    given = [tmp_path / 'clips', tmp_path / 'features', '--audio', 'tiny_sound', '--visual', 'none']
    assert run_tool(tool('extract_features').main, [str(one) for one in given]) == 0
    with pytest.raises(DataError, match='no label'):
        FewShotClassifier().fit(tmp_path / 'features')


@pytest.mark.parametrize(
    ('given', 'named'),
    [
        (['--support', 'x', '--shots', '2'], '--shots'),
        (['--support', 'x', '--draw', '1'], '--draw'),
        (['--support', 'x', '--cfg-options', 'a=1'], '--cfg-options'),
        (['m', '--support', 'x'], '--shots'),
        (['m', '--support', 'x', '--shots', '2', '--method', 'prototypes'], '--method'),
        (['m', '--support', 'x', '--shots', '2', '--audio', 'vggish'], '--audio'),
        (['--support', 'x', '--support', 'y'], '--support: may be given only once'),
        (['--support', 'x', '--labels', 'y', '--labels', 'z'], '--labels: may be given only once'),
    ],
)
def test_options_that_do_not_go_with_the_way_to_teach_are_refused(given, named, capsys):
    with pytest.raises(SystemExit):
        tool('adapt').parse_args(given)
    assert f'argument {named}' in capsys.readouterr().err


@pytest.mark.parametrize('more', [[], ['--shots', '5']])
def test_a_classifier_of_clips_alone_is_not_taken_for_a_model_to_teach(more, tmp_path, capsys):
    for name in ('config.json', 'model.safetensors'):
        (tmp_path / name).touch()
    with pytest.raises(SystemExit):
        tool('adapt').parse_args([str(tmp_path), '--support', 'x', *more])
    assert 'Fit a new one to all clips, old and new: leave MODEL out and give --support ALL' in capsys.readouterr().err


@pytest.mark.parametrize(('dropped', 'end'), [(['dog', 'cat'], ': low; these replace: dog; cat\n'), ([], ': low\n')])
def test_the_tool_names_the_classes_that_are_dropped(dropped, end, monkeypatch, capsys):
    done = dict(checkpoint='taught.pth', base_classes=['a'], novel_classes=['low'], dropped_classes=dropped)
    monkeypatch.setattr('avzoo.apis.adapt.adapt', lambda *_, **__: done)
    monkeypatch.setattr('avzoo.zoo.build.config_of', lambda *_: None)
    assert run_tool(tool('adapt').main, ['m', '--support', 'x', '--shots', '1']) == 0
    told = capsys.readouterr().out
    assert told.startswith('taught.pth: 1 base class, and new') and 'from 1 clip each' in told and told.endswith(end)


@pytest.fixture
def base_store(tiny_store, tmp_path, monkeypatch):
    """The tiny store, whose class vectors are means of word vectors, and the file of these."""
    monkeypatch.chdir(tmp_path)
    words = {f'class{i:02}': [i, 1, 0, 0, 0] for i in range(11)} | dict(low=[0, 0, 1, 0, 2], high=[0, 0, 0, 1, 2])
    (tmp_path / 'words.txt').write_text(''.join(f'{w} {" ".join(map(str, v))}\n' for w, v in words.items()))
    made = make_class_vectors({name: name for name in words}, 'words.txt')
    root = shutil.copytree(tiny_store, tmp_path / 'store')
    content = json.loads((root / 'store.json').read_text())
    entry = content['class_embeddings'].pop('text')
    told = json.dumps({key: made.provenance[key] for key in ('source', 'sha256', 'options')})
    content['class_embeddings'][made.provenance['kind']] = dict(entry, source=told)
    (root / 'store.json').write_text(json.dumps(content | dict(features=SET)))
    return root


def teach(weights, support, base_store, tmp_path):
    cfg = copy.deepcopy(config_of(NAME))
    cfg.train_dataloader.batch_size, cfg.train_dataloader.batch_sampler.num_batches = 4, 1
    out = tmp_path / 'taught.pth'
    return adapt(cfg, weights, support=support, shots=2, out=out, base_store=base_store, epochs=1)


def test_videos_teach_a_model_with_vectors_of_the_names_of_their_folders(weights, base_store, folder, tmp_path, capsys):
    done = teach(weights(), folder, base_store, tmp_path)
    assert sorted(done['novel_classes']) == ['high', 'low']
    assert load_checkpoint(done['checkpoint'])['meta']['feature_set'] == SET
    answers = list(classify_videos(Inferencer(NAME, done['checkpoint'], device='cpu'), [folder], top=20))
    assert {'high', 'low'} <= {entry['class'] for entry in answers[0]['predictions']}


def test_clips_of_features_without_class_vectors_get_those_of_the_names_of_their_folders(weights, base_store, tmp_path):
    support = tmp_path / 'clips'
    for name in ('low', 'high'):
        (support / name).mkdir(parents=True)
        for i in range(2):
            np.savez(support / name / f'{i}.npz', audio=np.full((2, 6), i + 1.0), visual=np.full((3, 9), i - 1.0))
    done = teach(weights(), support, base_store, tmp_path)
    assert sorted(done['novel_classes']) == ['high', 'low']
    store = FeatureStore(base_store)
    made = vectors_of_names(['low', 'high'], store=store, embedding=None, scratch=tmp_path)
    assert made.array.tolist() == [[0, 0, 1, 0, 2], [0, 0, 0, 1, 2]] and made.kind == store.embedding_name()


def test_other_word_vectors_than_the_stores_are_refused(weights, base_store, folder, tmp_path):
    with open(tmp_path / 'words.txt', 'a') as file:
        file.write('more 1 2 3 4 5\n')
    with pytest.raises(DataError, match=r'class vectors.*class_embeddings\.npz'):
        teach(weights(), folder, base_store, tmp_path)


def test_a_store_that_does_not_say_how_its_vectors_were_made_asks_for_a_file(weights, tiny_store, folder, tmp_path):
    with pytest.raises(DataError, match=r'does not say.*tools/class_vectors\.py'):
        teach(weights(), folder, tiny_store, tmp_path)


def test_all_videos_that_cannot_be_used_are_named(weights, base_store, folder, tmp_path):
    (folder / 'low' / 'broken.mkv').write_bytes(b'x')
    (folder / 'loose.mkv').write_bytes(b'x')
    with pytest.raises(DataError, match=r'2 videos') as caught:
        teach(weights(), folder, base_store, tmp_path)
    assert 'broken' in str(caught.value) and 'loose' in str(caught.value)


def test_a_class_with_too_few_videos_is_named_by_the_folder_that_was_given(weights, base_store, folder, tmp_path):
    for video in list((folder / 'low').iterdir())[1:]:
        video.unlink()
    with pytest.raises(DataError) as caught:
        teach(weights(), folder, base_store, tmp_path)
    assert str(caught.value).startswith(f"{folder} class 'low' has 1 clip;")


@pytest.fixture
def table(tmp_path):
    """A table of parts of six seconds of sound: each second is of the other class."""
    times = np.arange(6 * 16000) / 16000
    hertz = np.where(times.astype(int) % 2, 300, 3500)
    for seed, name in enumerate(('one', 'two')):
        noise = 0.01 * np.random.default_rng(seed).normal(size=len(times))
        sound = (0.5 * np.sin(2 * np.pi * hertz * times) + noise).astype(np.float32)[None]
        make_video(tmp_path / f'{name}.mkv', seconds=6.0, rate=10, sound=sound)
    rows = [f'{name}.mkv,{"low" if i % 2 else "high"},{i},{i + 1}' for name in ('one', 'two') for i in range(6)]
    path = tmp_path / 'parts.csv'
    path.write_text('\n'.join(['filename,label,start,end', *rows]))
    return path


def test_a_classifier_is_taught_by_the_parts_that_a_table_names(table, tmp_path):
    parts = find_videos([table])
    steps = [read_video(part, dict(audio=TinySound()))[0].features['audio'] for part in parts]
    means = np.stack([array.mean(axis=0, dtype=np.float64) for array in steps])
    groups = [part.path.name for part in parts]
    expected = FewShotClassifier().fit(dict(audio=means), [part.label for part in parts], groups=groups)
    found = FewShotClassifier(dict(audio='tiny_sound')).fit(table)
    assert found.report_ == expected.report_ and found.report_['prototypes']['accuracy'] == 1
    np.testing.assert_allclose(found.linear_.weight, expected.linear_.weight, atol=1e-6)
    assert run_tool(tool('adapt').main, ['--support', str(table), '--out', str(tmp_path / 'taught'), *QUICK]) == 0
    taught = FewShotClassifier.from_pretrained(tmp_path / 'taught')
    answers = [answer['predictions'][0]['class'] for answer in classify_videos(taught, [table])]
    assert answers == [part.label for part in parts]


def test_a_list_of_parts_is_taught_as_their_table_is(table):
    model, parts = FewShotClassifier(dict(audio='tiny_sound'), 'prototypes'), find_videos([table])
    labels = ['low', *(part.label for part in parts[1:])]
    table.write_text(table.read_text().replace('high', 'low', 1))
    model.fit(table)
    report, mistakes = model.report_, model.mistakes_
    assert mistakes[0] == dict(clip=f'{table.parent / "one.mkv"} from 0 s', label='low', answer='high')
    for clips in (parts, [replace(part, group='') for part in parts]):
        found = model.fit(clips, labels)
        assert (found.report_, found.mistakes_) == (report, mistakes)
    groups = [f'{i // 2}' for i in range(len(parts))]
    of_clips = model.fit([replace(part, group=group) for part, group in zip(parts, groups, strict=True)], labels)
    assert of_clips.report_ != report
    report = of_clips.report_
    assert model.fit(parts, labels, groups).report_ == report


def test_parts_that_are_the_same_are_told_apart_in_a_warning(table):
    table.write_text('filename,label,start,end\none.mkv,a,0,1\none.mkv,b,0,1.01\ntwo.mkv,b,,\n')
    told = r'one\.mkv from 0 s to 1 s of class a and \S*one\.mkv from 0 s to 1\.01 s of class b have the same features'
    with pytest.warns(UserWarning, match=told):
        FewShotClassifier(dict(audio='tiny_sound'), 'prototypes').fit(table)


def test_a_hidden_clip_does_not_teach_a_model_in_silence(weights, base_store, table, tmp_path):
    shutil.copy(tmp_path / 'one.mkv', tmp_path / '.one.mkv')
    table.write_text(table.read_text().replace('one.mkv', '.one.mkv'))
    with pytest.raises(DataError, match=r"clip '\.one_0_1' has the name of a hidden file"):
        teach(weights(), table, base_store, tmp_path)


def test_all_parts_without_a_label_are_named(weights, base_store, table, tmp_path):
    table.write_text('filename,label,start\none.mkv,low,0\none.mkv,,1\none.mkv,,2\n')
    with pytest.raises(DataError, match='2 videos cannot be used') as caught:
        teach(weights(), table, base_store, tmp_path)
    assert 'one_1' in str(caught.value) and 'one_2' in str(caught.value)


def test_parts_behind_the_end_of_a_video_are_told_apart(table):
    table.write_text('filename,label,start\none.mkv,a,0\none.mkv,b,50\ntwo.mkv,b,\none.mkv,a,60\n')
    with pytest.raises(DataError, match='2 of 4 clips cannot be used') as caught:
        FewShotClassifier(dict(audio='tiny_sound')).fit(table)
    assert all(f'from {start} s on; check where the video ends' in str(caught.value) for start in (50, 60))


def test_a_table_without_labels_teaches_nothing(table):
    table.write_text('filename,start,end\none.mkv,0,1\ntwo.mkv,0,1\n')
    with pytest.raises(
        DataError, match=r'parts\.csv: one\.mkv has no class.* a table \(\.csv, \.tsv\) of filename and'
    ):
        FewShotClassifier(dict(audio='tiny_sound'), 'prototypes').fit(table)


@pytest.mark.parametrize('suffix', ['.csv', '.tsv'])
def test_a_model_is_taught_by_the_parts_that_a_table_names(weights, base_store, table, tmp_path, suffix):
    done = teach(weights(), table.rename(table.with_suffix(suffix)), base_store, tmp_path)
    assert sorted(done['novel_classes']) == ['high', 'low']


@pytest.mark.parametrize('label', ['../low', 'a/b', '..', '.low', '__MACOSX'])
def test_a_label_that_cannot_be_the_name_of_a_folder_is_refused(weights, base_store, table, tmp_path, label):
    table.write_text(table.read_text().replace('low', label))
    model, before = weights(), sorted(tmp_path.rglob('*'))
    with pytest.raises(DataError, match='videos cannot be used') as caught:
        teach(model, table, base_store, tmp_path)
    assert f"class '{label}' cannot be a folder name. Rename it." in str(caught.value)
    assert sorted(tmp_path.rglob('*')) == before

"""Teaching and asking without a browser: what goes wrong is said in a sentence, and nothing is lost."""

import threading
import time

import pytest

from avzoo.apis.few_shot import FewShotClassifier
from avzoo.demo.refusal import Refused
from avzoo.demo.saved import SavedClassifiers
from avzoo.demo.trial import Trial
from avzoo.demo.uploads import Limits
from avzoo.demo.worker import CountedPaths, Job, Worker
from avzoo.utils.errors import DataError
from tests.demo.made_clips import KINDS, make_clip

pytest.importorskip('av', reason="videos are read by PyAV: pip install 'avzoo[video]'")
SOUND = ['audio']  # Its features need no network.


@pytest.fixture
def trial(tmp_path) -> Trial:
    (tmp_path / 'clips').mkdir()
    return Trial(tmp_path / 'clips', SavedClassifiers(tmp_path / 'classifiers'), Limits())


def upload(trial: Trial, path):
    with path.open('rb') as file:
        return trial.uploads.receive(file, path.stat().st_size)


def add(trial: Trial, label: str, path) -> None:
    if label not in {one['name'] for one in trial.examples.state()}:
        trial.examples.add_class(label)
    wanted = next(one['id'] for one in trial.examples.state() if one['name'] == label)
    trial.take_clip(wanted, path.name, upload(trial, path))


def ended(trial: Trial) -> Job:
    while trial.worker.busy:
        time.sleep(0.01)
    return trial.worker.job


def taught(trial: Trial, folder, count: int = 2) -> Trial:
    for n, kind in enumerate(KINDS):
        for i in range(count):
            add(trial, kind, make_clip(folder / f'{n}{i}.mkv', kind, seed=10 * n + i, seconds=1.2))
    trial.teach(SOUND)
    assert ended(trial).error is None
    return trial


def test_a_clip_is_classified_and_the_file_removed(trial, tmp_path):
    taught(trial, tmp_path)
    trial.ask('new.mkv', upload(trial, make_clip(tmp_path / 'new.mkv', 'turning stripes', seed=99, seconds=1.2)))
    assert ended(trial).error is None
    assert trial.answer['classes'][0]['name'] == 'turning stripes'
    assert sum(row['probability'] for row in trial.answer['classes']) == pytest.approx(1)
    assert trial.answer['frames'] == [] and trial.answer['log_mel']['seconds'] == 0.96  # Sound alone was learned.
    assert len(list((tmp_path / 'clips').iterdir())) == 4


def test_what_was_saved_answers_elsewhere(trial, tmp_path):
    taught(trial, tmp_path)
    folder = trial.save('Shapes')
    clip = make_clip(tmp_path / 'new.mkv', 'jumping ball', seed=98, seconds=1.2)
    assert FewShotClassifier.from_pretrained(folder).predict([clip]).tolist() == ['jumping ball']
    assert trial.saved.titles() == {folder.name: 'Shapes'}
    other = Trial(tmp_path / 'clips', trial.saved, Limits())
    other.load(trial.saved.path_of(folder.name), 'Shapes')
    other.ask('new.mkv', upload(other, clip))
    assert ended(other).error is None and other.answer['classes'][0]['name'] == 'jumping ball'


def test_a_classifier_of_features_cannot_be_asked_about_clips(trial, tmp_path):
    FewShotClassifier().fit([[0.0, 1.0], [1.0, 0.0]], ['a', 'b']).save_pretrained(tmp_path / 'other')
    with pytest.raises(DataError, match='fitted to features'):
        trial.load(tmp_path / 'other', 'other')


def test_a_name_of_the_hub_is_not_downloaded(trial, tmp_path):
    with pytest.raises(DataError, match='is not a folder'):
        trial.load(tmp_path / 'user' / 'model', 'x')


def test_a_silent_clip_is_named(trial, tmp_path):
    add(trial, 'loud', make_clip(tmp_path / 'loud.mkv', 'jumping ball', seed=0))
    add(trial, 'silent', make_clip(tmp_path / 'silent.mkv', 'jumping ball', seed=1, sound=False))
    with pytest.raises(Refused, match=r'silent\.mkv has no sound'):
        trial.teach(SOUND)


def test_the_classifier_before_a_failed_one_stays(trial, tmp_path):
    model = taught(trial, tmp_path).classifier()
    add(trial, 'jumping ball', make_clip(tmp_path / 'short.mkv', 'jumping ball', seed=5, seconds=0.3))
    trial.teach(SOUND)
    error = ended(trial).error
    assert 'short.mkv' in error and str(tmp_path) not in error
    assert trial.classifier() is model and trial.state()['model']['changed']


def test_clips_are_read_once(trial, tmp_path, monkeypatch):
    taught(trial, tmp_path)
    monkeypatch.setattr('avzoo.apis.clip_features.MediaFile', None)
    trial.teach(SOUND)
    assert ended(trial).error is None


def test_the_probabilities_stay_with_their_classes(trial, tmp_path):
    taught(trial, tmp_path)
    clip = make_clip(tmp_path / 'new.mkv', 'jumping ball', seed=97, seconds=1.2)
    trial.ask('new.mkv', upload(trial, clip))
    ended(trial)
    expected = dict(zip(trial.classifier().classes_, trial.classifier().predict_proba([clip])[0], strict=True))
    assert {row['name']: row['probability'] for row in trial.answer['classes']} == pytest.approx(expected)


def test_one_job_at_a_time_which_can_be_stopped():
    worker, began, go = Worker(), threading.Event(), threading.Event()
    read = []

    def work(job: Job) -> None:
        for path in CountedPaths(['a', 'b', 'c'], job):
            read.append(path)
            began.set()
            go.wait(10)

    worker.start(Job('teach', 3), work, str)
    began.wait(10)
    with pytest.raises(Refused) as refused:
        worker.start(Job('ask', 1), work, str)
    assert refused.value.status == 409 and worker.job.state()['done'] == 0
    worker.stop()
    go.set()
    worker.stop(10)
    assert read == ['a'] and not worker.busy and worker.job.error == 'Stopped.'


def test_a_fault_of_the_program_is_not_shown_as_an_error_of_the_user(capsys):
    worker = Worker()
    worker.start(Job('teach', 1), lambda job: {}['missing'], str)
    worker.stop(10)
    assert 'bug in avzoo (KeyError)' in worker.job.error
    assert 'Traceback' in capsys.readouterr().err

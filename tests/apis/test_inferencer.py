"""Classifying clips from their features."""

import numpy as np
import pytest
import torch

import avzoo
from avzoo.apis.inferencer import Inferencer
from avzoo.checkpoints.zoo_weights import read_zoo_weights, write_zoo_weights
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.importers import clips as clips_module
from avzoo.importers.clips import ClipReader
from avzoo.utils.errors import CheckpointError, ConfigError, DataError

NAME = 'tiny_custom_5shot'


def clip(rng, audio=3, visual=4):
    return dict(audio=rng.normal(size=(audio, 6)), visual=rng.normal(size=(visual, 9)))


@pytest.fixture
def classify(pretrained_zoo):
    return avzoo.init_model(NAME, device='cpu')


def test_inference_ranks_by_calibrated_probability(classify):
    found = avzoo.inference_model(classify, clip(np.random.default_rng(0)), top=11)[0]['predictions']
    assert sum(entry['probability'] for entry in found) == pytest.approx(1, abs=1e-5)
    assert [entry['score'] for entry in found] == sorted((entry['score'] for entry in found), reverse=True)
    for entry in found:
        offset = 0 if entry['novel'] else 0.25
        assert entry['score'] == pytest.approx(entry['probability'] - offset, abs=1e-6)
    assert {entry['class'] for entry in found if entry['novel']} == {'class09', 'class10'}


def test_one_clip_and_a_padded_batch_of_many_agree(classify, tmp_path):
    rng = np.random.default_rng(0)
    clips = [clip(rng), clip(rng, 7, 1), clip(rng, 1, 9)]
    together = classify(clips)
    for one, many in zip(clips, together, strict=True):
        alone = classify(one)[0]['predictions']
        for a, b in zip(alone, many['predictions'], strict=True):
            assert a['class'] == b['class'] and a['probability'] == pytest.approx(b['probability'], abs=1e-5)


def test_npz_folders_and_stores_are_read(classify, tmp_path, tiny_store):
    clips = [clip(np.random.default_rng(i)) for i in range(2)]
    wanted = [entry['predictions'][0]['probability'] for entry in classify(clips)]
    folder = tmp_path / 'clips'
    (folder / 'sub').mkdir(parents=True)
    np.savez(folder / 'a.npz', **clips[0])
    np.savez(folder / 'sub' / 'b.npz', **clips[1])
    found = classify(folder, batch_size=1)
    assert [entry['video_id'] for entry in found] == ['a', 'sub/b']
    assert [entry['predictions'][0]['probability'] for entry in found] == pytest.approx(wanted, abs=1e-5)
    np.savez(tmp_path / 'many.npz', video_id=['x', 'y'], **{m: np.stack([c[m] for c in clips]) for m in clips[0]})
    found = classify(tmp_path / 'many.npz', video_ids=['y'])
    assert found[0]['video_id'] == 'y'
    assert found[0]['predictions'][0]['probability'] == pytest.approx(wanted[1], abs=1e-5)
    name = 'class03_stage_1_train_2'
    assert classify(tiny_store, video_ids=[name])[0]['video_id'] == name


def test_a_few_shot_classifier_is_told_from_a_trained_model(tmp_path):
    for name in ('config.json', 'model.safetensors'):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=r'is a few-shot classifier.* FewShotClassifier\.from_pretrained'):
        Inferencer(tmp_path)
    (tmp_path / 'config.json').unlink()
    with pytest.raises(ConfigError, match='There is no config'):
        Inferencer(tmp_path)


def test_a_video_in_place_of_features_is_told_who_takes_it(classify, tmp_path):
    (tmp_path / 'x.MP4').write_bytes(b'video')
    with pytest.raises(DataError, match=r'x\.MP4 is a video.* --video.*classify_videos'):
        classify(tmp_path / 'x.MP4')


@pytest.mark.parametrize(
    ('broken', 'message'),
    [
        (lambda c: c.pop('audio'), 'has no audio features'),
        (lambda c: c.update(visual=np.zeros((3, 8))), r'trained on \(steps, 9\)'),
        (lambda c: c.update(visual=np.full((3, 9), np.nan)), 'NaN or infinity'),
        (lambda c: c.update(audio=np.zeros((0, 6))), 'at least one step'),
    ],
)
def test_clips_that_do_not_fit_are_refused(classify, broken, message):
    one = clip(np.random.default_rng(0))
    broken(one)
    with pytest.raises(DataError, match=message):
        classify(one)


def test_unknown_videos_and_missing_files_are_named(classify, tiny_store, tmp_path):
    with pytest.raises(DataError, match="Did you mean 'class03_stage_1_train_2'"):
        classify(tiny_store, video_ids=['class03_stage_1_train2'])
    with pytest.raises(DataError, match=r'nothing\.npz does not exist'):
        classify(tmp_path / 'nothing.npz')


def test_scores_that_are_distances_are_ranked_as_they_are_and_shown_as_probabilities(classify, monkeypatch):
    one, rng = clip(np.random.default_rng(0)), np.random.default_rng(1)
    distances = -torch.from_numpy(100 + 50 * rng.random((1, 11)))
    monkeypatch.setattr(classify, 'scores', lambda clips, names: distances)
    monkeypatch.setattr(
        type(classify.model.head), 'probabilities', lambda self, scores: scores.softmax(-1), raising=False
    )
    found = classify(one, top=11)[0]['predictions']
    assert sum(entry['probability'] for entry in found) == pytest.approx(1)
    ranking = distances[0] - 0.25 * torch.tensor(classify.base_mask)
    assert [entry['score'] for entry in found] == pytest.approx(sorted(ranking.tolist(), reverse=True))


def test_an_open_feature_store_is_taken(classify, tiny_store):
    name = 'class03_stage_1_train_2'
    store = avzoo.FeatureStore(tiny_store)
    assert classify(store, video_ids=name) == classify(tiny_store, video_ids=[name])


@pytest.mark.parametrize(
    'wrong', [None, 3, np.zeros((3, 6)), [np.zeros((3, 6)), np.zeros((4, 9))], (np.zeros((3, 6)), np.zeros((4, 9)))]
)
def test_what_is_not_a_clip_is_refused(classify, wrong):
    with pytest.raises(DataError, match=r'is not a clip.*\{modality'):
        classify(wrong)


def test_ragged_lists_are_refused(classify):
    with pytest.raises(DataError, match='audio features are not an array'):
        classify(dict(audio=[[1.0] * 6, [1.0] * 5], visual=np.zeros((2, 9))))


def test_values_below_a_mask_are_not_taken_for_features(classify):
    one = clip(np.random.default_rng(0))
    expected = classify(one)
    assert classify({m: np.ma.masked_array(x) for m, x in one.items()}) == expected
    with pytest.raises(DataError, match='audio features are not an array: some of its values are masked'):
        classify(dict(one, audio=np.ma.masked_array(one['audio'], one['audio'] > 0)))


def test_a_model_that_was_trained_on_classifies_in_evaluation_mode(classify):
    one = clip(np.random.default_rng(0))
    expected = classify(one)
    classify.model.train()
    assert classify(one) == expected


def test_one_video_id_may_be_a_string_and_clips_of_a_list_are_counted(classify):
    clips = [clip(np.random.default_rng(i)) for i in range(11)]
    for one in ('10', 10):
        assert [entry['video_id'] for entry in classify(clips, video_ids=one)] == ['10']
    assert [entry['video_id'] for entry in classify(clips, video_ids=[3, 10])] == ['3', '10']


@pytest.mark.parametrize('argument', ['top', 'batch_size'])
@pytest.mark.parametrize('value', [0, -1, 2.0])
def test_counts_that_are_not_whole_or_below_one_are_refused(classify, argument, value):
    with pytest.raises(ConfigError, match=f'{argument}={value}; give a whole number of at least 1'):
        classify(clip(np.random.default_rng(0)), **{argument: value})


def test_weights_that_overflow_give_no_answer(published, pretrained_zoo, tmp_path):
    content = read_zoo_weights(published[0])
    for name in [name for name in content['state_dict'] if name.startswith('projector') and name.endswith('weight')]:
        content['state_dict'][name].mul_(100)
    content['state_dict']['head.fc.weight'].fill_(3e38)
    path = write_zoo_weights(tmp_path / 'huge.safetensors', content['state_dict'], content['meta'])
    with pytest.raises(CheckpointError, match=r'huge\.safetensors gives a clip NaN'):
        Inferencer(NAME, path, device='cpu')(clip(np.random.default_rng(0)))


def test_videos_of_one_folder_only_are_named(classify, tmp_path):
    one = clip(np.random.default_rng(0))
    for modality in one:
        (tmp_path / modality).mkdir()
    with pytest.raises(DataError, match=r'has no audio or visual features for any video'):
        classify(tmp_path)
    for modality in one:
        np.save(tmp_path / modality / 'both.npy', one[modality])
    assert [entry['video_id'] for entry in classify(tmp_path)] == ['both']
    for modality in one:
        lonely = tmp_path / modality / f'only_{modality}.npy'
        np.save(lonely, one[modality])
        with pytest.raises(DataError, match=f"'only_{modality}' has no .* features"):
            classify(tmp_path)
        lonely.unlink()


def test_a_file_of_many_clips_is_read_once(classify, tmp_path, monkeypatch):
    one = clip(np.random.default_rng(0))
    np.savez(tmp_path / 'many.npz', video_id=['x'], **{m: x[None] for m, x in one.items()})
    np.savez(tmp_path / 'one.npz', **one)
    read = []
    original = clips_module.load_npz

    def counted(path):
        read.append(path.name)
        return original(path)

    monkeypatch.setattr(clips_module, 'load_npz', counted)
    monkeypatch.setattr('avzoo.importers.array_files.load_npz', counted)
    assert classify(tmp_path / 'many.npz')[0]['predictions'] == classify(tmp_path / 'one.npz')[0]['predictions']
    assert read == ['many.npz', 'one.npz']


def test_prediction_sees_the_windows_that_the_test_sees(classify, pretrained_zoo, tiny_store):
    window = dict(steps=2, position='center')
    cfg = classify.cfg.copy()
    cfg.test_dataloader = dict(dataset=dict(window=window))
    windowed = Inferencer(cfg, NAME, device='cpu')
    data = GFSLDataset(tiny_store, splits=('stage1_base',), num_shots=2, window=window)
    index = list(range(6))
    with torch.inference_mode():
        inputs = windowed.model.data_preprocessor(data.__getitems__(index))['inputs']
        wanted = windowed.model(inputs, mode='predict')[0]['scores']
    clips = ClipReader(tiny_store)
    names = [data.metainfo['video_ids'][i] for i in index]
    found = windowed.scores([clips.read(name) for name in names], names)
    assert torch.equal(found, wanted)
    assert not torch.equal(found, classify.scores([clips.read(name) for name in names], names))


def test_clips_of_a_store_are_gathered_in_batches_of_like_lengths_and_answered_in_their_order(
    classify, tiny_store, monkeypatch
):
    store = FeatureStore(tiny_store)
    ids = [str(name) for name in store.video_ids[::-1]]
    one_by_one = [classify(store, video_ids=name)[0] for name in ids[:12]]
    asked = []
    gather = FeatureStore.gather
    monkeypatch.setattr(
        FeatureStore,
        'gather',
        lambda self, m, videos, **how: asked.append(self.lengths[m][videos]) or gather(self, m, videos, **how),
    )
    found = classify(store, video_ids=[*ids[:12], ids[0]], batch_size=5)
    assert [len(steps) for steps in asked] == [5, 5, 5, 5, 2, 2]
    assert [clip['video_id'] for clip in found] == ids[:12]
    for clip, alone in zip(found, one_by_one, strict=True):
        assert [p['class'] for p in clip['predictions']] == [p['class'] for p in alone['predictions']]
        for one, other in zip(clip['predictions'], alone['predictions'], strict=True):
            assert one['score'] == pytest.approx(other['score'], rel=1e-4, abs=1e-6)
    longest = [max(steps[i] for steps in asked[k : k + 2]) for k in (0, 2, 4) for i in range(len(asked[k]))]
    assert longest == sorted(longest)

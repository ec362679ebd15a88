"""Predicting and adapting refuse features that are as wide as the model's and others."""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from avzoo.apis.adapt import adapt
from avzoo.apis.inferencer import Inferencer
from avzoo.checkpoints.training import load_checkpoint
from avzoo.checkpoints.zoo_weights import read_zoo_weights, write_zoo_weights
from avzoo.datasets.feature_store import FeatureStore
from avzoo.utils.errors import CheckpointError, DataError
from avzoo.zoo.build import config_of
from avzoo.zoo.publish import publish_checkpoint
from tests.tools.test_printing import tool

NAME = 'tiny_custom_5shot'
SET = {'audio': 'vggish-pca-u8', 'visual': 'c3d-fc7'}
OTHER = SET | {'visual': 'i3d'}


@pytest.fixture
def weights(published, pretrained_zoo, tmp_path):
    """A function that writes weights of the tiny zoo that say something of their features."""
    content = read_zoo_weights(published[0])

    def write(features):
        meta = content['meta'] | ({} if features is None else dict(feature_set=features))
        return write_zoo_weights(tmp_path / 'said.safetensors', content['state_dict'], meta)

    return write


@pytest.fixture
def store(tiny_store, tmp_path):
    """A function that writes a store that says something of its features."""

    def write(features, name='store'):
        root = shutil.copytree(tiny_store, tmp_path / name)
        path = root / 'store.json'
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content if features is None else content | dict(features=features)))
        return root

    return write


def clip(steps=3):
    rng = np.random.default_rng(0)
    return dict(audio=rng.normal(size=(steps, 6)), visual=rng.normal(size=(steps, 9)))


def test_a_store_of_other_features_is_not_predicted(weights, store):
    classify = Inferencer(NAME, weights(SET), device='cpu')
    for source in (root := store(OTHER), FeatureStore(root)):
        with pytest.raises(DataError, match=r'visual features.*said\.safetensors: .*c3d-fc7.*store: .*i3d'):
            classify(source)


@pytest.mark.parametrize(('model', 'data'), [(SET, SET), (None, None)], ids=['the same', 'no words'])
def test_a_store_of_the_models_features_is_predicted_without_a_word(weights, store, capsys, model, data):
    found = Inferencer(NAME, weights(model), device='cpu')(store(data), top=1)
    assert len(found) > 50 and capsys.readouterr().err == ''


@pytest.mark.parametrize(('model', 'data'), [(SET, None), (None, SET)], ids=['the model', 'the store'])
def test_a_doubt_is_said_once_where_only_one_side_says_what_its_features_are(weights, store, capsys, model, data):
    classify, root = Inferencer(NAME, weights(model), device='cpu'), store(data)
    ids = FeatureStore(root).video_ids[:2].tolist()
    assert classify(root, video_ids=ids) == classify(root, video_ids=ids)
    said = capsys.readouterr().err
    assert said.count('WARNING') == 1 and 'c3d-fc7' in said and str(root) in said


def test_a_model_of_one_modality_does_not_mind_the_other(weights, store, monkeypatch):
    classify = Inferencer(NAME, weights(SET), device='cpu')
    monkeypatch.setattr(classify, '_dims', dict(audio=6))
    classify._check_features(FeatureStore(store(OTHER)))


def test_arrays_are_predicted_whatever_the_model_was_trained_on(weights, capsys):
    assert Inferencer(NAME, weights(SET), device='cpu')(clip())[0]['predictions']
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('features', [SET, None], ids=['a set', 'no words'])
def test_the_tool_says_what_the_model_was_trained_on_where_clips_do_not(weights, tmp_path, capsys, features):
    np.savez(tmp_path / 'clip.npz', **clip())
    argv = [NAME, str(weights(features)), '--features', str(tmp_path / 'clip.npz'), '--json', '--device', 'cpu']
    assert tool('predict').main(argv) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 1
    assert ('trained on audio: vggish-pca-u8, visual: c3d-fc7' in err) == (features is not None)


def test_the_tool_leaves_it_out_where_a_store_says_the_same(weights, store, capsys):
    root = store(SET)
    video = str(FeatureStore(root).video_ids[0])
    argv = [NAME, str(weights(SET)), '--features', str(root), '--video-id', video, '--device', 'cpu']
    assert tool('predict').main(argv) == 0
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('features', [{'video': 'c3d'}, {'audio': ''}, 'c3d'], ids=str)
def test_weights_with_a_broken_set_are_refused(weights, features):
    with pytest.raises(CheckpointError, match=r'meta\.feature_set'):
        Inferencer(NAME, weights(features), device='cpu')


def adapted(weights, root, support, tmp_path, features=SET):
    cfg = copy.deepcopy(config_of(NAME))
    cfg.train_dataloader.batch_size, cfg.train_dataloader.batch_sampler.num_batches = 4, 1
    out = tmp_path / 'taught.pth'
    adapt(cfg, weights(features), support=support, shots=2, out=out, base_store=root, epochs=1)
    return load_checkpoint(out)['meta'].get('feature_set')


@pytest.fixture
def support(tmp_path):
    """A folder of clips of two new classes."""
    for name in ('x', 'y'):
        (tmp_path / 'support' / name).mkdir(parents=True)
        for i in range(2):
            np.savez(tmp_path / 'support' / name / f'{i}.npz', **clip())
    np.save(tmp_path / 'support' / 'class_embeddings.npy', np.eye(2, 5))
    return tmp_path / 'support'


def test_a_base_store_of_other_features_teaches_nothing(weights, store, support, tmp_path):
    with pytest.raises(DataError, match=r'said\.safetensors: .*c3d-fc7.*store: .*i3d'):
        adapted(weights, store(OTHER), support, tmp_path)
    assert not (tmp_path / 'taught.pth').exists()


@pytest.mark.parametrize('model', [SET, None], ids=['against the model', 'against the base store'])
def test_a_support_store_of_other_features_teaches_nothing(weights, store, tmp_path, model):
    base, other = store(SET), store(OTHER, 'other')
    with pytest.raises(DataError, match=r'c3d-fc7.*other: .*i3d'):
        adapted(weights, base, other, tmp_path, model)
    assert not (tmp_path / 'taught.pth').exists()


def test_what_is_taught_by_bare_clips_keeps_the_models_set_and_a_doubt_names_the_folder(
    weights, store, support, tmp_path, monkeypatch
):
    said = []
    monkeypatch.setattr('avzoo.apis.adapt.log_line', said.append)
    assert adapted(weights, store(None), support, tmp_path) == SET
    assert len(said) == 2 and f'{support}: nothing' in said[1] and 'avzoo-adapt' not in said[1]


def test_a_model_that_says_nothing_learns_the_words_of_the_stores(weights, store, support, tmp_path):
    assert adapted(weights, store(SET), support, tmp_path, None) == SET


def test_publishing_keeps_the_set(weights, tmp_path):
    for features in (SET, None):
        path = publish_checkpoint(weights(features), tmp_path / 'out', name='mine', features='VGGish + C3D')
        meta = read_zoo_weights(path)['meta']
        assert meta.get('feature_set') == features and meta['features'] == 'VGGish + C3D'
        assert json.loads(Path(path).with_suffix('.json').read_text()).get('feature_set') == features


def test_a_clip_of_20000_steps_is_predicted_from_its_middle_and_said_so(weights, capsys):
    classify, one = Inferencer(NAME, weights(None), device='cpu'), clip(20_000)
    seen = []
    classify.model.data_preprocessor.register_forward_pre_hook(lambda part, args: seen.append(args[0]['features']))
    found = classify([one, clip()])
    assert {m: tuple(part['x'].shape[:2]) for m, part in seen[0].items()} == dict(audio=(2, 341), visual=(2, 512))
    assert {m: part['starts'].tolist() for m, part in seen[0].items()} == dict(audio=[9829, 0], visual=[14744, 0])
    assert found[1]['predictions'][0]['class'] == classify(clip(), top=1)[0]['predictions'][0]['class']
    assert capsys.readouterr().err.count('512 steps') == 1

"""A checkpoint may say which features it was trained on; what it says is checked."""

import pytest
import torch

from avzoo.checkpoints.meta import feature_set_of
from avzoo.checkpoints.training import TRAINING_FORMAT, load_checkpoint, save_checkpoint
from avzoo.checkpoints.zoo_weights import read_zoo_weights, write_zoo_weights
from avzoo.utils.errors import CheckpointError

INFO = dict(
    feature_dims=dict(audio=6, visual=9), seconds_per_step=dict(audio=1.0, visual=1.0), num_classes=2, embedding_dim=0
)
SET = {'audio': 'vggish-pca-u8', 'visual': 'c3d-fc7, résumé'}
WRONG = {
    'text': 'c3d',
    'a number': 3,
    'a list': ['c3d'],
    'another modality': {'video': 'c3d'},
    'empty text': {'audio': ''},
    'white space': {'audio': ' '},
    'outer blanks': {'audio': 'c3d '},
    'a number as text': {'audio': 3},
    'nothing as text': {'audio': None},
    'two lines': {'audio': 'c3d\nfc7'},
    'a control character': {'audio': 'c3d\x1b[2J'},
    'a key that is not text': {3: 'c3d'},
}


def save(folder, kind, **meta):
    state = {'weight': torch.zeros(2)}
    if kind == 'pth':
        save_checkpoint(folder / 'a.pth', dict(meta=dict(format=TRAINING_FORMAT, **meta), state_dict=state))
        return lambda: load_checkpoint(folder / 'a.pth')['meta']
    path = write_zoo_weights(folder / 'a.safetensors', state, meta)
    return lambda: read_zoo_weights(path)['meta']


both_kinds = pytest.mark.parametrize('kind', ['pth', 'safetensors'])


@both_kinds
@pytest.mark.parametrize('texts', [SET, {'audio': 'vggish'}, {}], ids=['both', 'one', 'none'])
def test_what_a_checkpoint_says_of_its_features_comes_back(tmp_path, kind, texts):
    found = feature_set_of(save(tmp_path, kind, data_info=INFO, feature_set=texts)(), 'a.pth')
    assert found.owner == 'a.pth' and found.texts == texts


@both_kinds
@pytest.mark.parametrize('meta', [{}, dict(data_info=INFO), dict(data_info=INFO, feature_set=None)], ids=str)
def test_a_checkpoint_that_says_nothing_is_read(tmp_path, kind, meta):
    assert feature_set_of(save(tmp_path, kind, **meta)(), 'a.pth').texts == {}


@pytest.mark.parametrize('wrong', WRONG)
def test_a_set_that_is_not_one_is_refused_by_its_key(tmp_path, wrong):
    read = save(tmp_path, 'pth', data_info=INFO, feature_set=WRONG[wrong])
    with pytest.raises(CheckpointError, match=r'a\.pth is damaged or was changed: meta\.feature_set'):
        read()


def test_a_set_of_zoo_weights_is_checked_too(tmp_path):
    read = save(tmp_path, 'safetensors', data_info=INFO, feature_set={'video': 'c3d'})
    with pytest.raises(CheckpointError, match=r'meta\.feature_set.*video'):
        read()


def test_shipped_weights_say_nothing_and_are_read(repo_dir):
    meta = read_zoo_weights(repo_dir / 'weights' / 'avdiff_synth_5shot.safetensors')['meta']
    assert feature_set_of(meta, 'shipped').texts == {}

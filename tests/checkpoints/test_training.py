"""Training checkpoints: written whole or not at all, read without running code, loaded strictly."""

import pytest
import torch
from torch import nn

from avzoo.checkpoints import training
from avzoo.checkpoints.training import TRAINING_FORMAT, load_checkpoint, load_weights, save_checkpoint
from avzoo.utils import files
from avzoo.utils.errors import CheckpointError

GOOD = dict(
    meta=dict(format=TRAINING_FORMAT, epoch=3), state_dict={'weight': torch.arange(3.0), '_extra_state': {'step': 1}}
)


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path):
    save_checkpoint(str(tmp_path / 'a.pth'), GOOD)
    found = load_checkpoint(str(tmp_path / 'a.pth'))
    assert found['meta'] == GOOD['meta'] and torch.equal(found['state_dict']['weight'], torch.arange(3.0))
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / 'a.pth', GOOD)
    before = (tmp_path / 'a.pth').read_bytes()

    def cut_short(checkpoint, file):
        file.write(b'half')
        raise OSError('disk full')

    with monkeypatch.context() as patch:
        patch.setattr(training.torch, 'save', cut_short)
        for name in ('a.pth', 'new.pth'):
            with pytest.raises(OSError, match='disk full'):
                save_checkpoint(tmp_path / name, GOOD)
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth'] and (tmp_path / 'a.pth').read_bytes() == before


def test_a_checkpoint_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(files.os, 'fsync', lambda number: order.append('synced'))
    replace = files.os.replace
    monkeypatch.setattr(files.os, 'replace', lambda *names: (order.append('renamed'), replace(*names)))
    save_checkpoint(tmp_path / 'a.pth', GOOD)
    assert order[:2] == ['synced', 'renamed']  # Then the folder is flushed too, where the system can.


@pytest.mark.parametrize(
    ('content', 'fact'),
    [
        (dict(GOOD, meta=None), 'not an avzoo checkpoint'),
        (dict(GOOD, meta=dict(format='other')), 'not an avzoo checkpoint'),
        ([1], 'not an avzoo checkpoint'),
        (dict(meta=GOOD['meta']), 'no state_dict'),
        (dict(GOOD, state_dict=[torch.zeros(1)]), 'no state_dict'),
        (dict(GOOD, state_dict={'weight': torch.zeros(1), 'step': 3}), 'no state_dict'),
    ],
)
def test_a_file_that_is_not_a_checkpoint_is_refused_by_its_path(tmp_path, content, fact):
    torch.save(content, tmp_path / 'odd.pth')
    with pytest.raises(CheckpointError, match=f'odd.pth.*{fact}'):
        load_checkpoint(tmp_path / 'odd.pth')


def test_a_file_of_another_kind_names_the_tool_that_converts_the_released_one(repo_dir, tmp_path):
    torch.save({'model': {}}, tmp_path / 'odd.pth')
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / 'odd.pth')
    assert (repo_dir / str(caught.value).split()[-1].rstrip('.')).is_file()


def test_a_missing_or_damaged_file_is_refused_by_its_path(tmp_path):
    with pytest.raises(CheckpointError, match=r'no checkpoint .*none\.pth'):
        load_checkpoint(tmp_path / 'none.pth')
    (tmp_path / 'cut.pth').write_bytes(b'PK')
    with pytest.raises(CheckpointError, match=r'cut\.pth.*copy it again or train again'):
        load_checkpoint(tmp_path / 'cut.pth')


def test_published_weights_are_read_by_their_suffix(repo_dir):
    assert load_checkpoint(repo_dir / 'weights/avdiff_synth_5shot.safetensors')['state_dict']


def test_weights_that_fit_are_loaded():
    source, target = nn.Linear(2, 3), nn.Linear(2, 3)
    load_weights(target, source.state_dict(), 'it')
    assert torch.equal(source.weight, target.weight) and torch.equal(source.bias, target.bias)


def test_an_optimizer_inside_the_model_is_taken_over_where_there_is_one():
    class Counting(nn.Linear):
        step = 0

        def get_extra_state(self):
            return {'step': self.step}

        def set_extra_state(self, state):
            self.step = state['step']

    source, target = Counting(2, 3), Counting(2, 3)
    source.step = 5
    load_weights(target, source.state_dict(), 'it')
    assert target.step == 5
    bare = {name: value for name, value in source.state_dict().items() if name != '_extra_state'}
    load_weights(target, bare, 'published weights')
    assert target.step == 5


def test_weights_that_do_not_fit_are_refused_with_the_first_three_names_of_each_kind():
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(3)))
    state = {'0.weight': torch.zeros(4, 2), **{f'other{i}': torch.zeros(1) for i in range(3)}}
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, state, 'last.pth')
    text = str(caught.value)
    with pytest.raises(CheckpointError, match=r'4 not in the model: other0, other1, other2 and 1 more\.'):
        load_weights(nn.Linear(2, 2), {**nn.Linear(2, 2).state_dict(), **{f'other{i}': 0 for i in range(4)}}, 'it')
    assert text.startswith('last.pth ')
    assert '5 missing: 0.bias, 1.bias, 1.weight and 2 more; ' in text
    assert '3 not in the model: other0, other1, other2; ' in text
    assert '1 with another shape: 0.weight (4, 2) where the model has (2, 2).' in text


DATA_INFO = dict(feature_dims={'audio': 6}, seconds_per_step={'audio': 0.96}, num_classes=2, embedding_dim=5)


@pytest.mark.parametrize(
    ('entry', 'value'),
    [
        ('classes', 3),
        ('classes', [['a'], 'b']),
        ('base_mask', 1.5),
        ('base_mask', ['yes', 'no']),
        ('data_info', [1]),
        ('data_info', {}),
        ('data_info', dict(DATA_INFO, num_classes=torch.zeros(2))),
        ('data_info', dict(DATA_INFO, feature_dims={'audio': 'wide'})),
        ('data_info', dict(DATA_INFO, embedding_dim=-1)),
        ('config', 'model = 1'),
        ('stage', '2'),
        ('draw', 0.5),
        ('splits', ['stage1_base']),
        ('splits', {'stage1_base': 1}),
        ('outcomes', {'stage1_full': 3}),
        *(('outcomes', {'stage1_full': dict(best_epoch=epoch)}) for epoch in ('one', 0, -1, 10**18, True)),
        ('outcomes', {'stage1_full': dict(gamma=float('nan'))}),
        ('config', dict(model=[1])),
        ('history', 'none'),
    ],
)
def test_an_entry_of_the_meta_of_another_kind_is_refused_by_its_name(tmp_path, entry, value):
    save_checkpoint(tmp_path / 'a.pth', dict(GOOD, meta=dict(GOOD['meta'], **{entry: value})))
    with pytest.raises(CheckpointError, match=rf'a\.pth.*meta\.{entry}'):
        load_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize('width', [5, 0])  # 0: of a store without class vectors.
def test_the_kinds_that_the_meta_must_have_are_accepted(tmp_path, width):
    info = dict(DATA_INFO, embedding_dim=width)
    meta = dict(GOOD['meta'], classes=['a', 'b'], base_mask=[True, False], data_info=info, draw=None, stage=2)
    save_checkpoint(tmp_path / 'a.pth', dict(GOOD, meta=meta))
    assert load_checkpoint(tmp_path / 'a.pth')['meta']['data_info'] == info


@pytest.mark.parametrize(
    'state',
    [
        {3: torch.zeros(1)},
        {'w': torch.zeros(2).to_sparse()},
        {'w': torch.zeros(2, device='meta')},
        {'gamma': torch.zeros(2)},
        {'gamma': torch.zeros(1, dtype=torch.complex64)},
    ],
)
def test_weights_that_are_not_dense_tensors_are_refused(tmp_path, state):
    save_checkpoint(tmp_path / 'a.pth', dict(GOOD, state_dict=state))
    with pytest.raises(CheckpointError, match=r'a\.pth'):
        load_checkpoint(tmp_path / 'a.pth')

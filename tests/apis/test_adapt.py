"""Teaching a trained model new classes."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from avzoo.apis.adapt import _naming, adapt
from avzoo.apis.base_checkpoint import BaseCheckpoint
from avzoo.apis.inferencer import Inferencer
from avzoo.checkpoints.class_rows import carry_class_rows
from avzoo.checkpoints.training import load_checkpoint, save_checkpoint
from avzoo.datasets.adaptation_dataset import AdaptationDataset
from avzoo.datasets.collate import Take
from avzoo.datasets.feature_store import FeatureStore
from avzoo.datasets.joined_store import JoinedStore
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum.evaluate import evaluate_checkpoint
from avzoo.importers.support_set import open_support_set, zero_vectors
from avzoo.utils.errors import CheckpointError, ConfigError, DataError
from avzoo.zoo.build import config_of
from tests.support_clips import write_support

# Wide enough to learn classes that no video of the base store resembles.
SMALL = (
    'model.encoders.audio.out_dim=64',
    'model.encoders.visual.out_dim=64',
    'model.projector.out_dim=64',
    'model.encoders.audio.hidden_dim=64',
    'model.encoders.visual.hidden_dim=64',
    'model.projector.hidden_dim=64',
    'model.fusion.depth=2',
    'model.fusion.switch_after=1',
    'model.fusion.mlp_dim=64',
    'model.generator.schedule.num_steps=5',
    "curriculum.full.freeze=('encoders','embedding','fusion')",
)


@pytest.fixture(scope='module')
def base_model(tmp_path_factory, tiny_store, repo_dir):
    """A config and the checkpoint of its stage-2 base phase."""
    from avzoo.config.load import load_config

    cfg = load_config(
        repo_dir / 'configs/avdiff/avdiff_custom_5shot.py',
        [
            f'data_root={tiny_store}',
            'num_shots=2',
            'train_dataloader.batch_size=8',
            'val_dataloader.batch_size=8',
            'test_dataloader.batch_size=8',
            'train_dataloader.batch_sampler.num_batches=10',
            'curriculum.base.max_epochs=4',
            'curriculum.full.max_epochs=4',
            'curriculum.num_draws=1',
            'curriculum.choices=[]',
            'curriculum.references=[]',
            'optim_wrapper.optimizer.lr=3e-3',
            *SMALL,
        ],
    )
    cfg.work_dir = str(tmp_path_factory.mktemp('base') / 'run')
    results = CurriculumRunner(cfg).train()
    return cfg, f'{cfg.work_dir}/stage2_base/last.pth', results


def test_a_base_model_taught_the_curriculums_classes_is_the_curriculums_own_stage_two(base_model, tiny_store, tmp_path):
    cfg, path, results = base_model
    done = adapt(cfg, path, support=tiny_store, shots=2, out=tmp_path / 'taught.pth')
    assert done['novel_classes'] == ['class09', 'class10'] and len(done['base_classes']) == 9
    assert done['dropped_classes'] == []  # A base sub-stage has learned no novel class.
    taught = load_checkpoint(tmp_path / 'taught.pth')
    trained = load_checkpoint(f'{cfg.work_dir}/stage2_full_draw0/last.pth')['state_dict']
    assert all(torch.equal(value, taught['state_dict'][key]) for key, value in trained.items())
    assert 'optimizer' not in taught
    found = evaluate_checkpoint(cfg, tmp_path / 'taught.pth', split='test', draw=None, work_dir=tmp_path / 'test')
    assert all(found.metrics[key] == results['draws'][0][key] for key in ('B', 'N', 'HM', 'FSL'))
    state = json.loads((Path(cfg.work_dir) / 'curriculum.json').read_text())['phases']['stage1_full']
    assert taught['meta']['epoch'] == state['best_epoch'] and float(taught['state_dict']['gamma']) == state['gamma']


def test_rows_that_a_base_substage_left_unlearned_go_to_the_new_classes_of_the_same_name_first():
    meta = dict(
        classes=['a', 'x', 'b', 'y'],
        base_mask=[True, False, True, False],
        data_info=dict(num_classes=4),
        substage='base',
    )
    base, full = (BaseCheckpoint(Path('a.pth'), dict(meta=dict(meta, substage=name))) for name in ('base', 'full'))
    assert base.kept_rows(['a', 'b', 'y', 'z', 'w']) == (['a', 'z', 'b', 'y'], ['a', 'b', 'y', 'z'])
    assert full.kept_rows(['a', 'b', 'y']) == (['a', 'x', 'b', 'y'], ['a', 'b'])


@pytest.fixture
def support(tmp_path):
    return write_support(tmp_path / 'support')


def test_a_folder_of_clips_teaches_new_classes(base_model, support, tmp_path):
    cfg, path, _ = base_model
    out = tmp_path / 'taught.pth'
    done = adapt(cfg, path, support=support, shots=2, out=out, epochs=4)
    assert done['novel_classes'] == ['blowing glass', 'tap dance']
    classify = Inferencer(cfg, out, device='cpu')
    assert len(classify.classes) == 11 and 'class09' not in classify.classes
    found = classify(support, top=2)
    assert all(entry['predictions'][0]['class'] == entry['video_id'].split('/')[0] for entry in found)


def test_what_is_taught_can_be_taught_again(base_model, support, tmp_path):
    cfg, path, _ = base_model
    adapt(cfg, path, support=support, shots=3, out=tmp_path / 'one.pth', epochs=1)
    done = adapt(
        cfg, tmp_path / 'one.pth', support=support, shots=1, out=tmp_path / 'two.pth', epochs=1, classes=['tap dance']
    )
    assert done['novel_classes'] == ['tap dance'] and len(done['base_classes']) == 9
    assert done['dropped_classes'] == ['blowing glass']


def test_the_seed_decides_the_result(base_model, support, tmp_path):
    cfg, path, _ = base_model
    states = []
    for i, seed in enumerate((1, 1, 2)):
        torch.manual_seed(i)  # What happened before does not matter.
        adapt(cfg, path, support=support, shots=2, out=tmp_path / f'{i}.pth', epochs=1, seed=seed)
        states.append(load_checkpoint(tmp_path / f'{i}.pth')['state_dict'])
    one, again, other = states
    assert all(torch.equal(value, again[key]) for key, value in one.items())
    assert not torch.equal(one['head.fc.weight'], other['head.fc.weight'])


def test_frozen_parts_stay_as_they_were(base_model, support, tmp_path):
    cfg, path, _ = base_model
    adapt(cfg, path, support=support, shots=2, out=tmp_path / 'taught.pth', epochs=1)
    before, after = (load_checkpoint(p)['state_dict'] for p in (path, tmp_path / 'taught.pth'))
    frozen = [k for k in before if k.startswith(('encoders', 'fusion')) and 'running' not in k and 'tracked' not in k]
    assert frozen and all(torch.equal(before[k], after[k]) for k in frozen)


@pytest.mark.parametrize(
    ('change', 'arguments', 'message'),
    [
        (lambda f: (f / 'class_embeddings.npy').unlink(), {}, 'generates features from class vectors'),
        (lambda f: np.save(f / 'class_embeddings.npy', np.zeros((2, 4))), {}, '5 and 4 wide|4 and 5 wide'),
        (lambda f: None, {'shots': 4}, 'has 3 clips; --shots asks for 4'),
        (lambda f: None, {'classes': ['tap dancing']}, "Did you mean 'tap dance'"),
        (lambda f: None, {'base_store': 'nowhere'}, 'give the store that it was trained on'),
        (lambda f: (f / 'classes.csv').write_text('label\ntap dance\n'), {}, 'do not name the same classes'),
        (lambda f: np.savez(f / 'tap dance' / '0.npz', audio=np.zeros((1, 6)), visual=np.zeros((1, 8))), {}, 'shape'),
        (
            lambda f: [np.savez(p, audio=np.zeros((1, 6)), visual=np.zeros((1, 8))) for p in f.glob('*/*.npz')],
            {},
            r'^(?!.*avzoo-adapt).*/support: visual features are 8-d',
        ),
    ],
)
def test_support_that_does_not_fit_is_refused(base_model, support, tmp_path, change, arguments, message):
    cfg, path, _ = base_model
    change(support)
    with pytest.raises(DataError, match=message):
        adapt(cfg, path, **{'support': support, 'shots': 2, 'out': tmp_path / 'x.pth', 'epochs': 1, **arguments})
    assert not (tmp_path / 'x.pth').exists()


def test_the_folder_that_was_given_is_named_in_each_line_of_an_error():
    with pytest.raises(DataError) as caught, _naming('mine', Path('/tmp/x')):
        raise DataError('/tmp/x: 2 clips:', details=['/tmp/x/a', '/tmp/x/b'])
    assert caught.value.lines == ('mine: 2 clips:', 'mine/a', 'mine/b')


def test_a_base_model_of_another_config_is_refused(base_model, support, tmp_path, repo_dir):
    cfg, path, _ = base_model
    other = cfg.copy()
    other.model = dict(other.model, projector=dict(type='MLP', hidden_dim=512, out_dim=32, dropout=0.1))
    with pytest.raises(CheckpointError, match=r'trained with another config: model\.projector\.hidden_dim'):
        adapt(other, path, support=support, shots=2, out=tmp_path / 'x.pth', epochs=1)


def test_rows_of_kept_classes_move_with_their_names():
    def linear(n):
        return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, n))

    old, new, wider = linear(3), linear(3), linear(4)  # As many classes as before: shapes alone would not tell.
    state = carry_class_rows(
        old.state_dict(), new, wider, before=['a', 'b', 'c'], now=['c', 'x', 'a'], keep=['a', 'c'], source='test'
    )
    assert torch.equal(state['0.weight'], old[0].weight)
    assert torch.equal(state['1.weight'], torch.stack([old[1].weight[2], new[1].weight[1], old[1].weight[0]]))
    assert torch.equal(state['1.bias'], torch.stack([old[1].bias[2], new[1].bias[1], old[1].bias[0]]))
    whole = {key: value.long() for key, value in old.state_dict().items()}
    with pytest.raises(
        CheckpointError, match=r'test does not fit the config: .* torch\.int64, expected .* torch\.float32'
    ):
        carry_class_rows(whole, new, wider, before=['a', 'b', 'c'], now=['c', 'x', 'a'], keep=['a'], source='test')


def test_a_joined_store_gives_what_its_parts_give(tiny_store):
    store = FeatureStore(tiny_store)
    joined = JoinedStore(store, store, store.class_names[::-1])
    videos = np.array([3, len(store) + 5, 7, len(store)])
    starts = np.zeros(4, dtype=np.int64)
    for take in (Take(), Take(starts, 2), Take(pad_to=9)):
        found, lengths = joined.gather('visual', videos, take)
        wanted, wanted_lengths = store.gather('visual', videos % len(store), take)
        assert torch.equal(found, wanted) and torch.equal(lengths, wanted_lengths)
    means = joined.temporal_mean('audio', videos)
    assert np.allclose(means, store.temporal_mean('audio', videos % len(store)))
    assert [joined.class_names[i] for i in joined.labels[videos]] == [
        store.class_names[i] for i in store.labels[videos % len(store)]
    ]
    assert np.array_equal(joined.class_embeddings(), store.class_embeddings()[::-1])


def test_a_held_data_set_gives_the_batches_of_one_on_disk(tiny_store, support, tmp_path):
    clips = open_support_set(
        support,
        shots=2,
        known=(),
        scratch=tmp_path / 'scratch',
        seconds=dict(audio=0.96, visual=0.64),
        missing_vectors=partial(zero_vectors, width=5),
    )
    base = FeatureStore(tiny_store).class_names[:9]
    arguments = dict(
        support=clips.store.root, support_ids=clips.video_ids, classes=[*base, *clips.classes], base_classes=base
    )
    disk, held = (AdaptationDataset(tiny_store, device=device, **arguments) for device in (None, 'cpu'))
    videos = [0, len(disk) - 1, 3]
    wanted, found = disk.__getitems__(videos), held.__getitems__(videos)
    assert torch.equal(wanted['label'], found['label']) and wanted['label'][1] == 10
    assert all(torch.equal(wanted['features'][m]['x'], found['features'][m]['x']) for m in ('audio', 'visual'))


def test_the_checkpoint_keeps_the_config_that_it_was_asked_with(base_model, support, tiny_store, tmp_path):
    cfg, path, _ = base_model
    adapt(cfg, path, support=support, shots=2, out=tmp_path / 'taught.pth', epochs=1, seed=7)
    kept = load_checkpoint(tmp_path / 'taught.pth')['meta']['config']
    text = json.dumps(kept)
    assert 'avzoo-adapt-' not in text and 'load_from' not in text and str(support) not in text
    assert kept['data_root'] == str(tiny_store) and kept['num_shots'] == 2 and kept['randomness']['seed'] == 7
    assert 'curriculum' in kept and 'AdaptationDataset' not in text


@pytest.mark.parametrize(
    ('out', 'message'),
    [
        ('', r'choose a file name that ends in \.pth'),
        ('t.safetensors', r'choose a file name that ends in \.pth'),
        ('folder.pth', r'choose a file name that ends in \.pth'),
        ('file/t.pth', r'file is not a folder'),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_training(
    base_model, support, tmp_path, monkeypatch, out, message
):
    cfg, path, _ = base_model
    (tmp_path / 'folder.pth').mkdir()
    (tmp_path / 'file').write_text('')
    monkeypatch.setattr('avzoo.apis.adapt.find_checkpoint', lambda path: pytest.fail('too late'))
    with pytest.raises(ConfigError, match=message):
        adapt(cfg, path, support=support, shots=2, out=tmp_path / out)


@pytest.mark.parametrize('argument', ['shots', 'epochs'])
def test_counts_below_one_are_refused(base_model, support, tmp_path, argument):
    cfg, path, _ = base_model
    with pytest.raises(ConfigError, match=f'{argument}=0; give'):
        adapt(cfg, path, **{'support': support, 'shots': 2, 'out': tmp_path / 'x.pth', argument: 0})


def test_a_base_model_without_calibration_is_refused(base_model, support, tmp_path):
    cfg, path, _ = base_model
    content = load_checkpoint(path)
    del content['state_dict']['gamma']
    save_checkpoint(tmp_path / 'base.pth', content)
    with pytest.raises(CheckpointError, match='lacks the weight gamma'):
        adapt(cfg, tmp_path / 'base.pth', support=support, shots=2, out=tmp_path / 'x.pth')


def test_a_config_finds_its_own_zoo_weights(make_zoo, published, tiny_store, tmp_path):
    root = make_zoo(Weights='w.safetensors')
    shutil.copy(published[0], root / 'w.safetensors')
    with pytest.raises(DataError, match='There is no feature store'):  # Past the weights.
        adapt(root / 'configs/tiny/tiny_custom_5shot.py', support=tiny_store, shots=2, out=tmp_path / 'x.pth')
    cfg = config_of('tiny_custom_5shot')
    with pytest.raises(DataError, match='There is no feature store'):
        adapt(cfg, support=tiny_store, shots=2, out=tmp_path / 'x.pth')


@pytest.mark.parametrize(
    'wrong', [dict(seed=-1), dict(seed=2**32), dict(seed=1.5), dict(draw=-1), dict(draw=0.0), dict(shots=2.0)]
)
def test_numbers_that_cannot_be_are_refused_by_their_name(base_model, support, tmp_path, wrong):
    cfg, path, _ = base_model
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        adapt(cfg, path, **(dict(support=support, shots=2, out=tmp_path / 'x.pth', epochs=1) | wrong))


def test_numbers_of_numpy_are_those_of_python_and_a_class_named_twice_counts_once(base_model, support, tmp_path):
    cfg, path, _ = base_model
    given = dict(shots=np.int64(1), epochs=np.int64(1), seed=np.int64(3), draw=np.int64(0))
    done = adapt(cfg, path, support=support, out=tmp_path / 'x.pth', classes=['tap dance'] * 2, **given)
    assert done['novel_classes'] == ['tap dance']
    assert load_checkpoint(tmp_path / 'x.pth')['meta']['num_shots'] == 1

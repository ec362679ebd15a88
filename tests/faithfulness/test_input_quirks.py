"""Quirks of the released code at the input: on gives its numbers, off the sane ones."""

import csv

import numpy as np
import pytest
import torch

from avzoo.config.load import load_config
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.datasets.window import Window
from avzoo.engine.curriculum.plan import Phase, evaluation_config, phase_config
from avzoo.engine.log import log_to
from avzoo.models.conditioners import ClassEmbedding
from avzoo.models.conditioners.released_order import released_rows
from avzoo.models.data_preprocessors import AVPreprocessor
from avzoo.registry import DATASETS
from avzoo.utils.errors import DataError

SECONDS = dict(audio=0.96, visual=0.64)


def visual_codes(model, batch, norm):
    model.data_preprocessor.norm = dict(visual=norm)
    x, mask, _ = model.data_preprocessor(batch)['inputs']['visual']
    with torch.no_grad():
        return x, mask, model.encoders['visual'](x, mask)


def test_l2_norm_over_time(build, batch, golden):
    model = build()
    x, mask, codes = visual_codes(model, batch(), 'l2_time')
    np.testing.assert_allclose(codes, golden.outputs['v_enc'], atol=1e-5)
    assert torch.allclose(x.norm(dim=1)[x.any(dim=1)], torch.tensor(1.0))
    x, mask, codes = visual_codes(model, batch(), 'l2_feature')
    assert (codes - torch.tensor(golden.outputs['v_enc'])).abs().max() > 0.1
    assert torch.allclose(x.norm(dim=2)[mask], torch.tensor(1.0))


def test_audio_divided_by_255(build, batch, golden):
    model = build()
    for scale, released in ((255.0, True), (1.0, False)):
        model.data_preprocessor.scale = dict(audio=scale)
        x, mask, _ = model.data_preprocessor(batch())['inputs']['audio']
        with torch.no_grad():
            difference = (model.encoders['audio'](x, mask) - torch.tensor(golden.outputs['a_enc'])).abs().max()
        assert (difference < 1e-5) == released and (x.max() <= 1) == released


def test_l2_norm_over_time_is_for_the_papers_data_sets_alone(repo_dir):
    for data, norm in (('ucf', 'l2_time'), ('vgg', 'l2_time'), ('activitynet', 'l2_time'), ('custom', 'l2_feature')):
        cfg = load_config(repo_dir / f'configs/avdiff/avdiff_{data}_5shot.py')
        assert cfg.data_preprocessor.norm.visual == norm
        assert ('scale' in cfg.data_preprocessor) == (norm == 'l2_time')


def test_times_are_rounded_once():
    # A product in float32 is sometimes one unit off, which the Fourier features multiply by hundreds.
    audio = dict(x=torch.ones(1, 500, 2), lengths=torch.tensor([500]), starts=torch.tensor([3]))
    _, _, seconds = AVPreprocessor(dict(audio=0.96))(dict(features=dict(audio=audio)))['inputs']['audio']
    np.testing.assert_array_equal(seconds[0], ((np.arange(500) + 3) * 0.96).astype(np.float32))


@pytest.mark.parametrize('steps, released, sane', [(60, 37, 40), (30, 18, 20), (300, 184, 200)])
def test_audio_length_of_activitynet(steps, released, sane):
    lengths = dict(audio=np.array([900]), visual=np.array([1350]))
    for choice, want in (('released', released), ('seconds', sane)):
        cuts = Window(steps, position='center', audio_length=choice).cut(lengths, SECONDS, np.random.default_rng(0))
        assert cuts['audio'][1] == want and cuts['visual'][1] == steps
        # The start is a division in both.
        assert cuts['audio'][0] == round(int(cuts['visual'][0][0]) * 0.64 / 0.96)


def test_the_last_start_of_a_random_crop():
    lengths, rng = dict(visual=np.full(4000, 13)), np.random.default_rng(0)
    for last_start, most in ((False, 2), (True, 3)):
        starts, _ = Window(10, last_start=last_start).cut(lengths, SECONDS, rng)['visual']
        assert starts.max() == most and starts.min() == 0


def test_lengths_of_the_papers_data_sets(repo_dir):
    cfg = load_config(repo_dir / 'configs/avdiff/avdiff_activitynet_5shot.py')
    windows = [cfg[f'{phase}_dataloader'].dataset.window for phase in ('train', 'val', 'test')]
    assert [(w.steps, w.position) for w in windows] == [(60, 'random'), (30, 'center'), (300, 'center')]
    released = load_config(repo_dir / 'configs/avdiff/avdiff_activitynet_5shot_released.py')
    for phase in ('train', 'val', 'test'):
        assert released[f'{phase}_dataloader'].dataset.window.audio_length == 'released'
    assert released.train_dataloader.dataset.window.last_start is False
    for data in ('ucf', 'vgg'):  # The limit is ignored in the mode `max`: whole videos.
        cfg = load_config(repo_dir / f'configs/avdiff/avdiff_{data}_5shot.py')
        assert all(cfg[f'{phase}_dataloader'].dataset.get('window') is None for phase in ('train', 'val', 'test'))


@pytest.mark.parametrize(
    'options, want',
    [
        ((), {'train': (60, 40), 'val': (30, 20), 'test': (300, 200)}),
        (('val_dataloader.dataset.window.steps=300',), {'train': (60, 40), 'val': (300, 200), 'test': (300, 200)}),
        (
            [f'{phase}_dataloader.dataset.window.audio_length=released' for phase in ('train', 'val', 'test')],
            {'train': (60, 37), 'val': (30, 18), 'test': (300, 184)},
        ),
    ],
)
def test_windows_reach_the_batches_of_each_phase(repo_dir, tiny_store, tmp_path, options, want):
    cfg = load_config(
        repo_dir / 'configs/avdiff/avdiff_activitynet_5shot.py', [f'data_root={tiny_store}', 'num_shots=2', *options]
    )
    phase = phase_config(cfg, Phase(1, 'full'), {}, tmp_path)
    loaders = dict(
        train=phase.train_dataloader,
        val=phase.val_dataloader,
        test=evaluation_config(cfg, 'test', 0, tmp_path).test_dataloader,
    )
    for name, (visual, audio) in want.items():
        features = DATASETS.build(loaders[name].dataset).__getitems__([0, 1])['features']
        assert (features['visual']['x'].shape[1], features['audio']['x'].shape[1]) == (visual, audio), name


def fitted(store, order, **kwargs):
    data = GFSLDataset(store, splits=('stage1_base', 'stage1_novel'), num_shots=5)
    conditioner = ClassEmbedding(32, order=order, **kwargs)
    conditioner.read_constants(data)
    return data, conditioner


def test_class_vectors_scrambled_by_set_order(golden, golden_store):
    data, released = fitted(golden_store, 'released')
    columns = np.flatnonzero(~data.base_mask)
    np.testing.assert_array_equal(data.class_ids[columns], golden.inputs['novel_class_ids_sorted'])
    fed = golden.inputs['text_by_class_id'][golden.inputs['novel_class_id_whose_text_is_fed']]
    np.testing.assert_array_equal(released.vectors[columns], fed)
    for prefix in ('novel_', 'base_'):
        labels = torch.tensor(golden.inputs[f'{prefix}target'])
        np.testing.assert_array_equal(released(labels), golden.inputs[f'{prefix}text'])
    _, sane = fitted(golden_store, 'sorted')
    np.testing.assert_array_equal(sane.vectors, golden.inputs['text_by_class_id'][data.class_ids])
    labels = torch.tensor(golden.inputs['novel_target'])
    assert int((sane(labels) != released(labels)).any(1).sum()) == 13


def test_class_numbers_are_positions_in_the_list_of_all_classes(golden_store, golden, tmp_path):
    names = golden.inputs['all_class_names'].tolist()
    (tmp_path / 'all.txt').write_text('\n'.join(names) + '\n')
    _, plain = fitted(golden_store, 'released')
    _, listed = fitted(golden_store, 'released', class_list=tmp_path / 'all.txt')
    assert torch.equal(plain.vectors, listed.vectors)
    (tmp_path / 'more.txt').write_text('\n'.join([*names, *(f'A{i}' for i in range(40))]) + '\n')
    _, moved = fitted(golden_store, 'released', class_list=tmp_path / 'more.txt')
    assert not torch.equal(plain.vectors, moved.vectors)
    (tmp_path / 'few.txt').write_text('\n'.join(names[1:]))
    with pytest.raises(DataError, match=f"does not name class '{names[0]}'"):
        fitted(golden_store, 'released', class_list=tmp_path / 'few.txt')
    with pytest.raises(ValueError, match="choose 'sorted', 'released'"):
        ClassEmbedding(3, order='random')


def test_without_a_list_of_all_classes_the_released_order_is_warned_about(tiny_store, tmp_path):
    data = GFSLDataset(tiny_store, splits=('stage1_base', 'stage1_novel'), num_shots=2)
    log_to(tmp_path / 'curriculum.log')
    (tmp_path / 'all.txt').write_text('\n'.join(data.store.class_names))
    numbers = dict(num_classes=len(data.class_ids), embedding_dim=data.class_embeddings.shape[1])
    for choice in (dict(order='sorted'), dict(order='released', class_list=tmp_path / 'all.txt')):
        ClassEmbedding(**numbers, **choice).read_constants(data)
    assert (tmp_path / 'curriculum.log').read_text() == ''
    ClassEmbedding(**numbers, order='released').read_constants(data)
    assert 'set model.conditioner.class_list' in (tmp_path / 'curriculum.log').read_text()


@pytest.mark.parametrize('data, classes, other', [('UCF', 101, 79), ('ActivityNet', 200, 8), ('VGGSound', 309, 205)])
def test_how_many_classes_do_not_sort_like_their_spelled_out_names(shared_dir, data, classes, other):
    folder = shared_dir / 'data/gzsl_lists' / data
    words = {
        row['original']: row['manual']
        for path in folder.glob('*_w2v_class_names.csv')
        for row in csv.DictReader(path.open(encoding='utf-8'))
    }
    names = sorted(set((folder / 'all_class.txt').read_text().split('\n')) - {''})
    texts = [words[name] for name in names]
    assert len(names) == classes and sum(a != b for a, b in zip(texts, sorted(texts), strict=True)) == other


@pytest.mark.parametrize(
    'data, split, scrambled',
    [
        ('UCF', 'stage_2_test_unseen', 6),
        ('ActivityNet', 'stage_1_val_unseen', 51),
        ('UCF', 'stage_1_train', 0),
        ('ActivityNet', 'stage_2_train', 0),
    ],
)
def test_how_many_classes_of_the_real_data_sets_are_scrambled(shared_dir, data, split, scrambled):
    folder = shared_dir / 'data/gzsl_lists' / data
    number = {
        name.lower(): i for i, name in enumerate(sorted(set((folder / 'all_class.txt').read_text().split('\n')) - {''}))
    }
    names = [name for name in (folder / f'cls_split/{split}.txt').read_text().split('\n') if name]
    rows = released_rows(np.sort([number[name.lower()] for name in names]))
    assert int((rows != np.arange(len(rows))).sum()) == scrambled

"""Tensors of a hostile or odd checkpoint are refused with one clear error, and quickly."""

import math

import pytest
import torch

from avzoo.avdiff_release.import_checkpoint import import_checkpoint
from avzoo.utils.errors import CheckpointError
from tests.avdiff_release.conftest import released_checkpoint

LAYER = 'Audio_visual_transformer.layers'
PAD = 'position_encoder_block.pad_embedding.weight'


def refused(run_folder, name, tensor, match, **settings):
    content = released_checkpoint()
    content['model'][name] = tensor
    with pytest.raises(CheckpointError, match=match) as caught:
        import_checkpoint(run_folder(content=content, **settings))
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.parametrize('number', ['999999999', '9' * 5000, '\u0663'])
def test_layers_are_counted_not_believed(run_folder, number):
    refused(run_folder, f'{LAYER}.{number}.norm.weight', torch.zeros(10), 'does not hold the tensors')


@pytest.mark.parametrize('name', [3, None, ('a',)])
def test_keys_that_are_no_names_are_refused(run_folder, name):
    refused(run_folder, name, torch.zeros(1), 'where the name of a tensor belongs')


def test_names_of_several_lines_give_messages_of_one(run_folder):
    refused(run_folder, 'a\nb' * 100, torch.zeros(1), r'has beyond them 1 \(a\\nb')


@pytest.mark.parametrize(
    'name, shape',
    [
        ('classifier.weight', (9,)),
        ('A_enc.fc.0.weight', ()),
        ('V_enc.fc.0.weight', (12,)),
        ('generator.fc.1.weight', (11,)),
        ('generator.fc.1.weight', (11, 10)),
        ('generator.fc.1.weight', (11, 3)),
        ('classifier.weight', (0, 9)),
        ('A_enc.fc.0.weight', (12, 0)),
        (PAD, (0, 8)),
        (PAD, (2, 8)),
        (PAD, (8,)),
        ('position_encoder_block.out_proj_audio.weight', (10, 18)),
        ('cls_token', (1, 1, 11)),
        ('cls_token', ()),
    ],
)
def test_odd_shapes_are_refused(run_folder, name, shape):
    refused(run_folder, name, torch.zeros(shape), 'expected|make sense|does not fit')


@pytest.mark.parametrize(
    'change',
    [
        torch.Tensor.to_sparse,
        lambda x: x.to(torch.complex64),
        torch.Tensor.long,
        torch.Tensor.double,
        lambda x: x * math.nan,
        lambda x: x / 0,
        lambda x: torch.zeros(1, 1).expand(x.shape),
        lambda x: x.to('meta'),
    ],
    ids=['sparse', 'complex', 'int', 'double', 'nan', 'inf', 'expanded', 'meta'],
)
def test_only_finite_float32_numbers_are_weights(run_folder, change):
    weight = released_checkpoint()['model']['A_enc.fc.0.weight']
    refused(
        run_folder,
        'A_enc.fc.0.weight',
        change(weight),
        'plain dense|was expected|not finite|too few numbers|not a readable checkpoint|no checkpoint',
    )


def test_counters_are_whole_numbers(run_folder):
    refused(run_folder, 'A_enc.fc.1.num_batches_tracked', torch.tensor(3.0), 'torch.int64 was expected')


@pytest.mark.parametrize('epoch', ['three', -1, 2.5, None, True])
def test_the_epoch_is_a_number_of_epochs(run_folder, epoch):
    with pytest.raises(CheckpointError, match='epoch'):
        import_checkpoint(run_folder(content=dict(released_checkpoint(), epoch=epoch)))


@pytest.mark.parametrize('gamma', [math.nan, math.inf])
def test_a_calibration_is_finite(run_folder, gamma):
    with pytest.raises(CheckpointError, match='no calibration'):
        import_checkpoint(run_folder(), gamma=gamma)


@pytest.mark.parametrize('depth', [2, 4, 1000, 1_000_000])
def test_the_depth_of_the_settings_is_that_of_the_checkpoint(run_folder, depth):
    with pytest.raises(CheckpointError, match='transformer_depth'):
        import_checkpoint(run_folder(transformer_depth=depth))


def test_no_memory_is_spent_on_sizes_that_settings_claim(run_folder):
    with pytest.raises(CheckpointError, match='does not fit the model'):
        import_checkpoint(run_folder(transformer_dim=1 << 14, transformer_heads=1 << 14, transformer_dim_head=1 << 14))


@pytest.mark.parametrize('numbered, value', [(False, 0.1), (True, 0.0)])
def test_the_settings_and_the_layers_agree_on_dropout(run_folder, numbered, value):
    content = released_checkpoint(generator_dropout=numbered)
    with pytest.raises(CheckpointError, match='diffusion_dropout_value'):
        import_checkpoint(run_folder(content=content, diffusion_dropout_value=value))

"""ProtoGAN, TSL, AV-GAN and the other ablations as their configs make them."""

import pytest
import torch

from avzoo.checkpoints.training import load_checkpoint
from avzoo.config.load import load_config
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.engine import CurriculumRunner
from avzoo.engine.curriculum.plan import Phase, phase_config
from avzoo.engine.hooks import PhaseHook
from avzoo.registry import DATASETS, MODELS
from tests.conftest import PROTOGAN, SMALL_AVDIFF, SMALL_GAN, SMALL_PROTOGAN

UCF = dict(
    feature_dims=dict(audio=128, visual=4096),
    seconds_per_step=dict(audio=0.96, visual=0.64),
    num_classes=48,
    embedding_dim=300,
)


def build(config_dir, name):
    cfg = load_config(config_dir / name.split('-')[0].split('_')[0] / f'{name}_ucf_5shot.py')
    return MODELS.build(dict(cfg.model.to_dict(), data_info=UCF, data_preprocessor=cfg.data_preprocessor.to_dict()))


def count(part) -> int:
    return sum(p.numel() for p in part.parameters())


@pytest.mark.parametrize(
    ('name', 'total', 'parts'),
    [
        (
            'protogan',
            11_951_473,
            {
                'head': 2_200_304,
                'generator.synthesizer': 5_162_112,
                'generator.critic': 2_425_857,
                'generator.condition_net': 2_163_200,
            },
        ),
        (
            'tsl',
            3_103_009,
            {'projector': 2_318_724, 'head': 14_448, 'generator.synthesizer': 461_612, 'generator.critic': 308_225},
        ),
        ('avdiff', 5_714_844, {'generator': 55_104}),
        ('avdiff-full', 5_714_844, {}),
        ('avdiff-cross', 5_714_844, {}),
        ('avdiff-self', 5_714_844, {}),
        ('avdiff-alternate', 5_714_844, {}),
        ('avdiff-wgan', 5_738_141, {'generator.synthesizer': 54_976, 'generator.critic': 23_425}),
        ('avdiff-nogen', 5_714_844 - 55_104, {}),
        ('avdiff-audio', 3_352_028, {}),
        ('avdiff-visual', 5_383_644, {}),
        ('avdiff-avprot', 6_217_116, {'generator': 557_376}),
    ],
)
def test_parameter_counts_on_ucf(repo_dir, name, total, parts):
    model = build(repo_dir / 'configs', name)
    assert {part: count(model.get_submodule(part)) for part in parts} == parts
    assert count(model) == total


def test_an_ablation_differs_from_avdiff_in_one_part(repo_dir):
    folder = repo_dir / 'configs' / 'avdiff'
    parts = {
        'full': {'fusion'},
        'cross': {'fusion'},
        'self': {'fusion'},
        'alternate': {'fusion'},
        'wgan': {'generator'},
        'nogen': {'generator', 'conditioner'},
        'avprot': {'conditioner'},
        'audio': {'encoders', 'embedding', 'fusion'},
        'visual': {'encoders', 'embedding', 'fusion'},
    }
    for dataset in ('ucf', 'activitynet', 'vgg', 'synth'):
        main = load_config(folder / f'avdiff_{dataset}_5shot.py')
        for variant, expected in parts.items():
            cfg = load_config(folder / f'avdiff-{variant}_{dataset}_5shot.py')
            assert {k for k in main.model if main.model[k] != cfg.model[k]} == expected, cfg.filename
            others = set(main) - {'model', 'method'}
            if (variant, dataset) == ('audio', 'activitynet'):  # its window is counted in audio steps
                others -= {'train_dataloader', 'val_dataloader', 'test_dataloader'}
            assert all(main[k] == cfg[k] for k in others), cfg.filename
            for modality, encoder in cfg.model.encoders.items():
                assert encoder == main.model.encoders[modality]


def test_tsl_freezes_its_segment_encoder_and_protogan_nothing(repo_dir):
    paths = list((repo_dir / 'configs' / 'tsl').glob('tsl_*.py'))
    assert len(paths) >= 20
    for path in paths:
        assert tuple(load_config(path).curriculum.full['freeze']) == ('projector',)
    model = build(repo_dir / 'configs', 'protogan')
    model._freeze(('encoders', 'embedding', 'fusion'), 'train')
    assert count(model.head) and all(p.requires_grad for p in model.head.parameters())


TSL = 'tsl/tsl_custom_5shot.py'
AVGAN = 'avdiff/avdiff-wgan_synth_5shot.py'
CONFIGS = {
    PROTOGAN: SMALL_PROTOGAN,
    TSL: (*SMALL_GAN, 'model.projector.hidden_dim=16', 'model.projector.out_dim=8'),
    AVGAN: (*(option for option in SMALL_AVDIFF if 'generator' not in option), *SMALL_GAN),
}


def gan_config(tiny_config, work_dir, config):
    short = 'curriculum.num_draws=1', 'curriculum.base.max_epochs=1', 'curriculum.full.max_epochs=2'
    return tiny_config(work_dir, *CONFIGS[config], 'curriculum.references=()', *short, config=config)


@pytest.mark.parametrize('config', CONFIGS)
def test_a_run_can_be_stopped_in_the_middle_and_ends_the_same(tiny_config, tmp_path, monkeypatch, config):
    whole = CurriculumRunner(gan_config(tiny_config, tmp_path / 'whole', config)).train()
    with monkeypatch.context() as patch:
        finish = PhaseHook._finish_epoch

        def stop(hook, runner, epoch):
            finish(hook, runner, epoch)
            if hook.meta['phase'] == 'stage1_full' and epoch == 1:
                raise KeyboardInterrupt

        patch.setattr(PhaseHook, '_finish_epoch', stop)
        with pytest.raises(KeyboardInterrupt):
            CurriculumRunner(gan_config(tiny_config, tmp_path / 'cut', config)).train()
    resumed = CurriculumRunner(gan_config(tiny_config, tmp_path / 'cut', config), resume=True).train()
    assert resumed['draws'] == whole['draws']
    for phase in ('stage1_full', 'stage2_full_draw0'):
        a, b = (load_checkpoint(tmp_path / run / phase / 'last.pth')['state_dict'] for run in ('whole', 'cut'))
        extra = a.pop('generator._extra_state'), b.pop('generator._extra_state')
        assert all(torch.equal(a[k], b[k]) for k in a)
        for player in ('generator', 'critic'):
            first, second = (state[player]['state'] for state in extra)
            assert all(torch.equal(first[i][k], second[i][k]) for i in first for k in first[i])


@pytest.mark.parametrize('config', CONFIGS)
def test_the_models_optimizer_never_sees_the_gan_and_the_gan_never_the_model(tiny_config, tmp_path, config):
    cfg = gan_config(tiny_config, tmp_path, config)
    run = phase_config(cfg, Phase(1, 'base'), {}, tmp_path)
    torch.manual_seed(0)
    model = MODELS.build(run.model.to_dict())
    assert not any(p.requires_grad for p in model.generator.parameters())
    data = GFSLDataset(**{k: v for k, v in run.train_dataloader.dataset.items() if k != 'type'})
    model.read_constants(data)
    batch = model.data_preprocessor(data.__getitems__([0, 7, 14, 21]))
    before = {name: p.clone() for name, p in model.named_parameters()}
    losses = model.loss(batch['inputs'], batch['label'])
    assert [key for key in losses if 'loss' in key] == ['loss_ce']
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved and all(name.startswith('generator.') for name in moved)
    assert all(p.grad is None for p in model.parameters())
    novel = model.loss(batch['inputs'], batch['label'], novel=True)
    assert [key for key in novel if 'loss' in key] == ['loss_ce', 'loss_synthetic']
    novel['loss_synthetic'].backward()
    assert all(p.grad is None for p in model.generator.parameters())
    assert any(p.grad is not None for p in model.head.parameters())


@pytest.mark.parametrize('config', CONFIGS)
def test_a_frozen_gan_stays_as_it_is(tiny_config, tmp_path, config):
    run = phase_config(gan_config(tiny_config, tmp_path, config), Phase(1, 'full'), {}, tmp_path)
    run.model.frozen = ('generator',)
    model = MODELS.build(run.model)
    data = DATASETS.build(run.train_dataloader.dataset)
    model.read_constants(data)
    before = {name: p.clone() for name, p in model.generator.named_parameters()}
    batch = model.data_preprocessor(data.__getitems__([0, 7, 14, 21]))
    assert 'loss_synthetic' in model.loss(batch['inputs'], batch['label'], novel=True)
    assert all(torch.equal(p, before[name]) for name, p in model.generator.named_parameters())


def test_prototypes_follow_the_phase(tiny_config, tmp_path):
    cfg = gan_config(tiny_config, tmp_path, PROTOGAN)
    CurriculumRunner(cfg, stage=1).train()
    base, full = (load_checkpoint(tmp_path / phase / 'last.pth') for phase in ('stage1_base', 'stage1_full'))
    is_base = torch.tensor(base['meta']['base_mask'])
    name = 'conditioner.prototypes'
    assert not base['state_dict'][name][~is_base].any()
    assert full['state_dict'][name][~is_base].any(1).all()
    assert torch.equal(base['state_dict'][name][is_base], full['state_dict'][name][is_base])

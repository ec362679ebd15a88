"""Each type in a config is looked up in the registry of its place."""

import pytest
import torch
from torch import nn

from avzoo import registry
from avzoo.config.build import build_part
from avzoo.config.keys import known_keys
from avzoo.config.parts import find_classes, registry_at
from avzoo.utils.errors import ConfigError
from tests.conftest import SMALL_AVDIFF


@pytest.mark.parametrize(
    ('path', 'kind', 'stranger'),
    [
        ('model.fusion', 'fusion', 'LinearHead'),
        ('model.head', 'head', 'MaskedTransformer'),
        ('model.encoders.audio', 'encoder', 'LinearHead'),
        ('model.embedding', 'embedding', 'MLP'),
        ('model.projector', 'projector', 'ClassEmbedding'),
        ('model.conditioner', 'conditioner', 'DDPM'),
        ('model.generator', 'generator', 'LinearSchedule'),
        ('model.generator.schedule', 'noise schedule', 'MLPNoisePredictor'),
        ('model.generator.noise_predictor', 'noise predictor', 'MLP'),
        ('data_preprocessor', 'model', 'GFSLDataset'),
        ('train_dataloader.dataset', 'dataset', 'EvaluationBatchSampler'),
        ('train_dataloader.batch_sampler', 'sampler', 'GFSLDataset'),
        ('val_evaluator', 'metric', 'FitHook'),
        ('custom_hooks.0', 'hook', 'GFSLMetric'),
        ('default_hooks.logger', 'hook', 'Adam'),
        ('optim_wrapper', 'optimizer wrapper', 'Adam'),
        ('optim_wrapper.optimizer', 'optimizer', 'OptimWrapper'),
        ('param_scheduler', 'parameter scheduler', 'Adam'),
        ('visualizer', 'visualizer', 'LoggerHook'),
    ],
)
def test_a_part_of_another_kind_is_refused_where_it_stands(read, path, kind, stranger):
    names = ', '.join(registry_at(path).names())
    with pytest.raises(ConfigError) as refused:
        read(f"{path}={{'_delete_': True, 'type': '{stranger}'}}")
    assert f"{path}.type='{stranger}' is not a registered {kind}." in str(refused.value)
    assert names in str(refused.value) and registry_at(path).name == kind


def test_parts_below_a_nested_head_have_their_registries():
    assert registry_at('model.head.head.projector') is registry.PROJECTORS
    assert registry_at('model.head.head') is registry.HEADS
    assert registry_at('model.init_cfg.0') is registry.WEIGHT_INITIALIZERS
    assert registry_at('visualizer.vis_backends.0') is registry.VISBACKENDS


STRANGER = '''
import torch
from torch import nn
from avzoo.config.build import build_part
from avzoo.models.layers.masking import masked_mean
from avzoo.registry import FUSIONS, PROJECTORS

@FUSIONS.register_module()
class Identity(nn.Module):
    """Bears the name of an encoder, and builds a part of its own whose name two registries know."""

    def __init__(self, dim: int, facts: dict, *, dropout: float, inner: dict) -> None:
        super().__init__()
        self.inner = build_part(PROJECTORS, inner, 'model.fusion.inner', **dict(facts, in_dim=dim))
        self.out_dim, self.num_readouts = self.inner.out_dim, 1
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens, masks):
        return self.inner(self.dropout(sum(masked_mean(x, masks[m]) for m, x in tokens.items())))

@PROJECTORS.register_module()
class LinearHead(nn.Linear):
    """Bears the name of a head."""

    def __init__(self, in_dim: int, *, rows: int = 8) -> None:
        super().__init__(in_dim, rows)
        self.out_dim = rows
'''


def test_parts_that_share_a_name_with_parts_of_another_kind_train(repo_dir, tool_server, tiny_store, tmp_path):
    (tmp_path / 'stranger.py').write_text(STRANGER)
    config = tmp_path / 'mine.py'
    config.write_text(f"""
_base_ = ['{repo_dir}/configs/avdiff/avdiff_custom_5shot.py']
custom_imports = dict(imports=['stranger'], allow_failed_imports=False)
model = dict(fusion=dict(_delete_=True, type='Identity', dropout=0.2, inner=dict(type='LinearHead', rows=6)))
""")
    options = [option for option in SMALL_AVDIFF if not option.startswith('model.fusion')]
    options += [f'data_root={tiny_store}', 'num_shots=2', 'train_dataloader.batch_sampler.num_batches=2']
    options += ['curriculum.base.max_epochs=1', 'curriculum.full.max_epochs=1', 'curriculum.num_draws=1']
    options += ['curriculum.references=[]', 'train_dataloader.batch_size=8']
    arguments = (config, '--work-dir', tmp_path / 'run', '--cfg-options', *options)
    code, _, err = tool_server.run(repo_dir / 'tools/train.py', *arguments, cwd=repo_dir, PYTHONPATH=str(tmp_path))
    assert code == 0, err
    state = torch.load(tmp_path / 'run' / 'stage2_full_draw0' / 'last.pth', weights_only=True)['state_dict']
    assert state['fusion.inner.weight'].shape == (6, 12)


def test_below_a_part_any_registry_may_have_the_name_and_the_keys_choose(monkeypatch):
    class MLP(torch.nn.Module):
        def __init__(self, *, colour: str) -> None: ...

    monkeypatch.setitem(registry.HEADS.module_dict, 'MLP', MLP)
    assert len(find_classes('MLP', 'model.fusion.inner')) == 2
    assert find_classes('MLP', 'model.head') == [MLP]
    for key in ('colour', 'hidden_dim'):  # The one is meant that takes the keys.
        assert key in known_keys({'type': 'MLP', key: 1}, 'model.fusion.inner')
    with pytest.raises(ConfigError, match=r"model\.fusion\.inner\.type='MPL' .*anywhere.*Did you mean 'MLP'"):
        find_classes('MPL', 'model.fusion.inner')


class NeedsWidths(nn.Module):
    def __init__(self, dim: int, wide: int, *others: int, deep: int, slope: float = 0.1, **more: int) -> None:
        super().__init__()


def test_a_part_whose_arguments_nothing_gives_is_told_them_and_the_facts():
    with pytest.raises(ConfigError) as caught:
        build_part(registry.PROJECTORS, dict(type=NeedsWidths, deep=2), 'model.projector', dim=3, in_dim=4)
    assert 'model.projector.wide' in str(caught.value) and 'NeedsWidths needs wide. ' in str(caught.value)
    assert 'dim, in_dim' in str(caught.value)
    assert build_part(registry.PROJECTORS, dict(type=NeedsWidths, deep=2, wide=5), 'model.projector', dim=3)

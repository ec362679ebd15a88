"""A small checkpoint as the released AV-DIFF code writes it, and its run folder."""

import functools
import zipfile

import pytest
import torch
import yaml

from avzoo.avdiff_release.keys import to_released
from avzoo.config.load import load_config
from avzoo.registry import MODELS
from tests.conftest import CONFIGS
from tests.zoo_fixtures import home, server  # noqa: F401

ARGS = dict(
    dataset_name='UCF',
    zero_shot_split='5-shot',
    retrain_all=False,
    embeddings_hidden_size=12,
    transformer_dim=10,
    embedding_dropout=0.2,
    transformer_embedding_dim=8,
    transformer_embedding_dropout=0.1,
    transformer_depth=3,
    transformer_embedding_fourier_scale=10.0,
    layer_change_attention=1,
    transformer_heads=2,
    transformer_dim_head=4,
    transformer_mlp_dim=6,
    transformer_dropout=0.1,
    decoder_hidden_size=14,
    output_dimension_transformer=9,
    decoder_dropout=0.3,
    diffusion_steps=7,
    generator_hidden_size=11,
    diffusion_dropout_value=0.0,
    bs=16,
    n_batches=4,
    epochs=3,
    epochs_fine_tune=2,
    lr=1e-3,
    seed=43,
    lr_scheduler=True,
    batch_seqlen_train='max',
    batch_seqlen_test='max',
)


@functools.cache
def _model():
    cfg = load_config(
        CONFIGS / 'avdiff/avdiff_ucf_5shot.py',
        [
            'model.encoders.audio.hidden_dim=12',
            'model.encoders.audio.out_dim=10',
            'model.encoders.visual.hidden_dim=12',
            'model.encoders.visual.out_dim=10',
            'model.embedding.embed_dim=8',
            'model.fusion.depth=3',
            'model.fusion.switch_after=1',
            'model.fusion.num_heads=2',
            'model.fusion.head_dim=4',
            'model.fusion.mlp_dim=6',
            'model.projector.hidden_dim=14',
            'model.projector.out_dim=9',
            'model.generator.noise_predictor.hidden_dim=11',
        ],
    )
    info = dict(
        feature_dims=dict(audio=5, visual=7),
        seconds_per_step=dict(audio=0.96, visual=0.64),
        num_classes=4,
        embedding_dim=6,
    )
    return MODELS.build(dict(cfg.model.to_dict(), data_info=info, data_preprocessor=cfg.data_preprocessor.to_dict()))


def released_checkpoint(*, generator_dropout=False, seed=0):
    """A small checkpoint in the released format, with random weights."""
    random = torch.Generator().manual_seed(seed)
    state = {
        k: v + torch.rand(v.shape, generator=random) if v.is_floating_point() else v
        for k, v in _model().state_dict().items()
    }
    state = to_released(state, 'here', generator_dropout=generator_dropout)
    for name, shape in {'1.weight': (32, 9), '1.bias': (32,), '3.weight': (1, 32), '3.bias': (1,)}.items():
        state[f'discriminator_seen_novel.fc.{name}'] = torch.rand(shape, generator=random)
    return dict(epoch=3, model=state, optimizer={'state': {0: {'step': torch.tensor(5.0)}}}, metric='score')


@pytest.fixture
def run_folder(tmp_path):
    """A function that writes a run folder as the released code does."""

    def make(name='run', content=None, file='AVDiff_score.pt', **changes):
        folder = tmp_path / name
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        torch.save(released_checkpoint() if content is None else content, folder / file)
        (folder / 'args.yaml').write_text(yaml.safe_dump({**ARGS, **changes}))
        return folder

    return make


def archive(tmp_path, *folders, extra=()):
    path = tmp_path / 'models.zip'
    with zipfile.ZipFile(path, 'w') as file:
        for folder in folders:
            for item in sorted(p for p in folder.rglob('*') if p.is_file()):
                file.write(item, f'models/{folder.name}/{item.relative_to(folder).as_posix()}')
        for info, data in extra:
            file.writestr(info, data)
    return path

"""What tools/misc/record_parity.py records: AV-DIFF's numbers on weights and inputs drawn from a seed."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal
from unittest import mock

import numpy as np
import torch
from mmengine.config import Config

from avzoo.avdiff_release.keys import key_pairs
from avzoo.datasets.collate import collate_arrays
from avzoo.models.generators import ddpm
from avzoo.protocol import SECONDS_PER_STEP
from avzoo.registry import MODELS
from avzoo.zoo.index import zoo_root

SEED = 20231
BATCH, STEPS, DIMS = 5, {'audio': 7, 'visual': 11}, {'audio': 128, 'visual': 64}
DATA = dict(feature_dims=DIMS, seconds_per_step=dict(SECONDS_PER_STEP), num_classes=12, embedding_dim=20)
FROZEN = ('encoders', 'embedding', 'fusion')
SHORT_CHAIN = 10


def all_records() -> dict[str, np.ndarray]:
    """Compute everything that is recorded."""
    model, batch = build_model(), draw_batch()
    return {**compute(model, batch), **train_step(model, batch), **full_records(batch)}


def build_model(
    *, num_steps: int = 200, frozen: tuple[str, ...] = (), frozen_mode: Literal['train', 'eval'] = 'train'
) -> torch.nn.Module:
    """Build AV-DIFF as released (UCF, 5 shots) with weights drawn by numpy, which draws the same numbers everywhere."""
    cfg = Config.fromfile(zoo_root() / 'configs/avdiff/avdiff_ucf_5shot.py')
    cfg.merge_from_dict(
        {'model.generator.schedule.num_steps': num_steps, 'model.frozen': frozen, 'model.frozen_mode': frozen_mode}
    )
    model = MODELS.build(dict(cfg.model.to_dict(), data_info=DATA, data_preprocessor=cfg.data_preprocessor.to_dict()))
    # Each tensor is seeded by its name in the released code, so a part may be renamed here, and a new tensor does not
    # change the others.
    released = {ours: theirs for theirs, ours in key_pairs(len(model.fusion.layers), generator_dropout=False).items()}
    model.load_state_dict({name: _draw(released.get(name, name), value) for name, value in model.state_dict().items()})
    return model.eval()


def draw_batch() -> dict:
    """Draw a batch in the form that the data set returns."""
    rng = np.random.default_rng([SEED, 1])
    clips = {}
    for name, steps in STEPS.items():
        lengths = rng.integers(1, steps + 1, BATCH)
        lengths[0] = steps
        x = rng.random((BATCH, steps, DIMS[name]), np.float32) * (255 if name == 'audio' else 2)
        clips[name] = [sequence[:length] for sequence, length in zip(x, lengths, strict=True)]
    return dict(
        features=collate_arrays(clips, DATA['seconds_per_step']), label=torch.from_numpy(rng.integers(0, 12, BATCH))
    )


@torch.no_grad()
def compute(model: torch.nn.Module, batch: dict) -> dict[str, np.ndarray]:
    """Compute every intermediate result of the model, and the diffusion model's parts, with noise drawn by numpy."""
    inputs, label = model.data_preprocessor(batch)['inputs'], batch['label']
    found, tokens, masks = {}, {}, {}
    for name, (x, mask, seconds) in inputs.items():
        found[f'encoded_{name}'] = encoded = model.encoders[name](x, mask)
        found[f'tokens_{name}'] = tokens[name] = model.embedding(encoded, mask, seconds, name)
        masks[name] = mask
    found['fused'] = model.fusion(tokens, masks)
    found['c_o'] = c_o = model.extract_feat(inputs)
    found['scores'] = model.predict(inputs, None, None)[0]['scores']
    rng = np.random.default_rng([SEED, 2])
    noise, steps = (torch.from_numpy(rng.normal(size=(BATCH, 64)).astype(np.float32)) for _ in range(2))
    t, condition = torch.from_numpy(rng.integers(0, 200, BATCH)), model.conditioner(label)
    found['q_sample'] = noised = model.generator.q_sample(c_o, t, noise)
    found['predicted_noise'] = model.generator.noise_predictor(noised, t, condition)
    found['diffusion_loss'] = model.generator.denoising_error(c_o, condition, t, noise)
    found['p_sample_last'] = model.generator.p_sample(noised, 0, condition, steps)
    found['p_sample_first'] = model.generator.p_sample(noised, 199, condition, steps)
    return {name: value.numpy().astype(np.float32) for name, value in found.items()}


def train_step(model: torch.nn.Module, batch: dict) -> dict[str, np.ndarray]:
    """Compute the classification loss in train mode without dropout: gradient norms and BatchNorm means."""
    inputs = _start_training(model, batch)
    loss = model.head.loss(model.extract_feat(inputs), batch['label'])['loss_ce']
    return _step_record(model, dict(loss_ce=loss))


def full_step(model: torch.nn.Module, batch: dict) -> dict[str, np.ndarray]:
    """Compute all losses of a novel batch as ``train_step`` does, with steps and noises drawn by numpy."""
    inputs = _start_training(model, batch)
    with fixed_draws(_chain_noises(model, 1), np.random.default_rng([SEED, 3]).integers(0, SHORT_CHAIN, BATCH)):
        losses = model.loss(inputs, batch['label'], novel=True)
    return _step_record(model, losses)


@torch.no_grad()
def chain_end(model: torch.nn.Module, batch: dict) -> np.ndarray:
    """Compute the end of the reverse chain, with noise drawn by numpy."""
    with fixed_draws(_chain_noises(model, 0)):
        return model.generator.sample(model.conditioner(batch['label'])).numpy()


@contextmanager
def fixed_draws(noises: Sequence[np.ndarray], t: np.ndarray | None = None) -> Iterator[list]:
    """Let the diffusion model draw these noises and steps, in this order; yield the noises not drawn yet."""
    queue = [torch.as_tensor(noise) for noise in noises]
    randint = torch.randint if t is None else lambda *args, **kwargs: torch.as_tensor(t)
    with (
        mock.patch.object(ddpm, '_normal_like', lambda x, generator: queue.pop(0)),
        mock.patch.object(torch, 'randint', randint),
    ):
        yield queue


def full_records(batch: dict) -> dict[str, np.ndarray]:
    """Compute the step of the full sub-stage in both modes of its frozen parts, and a short reverse chain."""
    found = {'chain_end': chain_end(build_model(num_steps=SHORT_CHAIN), batch)}
    for mode in ('train', 'eval'):
        step = full_step(build_model(num_steps=SHORT_CHAIN, frozen=FROZEN, frozen_mode=mode), batch)
        found.update({f'full.{mode}.{name}': value for name, value in step.items()})
    return found


def _start_training(model: torch.nn.Module, batch: dict) -> dict:
    """Set the train mode, without dropout, and return the model's inputs."""
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    model.train()
    return model.data_preprocessor(batch, training=True)['inputs']


def _step_record(model: torch.nn.Module, losses: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    sum(losses.values()).backward()
    norms = {f'grad.{name}': p.grad.norm() for name, p in model.named_parameters() if p.grad is not None}
    means = {f'mean.{name}': b for name, b in model.named_buffers() if name.endswith('running_mean')}
    return {name: value.detach().numpy() for name, value in dict(norms, **means, **losses).items()}


def _chain_noises(model: torch.nn.Module, before: int) -> np.ndarray:
    """Draw ``before`` noises, then the start and the noises of a reverse chain: (before + 1 + T, B, D)."""
    shape = (before + 1 + model.generator.schedule.num_steps, BATCH, model.generator.dim)
    return np.random.default_rng([SEED, 4]).normal(size=shape).astype(np.float32)


def _draw(name: str, value: torch.Tensor) -> torch.Tensor:
    if not value.is_floating_point() or name == 'gamma':
        return value
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    if name.endswith('running_var'):
        drawn = rng.uniform(0.5, 1.5, value.shape)
    elif 'norm.weight' in name or name.endswith(
        ('enc.fc.1.weight', 'enc.fc.5.weight', 'proj.fc.1.weight', 'proj.fc.5.weight')
    ):
        drawn = rng.normal(1.0, 0.3, value.shape)
    else:
        scale = 10 if 'fourier_randn' in name else value[0].numel() ** -0.5 if value.dim() > 1 else 0.3
        drawn = rng.normal(0.0, scale, value.shape)
    return torch.from_numpy(np.asarray(drawn, dtype=np.float32)).reshape(value.shape).to(value.dtype)

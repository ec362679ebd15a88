"""Record what the AV-DIFF model computes on weights and inputs that are drawn from a seed.

tests/golden/test_parity.py compares with the file that this writes. The model was checked step by step against the
released code; record anew only when a number is meant to change, and say why in the changelog.

example:
  python tools/misc/record_parity.py tests/golden/parity.npz
"""

import argparse
import sys
import zlib
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.config import Config

from avzoo.apis.model_index import zoo_root
from avzoo.models.converters.avdiff_keys import key_pairs
from avzoo.registry import MODELS
from avzoo.utils.cli import run_tool

SEED = 20231
BATCH, STEPS, DIMS = 5, {'audio': 7, 'visual': 11}, {'audio': 128, 'visual': 64}
DATA = dict(feature_dims=DIMS, seconds_per_step=dict(audio=0.96, visual=0.64), num_classes=12, embedding_dim=20)


def build_model() -> torch.nn.Module:
    """Build AV-DIFF as released (UCF, 5 shots) with weights drawn by numpy, which draws alike everywhere."""
    cfg = Config.fromfile(zoo_root() / 'configs/avdiff/avdiff_ucf_5shot.py')
    model = MODELS.build(dict(cfg.model.to_dict(), data_info=DATA, data_preprocessor=cfg.data_preprocessor.to_dict()))
    # Each tensor is drawn from its name in the released code: then a part may be renamed here, and a new tensor changes
    # nothing in the others.
    released = {ours: theirs for theirs, ours in key_pairs(len(model.fusion.layers), generator_dropout=False).items()}
    model.load_state_dict({name: _draw(released.get(name, name), value) for name, value in model.state_dict().items()})
    return model.eval()


def draw_batch() -> dict:
    """Draw a batch as the data set gives it."""
    rng = np.random.default_rng([SEED, 1])
    features = {}
    for name, steps in STEPS.items():
        lengths = rng.integers(1, steps + 1, BATCH)
        lengths[0] = steps
        x = rng.random((BATCH, steps, DIMS[name]), np.float32) * (255 if name == 'audio' else 2)
        x *= (np.arange(steps) < lengths[:, None])[..., None]
        features[name] = dict(x=torch.from_numpy(x), lengths=torch.from_numpy(lengths),
                              starts=torch.zeros(BATCH, dtype=torch.long))
    return dict(features=features, label=torch.from_numpy(rng.integers(0, 12, BATCH)))


@torch.no_grad()
def compute(model: torch.nn.Module, batch: dict) -> dict[str, np.ndarray]:
    """Compute every stop on the model's way, and the diffusion model's parts, with noise drawn by numpy."""
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
    """Compute the classification loss in train mode without dropout: its gradients' norms, and BatchNorm's means."""
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    model.train()
    inputs = model.data_preprocessor(batch, training=True)['inputs']
    loss = model.head.loss(model.extract_feat(inputs), batch['label'])['loss_ce']
    loss.backward()
    norms = {f'grad.{name}': p.grad.norm() for name, p in model.named_parameters() if p.grad is not None}
    means = {f'mean.{name}': b for name, b in model.named_buffers() if name.endswith('running_mean')}
    return {name: value.detach().numpy() for name, value in dict(norms, **means, loss_ce=loss).items()}


def _draw(name: str, value: torch.Tensor) -> torch.Tensor:
    if not value.is_floating_point() or name == 'gamma':
        return value
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    if name.endswith('running_var'):
        drawn = rng.uniform(0.5, 1.5, value.shape)
    elif 'norm.weight' in name or name.endswith(('enc.fc.1.weight', 'enc.fc.5.weight', 'proj.fc.1.weight',
                                                 'proj.fc.5.weight')):
        drawn = rng.normal(1.0, 0.3, value.shape)
    else:
        scale = 10 if 'fourier_randn' in name else value[0].numel() ** -0.5 if value.dim() > 1 else 0.3
        drawn = rng.normal(0.0, scale, value.shape)
    return torch.from_numpy(np.asarray(drawn, dtype=np.float32)).reshape(value.shape).to(value.dtype)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', metavar='FILE.npz', help='file to write')
    args = parser.parse_args(argv)
    model, batch = build_model(), draw_batch()
    arrays = {**compute(model, batch), **train_step(model, batch)}
    np.savez_compressed(args.out, **arrays)
    print(f'{args.out}: {len(arrays)} arrays')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))

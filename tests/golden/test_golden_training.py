"""Losses, gradients and one optimizer step of the imported model are those of the released code."""

import numpy as np
import pytest
import torch

from avzoo.avdiff_release.keys import UNUSED, key_pairs
from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.models.conditioners import ClassEmbedding
from tests.golden.conftest import second_forward, without_dropout

LR = 5e-4
KEYS = key_pairs(4, generator_dropout=False)
CASES = {
    'base_st_1.train.free': 'base_',
    'base.train.frozen': 'base_',
    'novel.train.frozen': 'novel_',
    'val.eval.free': '',
}


class Case:
    """One case of train_step.npz: the model, its losses on the golden batch, and the expected values."""

    def __init__(self, name, build, batch, golden, golden_store, fixed_noise):
        self.name, self.want = name, {k[len(name) + 1 :]: v for k, v in golden.train_step.items() if k.startswith(name)}
        split = name.split('.')[0]
        frozen = 'frozen' in name
        self.model = without_dropout(build(frozen=('encoders', 'embedding', 'fusion') if frozen else ()))
        self.model.train('train' in name)
        # Training batches carry the vectors that the released code feeds, the validation batch the true ones.
        self.model.conditioner = ClassEmbedding(32, order='sorted' if split == 'val' else 'released')
        self.model.read_constants(GFSLDataset(golden_store, splits=('stage1_base', 'stage1_novel'), num_shots=5))
        step = golden.train_step
        noises = [step['noise'], step['x_T'], *step['chain_noise']]
        self.novel = split in ('novel', 'val')
        fixed_noise(noises if self.novel else noises[:1], step['t'])
        self.batch = batch(CASES[name])
        np.testing.assert_array_equal(self.model.conditioner(self.batch['label']), golden.inputs[f'{CASES[name]}text'])
        inputs = self.model.data_preprocessor(self.batch, training=True)['inputs']
        self.classified = []
        watch = self.model.head.fc.register_forward_pre_hook(lambda _, args: self.classified.append(args[0].detach()))
        self.losses = self.model.loss(inputs, self.batch['label'], novel=self.novel)
        watch.remove()
        self.total = sum(self.losses.values())

    def state(self):
        return self.model.state_dict()


@pytest.fixture(params=CASES)
def case(request, build, batch, golden, golden_store, fixed_noise):
    return Case(request.param, build, batch, golden, golden_store, fixed_noise)


@pytest.fixture(params=[name for name in CASES if 'train' in name])
def trained(request, build, batch, golden, golden_store, fixed_noise):
    return Case(request.param, build, batch, golden, golden_store, fixed_noise)


def test_losses(case):
    ce = case.losses['loss_ce'] + case.losses.get('loss_synthetic', 0.0)
    assert float(ce.detach()) == pytest.approx(float(case.want['loss_ce']), abs=1e-5)
    assert float(case.losses['loss_diffusion'].detach()) == pytest.approx(float(case.want['loss_diff']), abs=1e-5)
    assert float(case.total.detach()) == pytest.approx(float(case.want['loss_total']), abs=1e-5)


def test_real_and_synthetic_features(case):
    assert len(case.classified) == 1 + case.novel
    for found, name in zip(case.classified, ('theta_o', 'theta_fake'), strict=False):
        atol = 1e-5 if name == 'theta_o' else 1e-3  # The end of a chain of 200 steps.
        np.testing.assert_allclose(found, case.want[name], atol=atol, rtol=1e-5, err_msg=name)


def test_gradients(trained):
    trained.total.backward()
    parameters = {
        theirs: trained.model.get_parameter(ours)
        for theirs, ours in KEYS.items()
        if ours in dict(trained.model.named_parameters())
    }
    without = {k for k in trained.want['params_without_grad'].tolist() if not k.startswith(UNUSED)}
    assert {k for k, p in parameters.items() if p.grad is None} == without
    norms = dict(zip(trained.want['grad_norm_names'].tolist(), trained.want['grad_norms'].tolist(), strict=True))
    largest = max(norms.values())
    for key, norm in norms.items():
        assert float(parameters[key].grad.double().norm()) == pytest.approx(norm, rel=1e-4, abs=1e-7 * largest), key
    compared = 0
    for name, want in trained.want.items():
        if name.startswith('grad.'):
            grad = parameters[name[5:]].grad.reshape(want.shape).numpy()
            # Where a gradient is zero but for rounding there is nothing to be relative to.
            assert np.linalg.norm(grad - want) <= 1e-4 * np.linalg.norm(want) + 1e-7 * largest, name
            compared += 1
    assert compared > 5


def step(trained):
    trained.total.backward()
    trainable = [p for p in trained.model.parameters() if p.requires_grad]
    torch.optim.Adam(trainable, lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-5).step()


def test_weights_and_statistics_after_one_step(trained):
    before = {k: v.clone() for k, v in trained.state().items()}
    step(trained)
    state, moved = trained.state(), 0
    for name, want in trained.want.items():
        key = name.removeprefix('after_step.')
        if key == name or key.startswith(UNUSED):
            continue
        now = state[KEYS[key]].reshape(want.shape).numpy()
        grad = trained.want.get(f'grad.{key}')
        if grad is not None and np.linalg.norm(grad) < 1e-6:
            # Rounding decides the sign of such a gradient, and Adam's first step is as long as any.
            np.testing.assert_allclose(now, want, atol=2.1 * LR, rtol=0, err_msg=key)
            continue
        # Single elements of a gradient may be as small.
        sure = np.ones(want.shape, bool) if grad is None else np.abs(grad) > 1e-4 * np.abs(grad).max()
        np.testing.assert_allclose(now[sure], want[sure], atol=1e-5, rtol=1e-5, err_msg=key)
        np.testing.assert_allclose(now, want, atol=2.1 * LR, rtol=1e-5, err_msg=key)
        moved += not np.array_equal(now, before[KEYS[key]].reshape(want.shape).numpy())
    assert moved > 5


def test_statistics_after_the_second_forward(trained):
    # Frozen parts take part, for they stay in train mode.
    step(trained)
    second_forward(trained.model, trained.batch)
    prefix, compared = 'after_step_and_get_embeddings.', 0
    for name, want in trained.want.items():
        if name.startswith(prefix):
            now = trained.state()[KEYS[name.removeprefix(prefix)]]
            # A bias before BatchNorm has no gradient but rounding: it is off by 2 lr, a tenth of which enters the mean.
            atol = 2.1 * LR * 0.1 if name.endswith('running_mean') else 1e-5
            np.testing.assert_allclose(now, want, atol=atol, rtol=1e-4, err_msg=name)
            compared += 1
    assert compared >= 6

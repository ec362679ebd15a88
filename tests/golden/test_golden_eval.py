"""The imported model in eval mode computes what the released code computes."""

import numpy as np
import pytest
import torch

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.evaluation.functional import DEFAULT_GAMMA_GRID, gfsl_accuracies, gfsl_metrics


def close(actual, expected, atol=1e-5):
    np.testing.assert_allclose(np.asarray(actual), expected, atol=atol, rtol=0)


@pytest.fixture
def model(build):
    return build()


@pytest.fixture
def inputs(model, batch):
    return model.data_preprocessor(batch())['inputs']


@pytest.fixture
def text(golden):
    return torch.tensor(golden.inputs['text'])


@torch.no_grad()
def test_every_step_of_the_forward_pass(model, inputs, golden):
    out, tokens, masks = golden.outputs, {}, {}
    for ours, enc, pos in (('audio', 'a_enc', 'pos_audio'), ('visual', 'v_enc', 'pos_video')):
        x, masks[ours], seconds = inputs[ours]
        x = model.encoders[ours](x, masks[ours])
        close(x, out[enc])
        tokens[ours] = model.embedding(x, masks[ours], seconds, ours)
        close(tokens[ours], out[pos])
    maps = model.fusion.attention_maps(tokens, masks)
    x, biases = model.fusion.assemble(tokens, masks)
    for i, (layer, pattern) in enumerate(zip(model.fusion.layers, model.fusion.patterns, strict=True)):
        x = layer(x, biases[pattern])
        close(x, out[f'layer{i}_out'])
        close(maps[i][:2], out[f'layer{i}_attn'])
    close(model.fusion(tokens, masks), out['cls_out'])
    c_o = model.extract_feat(inputs)
    close(c_o, out['theta_o'])
    close(model.head.fc(c_o), out['logits'], atol=2e-5)
    close(model.predict(inputs, None, None)[0]['scores'], out['probs'])


@torch.no_grad()
def test_padding_changes_nothing(model, batch, golden):
    features, rows = batch()['features'], []
    for i in range(16):
        own = {
            m: dict(
                x=f['x'][i : i + 1, : f['lengths'][i]], lengths=f['lengths'][i : i + 1], starts=f['starts'][i : i + 1]
            )
            for m, f in features.items()
        }
        rows.append(model.predict(model.data_preprocessor(dict(features=own))['inputs'], None, None)[0]['scores'])
    close(torch.cat(rows), golden.outputs['probs_unpadded'])


@torch.no_grad()
def test_diffusion_formulas(model, golden, text):
    out, ddpm = golden.outputs, model.generator
    for ours, theirs in (('beta', 'diff_beta'), ('alpha', 'diff_alpha'), ('alpha_bar', 'diff_alpha_bar')):
        close(getattr(ddpm.schedule, ours), out[theirs], atol=1e-7)
    close(ddpm.schedule.beta, out['diff_sigma2'], atol=1e-7)
    t, noise, c_o = (torch.tensor(out[k]) for k in ('diff_t', 'diff_noise', 'theta_o'))
    noised = ddpm.q_sample(c_o, t, noise)
    close(noised, out['diff_q_sample'])
    close(ddpm.noise_predictor(noised, t, text), out['diff_eps_theta'], atol=1e-5)
    close(ddpm.denoising_error(c_o, text, t, noise), out['diff_loss'], atol=1e-6)
    stepped = [
        ddpm.p_sample(noised[i : i + 1], int(t[i]), text[i : i + 1], torch.tensor(out['diff_p_noise'][i : i + 1]))
        for i in range(16)
    ]
    close(torch.cat(stepped), out['diff_p_sample'])


@torch.no_grad()
def test_whole_sampling_chain(model, golden, text, fixed_noise):
    out = golden.outputs
    left = fixed_noise([out['chain_x_T'], *out['chain_noise']])
    close(model.generator.sample(text[:4]), out['chain_x_0'], atol=1e-3)
    assert not left
    x = torch.tensor(out['chain_x_T'])
    for s, noise in enumerate(out['chain_noise']):
        x = model.generator.p_sample(x, 199 - s, text[:4], torch.tensor(noise))
        if 199 - s in (150, 100, 50):
            close(x, out[f'chain_x_after_t{199 - s}'], atol=1e-3)


@pytest.mark.parametrize(
    'prefix, splits', [('', ('val_base', 'val_novel')), ('novel_', ('stage1_novel',)), ('base_', ('stage1_base',))]
)
def test_batches_from_the_imported_data(model, golden, golden_store, prefix, splits):
    data = GFSLDataset(golden_store, splits=splits, num_shots=5)
    place = {video: i for i, video in enumerate(data.metainfo['video_ids'])}
    own = data.__getitems__([place[name] for name in golden.inputs[f'{prefix}video_names']])
    assert own['novel'] == (prefix == 'novel_')
    np.testing.assert_array_equal(own['label'], golden.inputs[f'{prefix}target'])
    inputs = model.data_preprocessor(own)['inputs']
    for ours, theirs in (('audio', 'audio'), ('visual', 'video')):
        np.testing.assert_array_equal(own['features'][ours]['x'], golden.inputs[f'{prefix}{theirs}'])
        x, mask, seconds = inputs[ours]
        np.testing.assert_array_equal(mask, golden.inputs[f'{prefix}{theirs}_mask'])
        np.testing.assert_array_equal(seconds, golden.inputs[f'{prefix}{theirs}_timesteps'].astype(np.float32))
        if ours == 'audio':
            close(x, golden.inputs[f'{prefix}audio'] / 255, atol=1e-7)
    if prefix != 'novel_':  # There the released code feeds other classes' vectors: see tests/faithfulness.
        np.testing.assert_array_equal(data.class_embeddings[own['label']], golden.inputs[f'{prefix}text'])


@torch.no_grad()
def test_scores_and_metrics_of_the_validation_set(model, golden, golden_store):
    want = golden.metrics
    data = GFSLDataset(golden_store, splits=('val_base', 'val_novel'), num_shots=5)
    place = {video: i for i, video in enumerate(data.metainfo['video_ids'])}
    order = [place[name] for name in want['video_names']]
    scores = torch.cat(
        [
            model.predict(model.data_preprocessor(data.__getitems__(order[i : i + 64]))['inputs'], None, None)[0][
                'scores'
            ]
            for i in range(0, 224, 64)
        ]
    ).numpy()
    close(scores, want['scores'])
    labels, base = data.labels[order], data.base_mask
    np.testing.assert_array_equal(labels, want['targets'])
    np.testing.assert_array_equal(np.flatnonzero(base), want['seen_idx'])
    names = dict(B='seen', N='unseen', HM='hm', FSL='zsl')
    for i, gamma in enumerate(DEFAULT_GAMMA_GRID):
        found = gfsl_accuracies(scores, labels, base, gamma)
        for ours, theirs in names.items():
            assert found[ours] == pytest.approx(100 * want[theirs][i], abs=1e-4), (ours, gamma)
    best = gfsl_metrics(scores, labels, base)
    assert best['gamma'] == pytest.approx(float(want['best_beta']))
    assert best['HM'] == pytest.approx(100 * want['best_hm'])
    fixed = gfsl_accuracies(scores, labels, base, 0.37)
    for ours, theirs in names.items():
        assert fixed[ours] == pytest.approx(100 * want[f'fixed037_{theirs}'], abs=1e-4)

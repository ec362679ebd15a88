"""AV-DIFF computes what was recorded when it agreed with the released code."""

import numpy as np
import pytest


@pytest.fixture(scope='module')
def recorded(repo_dir):
    return dict(np.load(repo_dir / 'tests/golden/parity.npz', allow_pickle=False))


def test_evaluation(recorder, recorded):
    found = recorder['compute'](recorder['build_model'](), recorder['draw_batch']())
    assert found.keys() <= recorded.keys() and {'c_o', 'scores'} < found.keys()
    for name, value in found.items():
        np.testing.assert_allclose(value, recorded[name], atol=1e-5, rtol=1e-5, err_msg=name)


def compare_steps(found, recorded):
    largest = max(float(v) for k, v in found.items() if 'grad.' in k)
    for name, value in found.items():
        atol = 1e-6 * largest if 'grad.' in name else 1e-5
        np.testing.assert_allclose(value, recorded[name], atol=atol, rtol=1e-4, err_msg=name)


def test_training(recorder, recorded):
    found = recorder['train_step'](recorder['build_model'](), recorder['draw_batch']())
    compare_steps(found, recorded)
    assert len(found) > 60


def test_full_substage_and_reverse_chain(recorder, recorded):
    found = recorder['full_records'](recorder['draw_batch']())
    assert set(found) == {name for name in recorded if name.startswith(('full.', 'chain_end'))}
    compare_steps(found, recorded)


def test_frozen_modes_and_sampling_are_told_apart(recorder, recorded):
    drawn = recorder['build_model']().state_dict()
    for name in (name for name in drawn if name.endswith('running_mean')):
        stands = np.array_equal(recorded[f'full.eval.mean.{name}'], drawn[name])
        assert stands == name.startswith('encoders') and not np.array_equal(
            recorded[f'full.train.mean.{name}'], drawn[name]
        )
    for mode in ('train', 'eval'):
        assert {name for name in recorded if name.startswith(f'full.{mode}.loss')} == {
            f'full.{mode}.loss_{loss}' for loss in ('ce', 'diffusion', 'synthetic')
        }


def test_the_recorded_numbers_are_telling(recorded):
    # Neither saturated nor constant: a changed formula would show.
    assert recorded['scores'].max() < 0.99 and recorded['scores'].std(0).max() > 0.01
    assert (recorded['c_o'] > 0).mean() > 0.2
    assert all(np.isfinite(value).all() for value in recorded.values())

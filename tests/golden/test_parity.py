"""AV-DIFF computes what was recorded when it agreed with the released code."""

import runpy

import numpy as np
import pytest


@pytest.fixture(scope='module')
def recorder(repo_dir):
    return runpy.run_path(str(repo_dir / 'tools/misc/record_parity.py'))


@pytest.fixture(scope='module')
def recorded(repo_dir):
    return dict(np.load(repo_dir / 'tests/golden/parity.npz', allow_pickle=False))


def test_evaluation(recorder, recorded):
    found = recorder['compute'](recorder['build_model'](), recorder['draw_batch']())
    assert found.keys() <= recorded.keys()
    for name, value in found.items():
        np.testing.assert_allclose(value, recorded[name], atol=1e-5, rtol=1e-5, err_msg=name)


def test_training(recorder, recorded):
    found = recorder['train_step'](recorder['build_model'](), recorder['draw_batch']())
    largest = max(float(v) for k, v in found.items() if k.startswith('grad.'))
    for name, value in found.items():
        atol = 1e-6 * largest if name.startswith('grad.') else 1e-5
        np.testing.assert_allclose(value, recorded[name], atol=atol, rtol=1e-4, err_msg=name)
    assert len(found) > 60


def test_the_recorded_numbers_are_telling(recorded):
    # Neither saturated nor constant: a changed formula would show.
    assert recorded['scores'].max() < 0.99 and recorded['scores'].std(0).max() > 0.01
    assert (recorded['c_o'] > 0).mean() > 0.2
    assert all(np.isfinite(value).all() for value in recorded.values())

"""The log-mel examples of VGGish. Values of Google's recipe, computed independently of this code."""

import numpy as np
import pytest

from avzoo.extraction.log_mel import log_mel, log_mel_examples, mel_matrix


def test_the_mel_bands_are_those_of_vggish():
    assert np.count_nonzero(mel_matrix()) == 461
    np.testing.assert_allclose(mel_matrix().sum(), 230.913599, atol=1e-6)
    assert not mel_matrix()[0].any()


def test_a_tone_of_1000_hertz():
    found = np.stack(list(log_mel_examples([np.sin(2 * np.pi * 1000 * np.arange(48000) / 16000)])))
    assert found.shape == (3, 96, 64)
    np.testing.assert_allclose([found.mean(), found.std()], [-3.429619, 2.126577], atol=2e-6)
    np.testing.assert_allclose(found[1, 50, 20:24], [4.77504, 2.26222, -0.58961, -1.00505], atol=1e-5)


@pytest.mark.parametrize('block', [1, 7001, 32000])
def test_a_broad_spectrum_in_blocks_of_any_size(block):
    sound = (np.arange(32000) ** 2 % 1009) / 504.5 - 1
    step = max(block, 400)
    found = np.stack(list(log_mel_examples(sound[i : i + step] for i in range(0, 32000, step))))
    np.testing.assert_allclose([found.mean(), found.std()], [2.834849, 0.807926], atol=2e-6)
    np.testing.assert_allclose(found[0, 0, [0, 31, 63]], [1.080506, 2.733123, 4.237971], atol=1e-6)


@pytest.mark.parametrize(('samples', 'examples'), [(0, 0), (15599, 0), (15600, 1), (30959, 1), (31000, 2)])
def test_number_of_examples(samples, examples):
    assert len(list(log_mel_examples([np.zeros(samples)]))) == examples


def test_silence_is_the_logarithm_of_the_offset():
    np.testing.assert_allclose(log_mel(np.zeros(16000)), -4.605170, atol=1e-6)
    assert log_mel(np.zeros(399)).shape == (0, 64)

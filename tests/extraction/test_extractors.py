"""The networks and their inputs."""

import time
from functools import partial

import numpy as np
import pytest
import torch

from avzoo.extraction.build import build_extractor, read_options
from avzoo.extraction.extractors import C3D, LogMelStatistics, TimmFrames, VGGish
from avzoo.extraction.extractors.c3d import C3DNetwork, clips
from avzoo.extraction.extractors.vggish import VGGishNetwork, quantise
from avzoo.extraction.frame_steps import frames_of_steps, repeat_rows
from avzoo.extraction.media import Frame, MediaFile
from avzoo.utils.errors import AvzooError, CheckpointError, ConfigError
from avzoo.utils.files import sha256_of
from tests.extraction.made_videos import make_video
from tests.extraction.sending import assert_it_can_be_sent

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48000) / 16000).astype(np.float32)[None]


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    return MediaFile(make_video(tmp_path_factory.mktemp('clip') / 'clip.mkv', seconds=3, sound=TONE))


@pytest.fixture(scope='module')
def vggish_weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp('vggish')
    torch.manual_seed(0)
    network = VGGishNetwork()
    assert sum(p.numel() for p in network.parameters()) == 72_141_184
    torch.save(network.state_dict(), folder / 'net.pth')
    torch.save(dict(pca_eigen_vectors=torch.randn(128, 128), pca_means=torch.randn(128, 1)), folder / 'pca.pth')
    return folder / 'net.pth', folder / 'pca.pth'


def test_vggish_gives_a_step_for_each_example(clip, vggish_weights):
    weights, pca = vggish_weights
    plain = VGGish(weights, postprocess=False, final_relu=False, batch_size=2)
    found = plain.steps(clip)
    assert found.shape == (3, 128) and plain.seconds_per_step(clip) == 0.96
    assert (found < 0).any()
    np.testing.assert_allclose(VGGish(weights, postprocess=False).steps(clip), np.maximum(found, 0), atol=1e-6)
    whole = VGGish(weights, pca=pca)
    assert set(np.unique(whole.steps(clip))) <= set(range(256))
    assert plain.stamp() != whole.stamp()


def test_a_feature_does_not_depend_on_how_many_come_with_it(clip, vggish_weights):
    extractor = VGGish(vggish_weights[0], postprocess=False)
    np.testing.assert_array_equal(extractor.steps(clip)[0], extractor.steps(clip, 0.0, 1.0)[0])


def test_embeddings_are_flattened_by_height_width_channel():
    network = VGGishNetwork().eval()
    x = torch.randn(1, 96, 64)
    seen = network.features(x[:, None])
    by_hand = torch.cat([seen[0, :, h, w] for h in range(6) for w in range(4)])
    torch.testing.assert_close(network(x)[0], network.embeddings(by_hand))


def test_quantised_values_are_truncated():
    matrix, mean = 2 * np.eye(128), np.full(128, 0.5)
    embeddings = np.full((1, 128), 0.5)
    embeddings[0, :4] = [0.0, 9.0, -9.0, 0.51]
    found = quantise(embeddings, matrix, mean)
    assert found[0, :5].tolist() == [63.0, 255.0, 0.0, 128.0, 127.0]  # (-1 + 2) * 63.75 = 63.75, (0.02 + 2) * 63.75


@pytest.mark.parametrize(('colour', 'mean', 'deviation'), [('negative_bgr', -0.3128, 0.5980), ('bgr', 0.7279, 0.9978)])
def test_the_inputs_of_c3d(shared_dir, colour, mean, deviation):
    first = next(clips(MediaFile(shared_dir / 'clips' / 'sintel_2s.mp4').frames(), colour))
    assert first.shape == (3, 16, 112, 112)
    np.testing.assert_allclose([first.mean(), first.std()], [mean, deviation], atol=6e-5)


def test_colours_of_c3d():
    frame = Frame(0.0, lambda: np.full((128, 171, 3), [10, 0, 200], np.uint8))
    mean, deviation = np.array([0.43216, 0.394666, 0.37645]), np.array([0.22803, 0.22145, 0.216989])
    for colour, shown in dict(rgb=[10, 0, 200], bgr=[200, 0, 10], negative_bgr=[56, 0, 246]).items():
        found = next(clips(iter([frame]), colour))
        np.testing.assert_allclose(found[:, 0, 5, 5], (np.array(shown) / 255 - mean) / deviation, rtol=1e-5)
        assert not found[:, 1:].any()  # What is missing of a clip is zeros.


def test_c3d_has_the_layers_of_its_paper():
    with torch.device('meta'):
        network = C3DNetwork()
        assert network(torch.empty(2, 3, 16, 112, 112)).shape == (2, 4096)
    convolutions = [(3, 64), (64, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 512), (512, 512)]
    by_hand = sum(27 * a * b + b for a, b in convolutions) + (8192 + 1) * 4096 + (4096 + 1) * 4096
    assert sum(p.numel() for p in network.parameters()) == by_hand


def test_timm_takes_the_first_frame_of_each_step(clip, tmp_path):
    import timm

    torch.manual_seed(0)
    network = timm.create_model('resnet10t')
    torch.save(network.state_dict(), tmp_path / 'net.pth')
    extractor = TimmFrames('resnet10t', tmp_path / 'net.pth', seconds=0.5, batch_size=4)
    assert extractor.steps(clip).shape == (6, extractor.dim) == (6, 512)
    assert extractor.steps(clip, 1.0, 2.0).shape == (2, 512)
    np.testing.assert_allclose(extractor.steps(clip, 1.0, 2.0)[0], extractor.steps(clip)[2], atol=1e-5)
    assert extractor.stamp()['seconds'] == extractor.seconds_per_step(clip) == 0.5


def test_the_width_is_that_of_the_output(clip, tmp_path):
    import timm

    network = timm.create_model('mobilenetv3_small_050')  # It has a layer after its pooling.
    torch.save(network.state_dict(), tmp_path / 'net.pth')
    extractor = TimmFrames('mobilenetv3_small_050', tmp_path / 'net.pth', batch_size=2)
    assert extractor.steps(clip, 0.0, 1.0).shape == (2, extractor.dim)


def test_published_weights_are_read_from_safetensors_and_stamped_by_their_content(clip, tmp_path, monkeypatch):
    import huggingface_hub
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(0)
    network = timm.create_model('resnet10t')
    save_file(network.state_dict(), tmp_path / 'model.safetensors')
    torch.save(network.state_dict(), tmp_path / 'net.pth')
    asked = []

    def cached(repository, file):
        asked.append((repository, file))
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub, 'try_to_load_from_cache', cached)
    published, local = TimmFrames('resnet10t'), TimmFrames('resnet10t', tmp_path / 'net.pth')
    assert asked == [('timm/resnet10t.c3_in1k', 'model.safetensors')]
    np.testing.assert_array_equal(published.steps(clip), local.steps(clip))
    assert published.stamp()['weights'] == sha256_of(tmp_path / 'model.safetensors')
    (tmp_path / 'model.safetensors').write_bytes(b'hello')
    with pytest.raises(CheckpointError, match=r'model\.safetensors cannot be loaded.*weights=FILE'):
        TimmFrames('resnet10t')


def test_offline_timm_names_the_file_and_the_option_within_a_second(monkeypatch, tmp_path):
    import huggingface_hub
    import timm  # noqa: F401 - it takes seconds to import.

    monkeypatch.setenv('AVZOO_OFFLINE', '1')
    monkeypatch.setattr(huggingface_hub, 'try_to_load_from_cache', lambda *args: None)
    began = time.monotonic()
    with pytest.raises(CheckpointError, match=r'timm:resnet50: model\.safetensors of timm/resnet50.*weights=FILE'):
        TimmFrames('resnet50')
    assert time.monotonic() - began < 1


def test_extractors_without_their_networks_can_be_sent_to_other_processes(vggish_weights, tmp_path):
    torch.save(C3DNetwork().state_dict(), tmp_path / 'c3d.pth')
    kinds = [VGGish(vggish_weights[0], pca=vggish_weights[1]), C3D(tmp_path / 'c3d.pth'), LogMelStatistics()]
    for extractor in kinds:
        assert_it_can_be_sent(extractor)


def test_a_step_without_a_frame_shows_the_one_before():
    frames = [
        Frame(t, partial(np.full, (1, 1, 3), i, np.uint8)) for i, t in enumerate([0.0, 0.2, 0.5, 2.1, 2.4999999, 2.9])
    ]
    repeats = []
    shown = [int(p[0, 0, 0]) for p in frames_of_steps(iter(frames), 0.5, 0.0, repeats)]
    assert (shown, repeats) == ([0, 2, 3, 4], [1, 3, 1, 1])
    assert repeat_rows(np.arange(4)[:, None], repeats)[:, 0].tolist() == [0, 1, 1, 1, 2, 3]


def test_statistics_of_log_mel_bands(clip):
    found = LogMelStatistics().steps(clip)
    assert found.shape == (3, 192) and found.dtype == np.float32
    assert found[:, 64:].max() < 0.1  # A steady tone changes in no band.
    mel = 1127 * np.log1p(np.array([125.0, 7500.0, 440.0]) / 700)
    band = (mel[2] - mel[0]) / (mel[1] - mel[0]) * 65 - 1
    assert abs(found[0, :64].argmax() - band) <= 1  # The band of 440 Hz is the loudest.


@pytest.mark.parametrize(
    ('spec', 'modality', 'options', 'words'),
    [
        ('vgish', 'audio', {}, "no extractor is called 'vgish'.*Did you mean 'vggish'"),
        ('c3d', 'audio', {}, 'an extractor for --visual'),
        ('timm', 'visual', {}, 'write timm:NAME'),
        ('c3d:x', 'visual', {}, 'write c3d'),
        ('timm:resnet99', 'visual', {}, 'timm has no such model.*Did you mean'),
        ('c3d', 'visual', dict(color='rgb'), 'no option color; its options: weights, colour'),
        ('c3d', 'visual', dict(colour='grey'), 'not one of negative_bgr, bgr, rgb'),
        ('timm:resnet10t', 'visual', dict(seconds=0.0), 'must be above 0'),
    ],
)
def test_what_is_not_an_extractor_is_refused(spec, modality, options, words):
    with pytest.raises(ConfigError, match=words):
        build_extractor(spec, modality, options)


def test_options_are_read_as_the_annotations_say():
    assert read_options('vggish', ['postprocess=false', 'batch_size=4', 'weights=x.pth']) == dict(
        postprocess=False, batch_size=4, weights='x.pth'
    )
    for text in ('postprocess=maybe', 'batch_size=x', 'weights'):
        with pytest.raises(ConfigError, match=text.partition('=')[0]):
            read_options('vggish', [text])


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(dict(x=torch.zeros(2)), tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='does not fit VGGishNetwork'):
        VGGish(tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='there is no such file'):
        C3D(tmp_path / 'y.pth')


def test_weights_that_are_code_are_not_run(tmp_path):
    class Code:
        def __reduce__(self):
            return (open, (str(tmp_path / 'canary'), 'w'))

    torch.save(Code(), tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='not opened'):
        VGGish(tmp_path / 'x.pth')
    assert not (tmp_path / 'canary').exists()


def test_without_a_network_the_file_and_the_option_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv('AVZOO_OFFLINE', '1')
    monkeypatch.setenv('AVZOO_HOME', str(tmp_path))
    for make in (VGGish, C3D):
        with pytest.raises(AvzooError, match=r'AVZOO_OFFLINE(.|\n)*put it at'):
            make()

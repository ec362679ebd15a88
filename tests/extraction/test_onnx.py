"""Networks in files of ONNX, tiny ones that are built here."""

import re

import numpy as np
import pytest

from avzoo.extraction.build import build_extractor
from avzoo.extraction.extraction_folder import in_one_line
from avzoo.extraction.log_mel import log_mel_examples
from avzoo.extraction.media import MediaFile
from avzoo.extraction.rebuild import rebuild_extractor
from avzoo.utils.errors import CheckpointError, ConfigError
from tests.extraction.made_videos import make_video
from tests.extraction.sending import assert_it_can_be_sent

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime', reason="pip install 'avzoo[onnx]'")

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48000) / 16000).astype(np.float32)[None]


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    return MediaFile(make_video(tmp_path_factory.mktemp('clip') / 'clip.mkv', seconds=3, sound=TONE))


def network(path, shape, operations, output=('N', 'D'), kind=onnx.TensorProto.FLOAT):
    """Write a network of operations ``(type, inputs, output, attributes)`` from ``x`` to ``y``."""
    make = onnx.helper
    nodes = [make.make_node(name, inputs, [out], **attributes) for name, inputs, out, attributes in operations]
    graph = make.make_graph(
        nodes,
        'network',
        [make.make_tensor_value_info('x', kind, shape)],
        [make.make_tensor_value_info('y', kind, output)],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def flat(path, shape):
    """Write a network that gives its input, as a row."""
    return network(path, shape, [('Flatten', ['x'], 'y', dict(axis=1))])


def means(path, shape):
    """Write a network that gives the means of the colours, (N, 3, 1, 1)."""
    return network(path, shape, [('GlobalAveragePool', ['x'], 'y', {})], ['N', 3, 1, 1])


def test_frames_are_scaled_cut_and_normalised(clip, tmp_path):
    path = means(tmp_path / 'net.onnx', ['N', 3, 'H', 'W'])
    extractor = build_extractor(f'onnx:{path}', 'visual', dict(size=24, mean='0.5', std='0.2,0.4,0.8', seconds=1.0))
    found = extractor.steps(clip)
    assert_it_can_be_sent(extractor)
    frames = [f.rgb for f in clip.frames() if abs(f.seconds - round(f.seconds)) < 1e-6]
    # 48 rows become 24; of 32 columns the middle 24 stay, of which the left half is grey.
    grey = np.array([frame[:, 8:28].mean() for frame in frames]) / 2 / 255
    np.testing.assert_allclose(found, (grey[:, None] - 0.5) / [0.2, 0.4, 0.8], atol=0.02)
    assert (found.shape, extractor.dim, extractor.seconds_per_step(clip)) == ((3, 3), 3, 1.0)


def test_the_size_of_the_file_counts(clip, tmp_path):
    path = flat(tmp_path / 'net.onnx', [2, 3, 8, 10])
    extractor = build_extractor(f'onnx:{path}', 'visual', dict(size=99))
    assert (extractor.batch_size, extractor.dim) == (2, 3 * 8 * 10)
    assert extractor.steps(clip).shape == (5, 240)


@pytest.mark.parametrize('shape', [['N', 96, 64], [1, 1, 96, 64]])
def test_log_mel_examples_are_those_of_vggish(clip, tmp_path, shape):
    extractor = build_extractor(f'onnx:{flat(tmp_path / "net.onnx", shape)}', 'audio')
    wanted = np.stack(list(log_mel_examples(clip.samples(16000))))
    np.testing.assert_array_equal(extractor.steps(clip), wanted.reshape(3, -1))
    assert extractor.seconds_per_step(clip) == 0.96 and extractor.stamp()['input'] == 'log_mel'


def test_sound_comes_in_windows_of_its_rate(clip, tmp_path):
    open_length = build_extractor(
        f'onnx:{flat(tmp_path / "a.onnx", ["N", "T"])}', 'audio', dict(rate=8000, seconds=0.5)
    )
    sound = np.concatenate(list(clip.samples(8000)))
    np.testing.assert_array_equal(open_length.steps(clip), sound.reshape(6, 4000))
    fixed = build_extractor(f'onnx:{flat(tmp_path / "b.onnx", ["N", 16000])}', 'audio')
    assert fixed.steps(clip).shape == (3, 16000) and fixed.seconds_per_step(clip) == 1.0
    assert open_length.stamp()['rate'] == 8000 and fixed.stamp() != open_length.stamp()


def test_another_output_is_chosen_by_its_name(clip, tmp_path):
    path = network(tmp_path / 'net.onnx', ['N', 3, 8, 8], [('Identity', ['x'], 'y', {})], ['N', 3, 8, 8])
    with pytest.raises(CheckpointError, match=r'\(4, 3, 8, 8\), not \(4, D\).*output=NAME \(y'):
        build_extractor(f'onnx:{path}', 'visual')
    with pytest.raises(ConfigError, match="no output 'z'; its outputs: y"):
        build_extractor(f'onnx:{path}', 'visual', dict(output='z'))


@pytest.mark.parametrize(
    ('shape', 'modality', 'words'),
    [
        (['N', 8, 8, 3], 'visual', r"has the inputs x \['N', 8, 8, 3\].*frames \(N, 3, height, width\)"),
        (['N', 3, 8, 8], 'audio', r'sound \(N, samples\), or log-mel'),
        (['N', 'T'], 'visual', r'frames \(N, 3, height, width\)'),
    ],
)
def test_an_input_of_another_form_is_refused(tmp_path, shape, modality, words):
    with pytest.raises(ConfigError, match=words):
        build_extractor(f'onnx:{flat(tmp_path / "net.onnx", shape)}', modality)


def test_an_input_of_another_type_is_refused(tmp_path):
    operations = [('Flatten', ['x'], 'y', dict(axis=1))]
    path = network(tmp_path / 'net.onnx', ['N', 3, 8, 8], operations, kind=onnx.TensorProto.DOUBLE)
    with pytest.raises(ConfigError, match=r'tensor\(double\).*float32'):
        build_extractor(f'onnx:{path}', 'visual')


def test_what_is_not_a_network_is_refused(tmp_path):
    (tmp_path / 'x.onnx').write_text('hello')
    with pytest.raises(CheckpointError, match='not an ONNX file'):
        build_extractor(f'onnx:{tmp_path / "x.onnx"}', 'visual')
    with pytest.raises(CheckpointError, match=r'--audio onnx:.*no such file'):
        build_extractor(f'onnx:{tmp_path / "y.onnx"}', 'audio')


@pytest.mark.parametrize('options', [dict(mean='red'), dict(std='0'), dict(mean='1,2'), dict(seconds=-1.0)])
def test_options_that_make_no_sense_are_refused(tmp_path, options):
    path = means(tmp_path / 'net.onnx', ['N', 3, 8, 8])
    with pytest.raises(ConfigError, match=re.escape(f'{next(iter(options))}=')):
        build_extractor(f'onnx:{path}', 'visual', options)


def test_the_stamp_has_what_decides_the_features(tmp_path):
    path = means(tmp_path / 'net.onnx', ['N', 3, 8, 8])
    stamps = [build_extractor(f'onnx:{path}', 'visual', options).stamp() for options in ({}, dict(mean='0'))]
    assert stamps[0] != stamps[1] and stamps[0]['weights'] == stamps[1]['weights']


@pytest.mark.parametrize(
    ('shape', 'modality', 'options'),
    [
        (['N', 3, 'H', 'W'], 'visual', dict(size=24, mean='0.1, 0.2,0.3', seconds=0.5)),
        (['N', 'T'], 'audio', dict(rate=8000, seconds=0.3333)),
        (['N', 96, 64], 'audio', {}),
    ],
)
def test_a_stamp_is_enough_to_build_it_again(tmp_path, shape, modality, options):
    make = means if modality == 'visual' else flat
    path = make(tmp_path / 'my net.onnx', shape)
    extractor = build_extractor(f'onnx:{path}', modality, options)
    again = rebuild_extractor(modality, in_one_line(extractor.stamp()), options=[f'weights={path}'])
    assert again.stamp() == extractor.stamp()
    assert str(tmp_path) not in in_one_line(extractor.stamp())

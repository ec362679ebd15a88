"""The tools around the zoo: help, one-line errors, and class names for clips."""

import importlib.util
import json
import pickle
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import io

from avzoo.utils.cli import run_tool
from avzoo.utils.errors import ConfigError
from avzoo.utils.files import sha256_of
from avzoo.zoo import index as model_index
from tests.forked import run_tool_file
from tests.zoo_fixtures import TINY_MODEL

TOOLS = [
    'predict',
    'adapt',
    'download',
    'model_converters/publish_model',
    'misc/make_model_zoo',
    'misc/update_metafiles',
    'analysis_tools/get_flops',
]


def run(repo_dir, tool, *args):
    code, out, err = run_tool_file(repo_dir / 'tools' / f'{tool}.py', *args, cwd=repo_dir)
    return SimpleNamespace(returncode=code, stdout=out, stderr=err)


def load(repo_dir, tool):
    """Import a tool as a module."""
    spec = importlib.util.spec_from_file_location(Path(tool).name, repo_dir / 'tools' / f'{tool}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('tool', TOOLS)
def test_help_teaches_with_an_example(repo_dir, tool):
    done = run(repo_dir, tool, '--help')
    assert done.returncode == 0 and f'python tools/{tool}.py ' in done.stdout, done.stderr


CONFIG = 'configs/avdiff/avdiff_custom_5shot.py'


@pytest.mark.parametrize(
    ('tool', 'args', 'message'),
    [
        ('predict', [CONFIG, 'no.pth', '--features', 'x.npz'], 'There is no checkpoint no.pth'),
        ('predict', ['no_such_model', '--features', 'x.npz'], "no model 'no_such_model'"),
        ('download', ['no_such_model'], "no model 'no_such_model'"),
        ('download', ['--dataset', 'nothing'], "no data set 'nothing'"),
        ('model_converters/publish_model', ['no.pth', 'out', '--name', 'x'], 'There is no checkpoint no.pth'),
        ('download', ['avdiff_synth_5shot', '--data-root', 'x', '--gamma', '0.3'], 'has zoo weights'),
        ('download', ['avdiff_synth_5shot', '--out', 'y'], '--out and --dtype are only for --dataset'),
        ('download', ['avdiff_synth_5shot', '--dtype', 'float16'], '--out and --dtype are only for --dataset'),
        ('download', ['--dataset', 'ucf', '--data-root', 'x'], '--data-root and --gamma are only for a NAME'),
        ('download', ['avdiff_ucf_5shot', '--gamma', '0'], 'needs --data-root'),
        ('download', ['--dataset', 'synth', '--dtype', 'float16'], '--dtype has no effect on synth'),
        ('misc/update_metafiles', ['--url', 'http://a.b/c'], '--url and --licence belong to --weights'),
        (
            'misc/update_metafiles',
            ['--licence', 'MIT', '--models', 'avdiff*'],
            '--url and --licence belong to --weights',
        ),
        ('misc/update_metafiles', ['--weights', 'no.safetensors'], 'There is no weight file'),
        ('misc/update_metafiles', ['--weights', 'x', '--models', 'y'], 'omit --models'),
        (
            'misc/update_metafiles',
            ['--results', 'no.json', '--models', 'avdiff_synth_5shot'],
            'no.json is not a results.json',
        ),
        ('misc/update_metafiles', ['--results', 'no.json'], 'specify it with --models'),
        ('misc/update_metafiles', ['--converted-from', 'http://a.b/c'], '--converted-from needs'),
        ('misc/update_metafiles', ['--models', 'nosuch'], "No model matches --models 'nosuch'"),
        ('analysis_tools/get_flops', ['avdiff_ucf_5shot', '--seconds', '1e9'], 'clip of up to 10,000 steps'),
        ('adapt', [CONFIG, 'no.pth', '--support', 'x', '--shots', '5'], 'There is no checkpoint no.pth'),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(repo_dir, monkeypatch, capsys, tool, args, message):
    monkeypatch.chdir(repo_dir)
    try:
        code = run_tool(load(repo_dir, tool).main, args)
    except SystemExit as stop:  # Of argparse.
        code = stop.code
    assert code == 2 and message in capsys.readouterr().err


def test_predict_gives_a_table_or_json(repo_dir, published, tmp_path):
    config = tmp_path / 'tiny.py'
    config.write_text(f"_base_ = ['{repo_dir / CONFIG}']\nmodel = {TINY_MODEL!r}\n")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / 'clip.npz', audio=rng.normal(size=(3, 6)), visual=rng.normal(size=(4, 9)))
    args = [config, published[0], '--features', tmp_path / 'clip.npz', '--top', 2, '--device', 'cpu']
    table, answer = run(repo_dir, 'predict', *args), run(repo_dir, 'predict', *args, '--json')
    assert table.returncode == 0 and table.stdout.startswith('clip\n   1  '), table.stderr
    found = json.loads(answer.stdout)
    assert [entry['class'] in table.stdout for entry in found[0]['predictions']] == [True, True]


@pytest.fixture
def predict(repo_dir, published, tmp_path):
    """A function that runs tools/predict.py here on a small model; returns its exit code."""
    config = tmp_path / 'tiny.py'
    config.write_text(f"_base_ = ['{repo_dir / CONFIG}']\nmodel = {TINY_MODEL!r}\n")
    main = load(repo_dir, 'predict').main
    return lambda *args: run_tool(main, list(map(str, [config, published[0], '--top', 1, '--device', 'cpu', *args])))


def one_clip(**arrays):
    rng = np.random.default_rng(0)
    return {'audio': rng.normal(size=(3, 6)), 'visual': rng.normal(size=(4, 9)), **arrays}


BAD_CLIPS = {
    'nan': one_clip(audio=np.full((3, 6), np.nan)),
    'empty': one_clip(visual=np.zeros((0, 9))),
    'narrow': one_clip(audio=np.zeros((3, 5))),
    'swapped': one_clip(audio=np.zeros((6, 3))),
    'deaf': dict(visual=np.zeros((4, 9))),
    'misnamed': dict(audio=np.zeros((3, 6)), video=np.zeros((4, 9))),
    'none': one_clip(audio=np.array(None, dtype=object)),
}


def test_good_clips_of_a_folder_are_answered_and_bad_ones_reported(predict, tmp_path, capsys):
    (tmp_path / 'clips/__MACOSX').mkdir(parents=True)
    for name, arrays in {'good': one_clip(), 'zebra': one_clip(), **BAD_CLIPS}.items():
        np.savez(tmp_path / 'clips' / f'{name}.npz', **arrays)
    (tmp_path / 'clips/cut.npz').write_bytes((tmp_path / 'clips/good.npz').read_bytes()[:100])
    for name in ('._good.npz', '.DS_Store', '__MACOSX/good.npz'):
        (tmp_path / 'clips' / name).write_bytes(b'x')
    assert predict('--features', tmp_path / 'clips', '--json') == 3
    told = capsys.readouterr()
    assert [entry['video_id'] for entry in json.loads(told.out)] == ['good', 'zebra']
    assert '8 of 10 clips cannot be used' in told.err
    assert all(f"'{name}': " in told.err for name in [*BAD_CLIPS, 'cut'])
    assert 'transpose' in told.err and "Did you mean 'visual'" in told.err and "'good': " not in told.err


def test_bad_clips_alone_are_an_error(predict, tmp_path, capsys):
    (tmp_path / 'clips').mkdir()
    for name, arrays in BAD_CLIPS.items():
        np.savez(tmp_path / 'clips' / f'{name}.npz', **arrays)
    assert predict('--features', tmp_path / 'clips') == 2
    told = capsys.readouterr()
    assert told.out == '' and all(f"'{name}': " in told.err for name in BAD_CLIPS)


def test_a_video_of_a_folder_that_lacks_a_modality_is_reported(predict, tmp_path, capsys):
    for key, array in one_clip().items():
        (tmp_path / 'clips' / key).mkdir(parents=True)
        np.save(tmp_path / 'clips' / key / 'both.npy', array)
        np.save(tmp_path / 'clips' / key / f'only_{key}.npy', array)
    assert predict('--features', tmp_path / 'clips') == 3
    told = capsys.readouterr()
    assert 'both' in told.out and "'only_audio': " in told.err and "'only_visual': " in told.err


@pytest.mark.parametrize('ids', [['--video-id=-a'], ['--video-id=-a', '--video-id=-b'], ['--video-id', 'c', 'd']])
def test_ids_may_begin_with_a_dash_and_be_given_several_times(predict, tmp_path, capsys, ids):
    names = ['-a', '-b', 'c', 'd']
    np.savez(tmp_path / 'many.npz', video_id=names, **{key: np.stack([x] * 4) for key, x in one_clip().items()})
    assert predict('--features', tmp_path / 'many.npz', '--json', *ids) == 0
    wanted = [name for name in names if any(name in text.partition('=') or name == text for text in ids)]
    assert [entry['video_id'] for entry in json.loads(capsys.readouterr().out)] == wanted


def test_ids_are_read_from_a_file_beside_those_of_the_option(predict, tmp_path, capsys):
    names = ['-a', '-b', 'c', 'd']
    np.savez(tmp_path / 'many.npz', video_id=names, **{key: np.stack([x] * 4) for key, x in one_clip().items()})
    (tmp_path / 'ids.txt').write_text('-b\n\n -a \n-b\n', encoding='utf-8')
    given = ['--features', tmp_path / 'many.npz', '--json', '--video-id-file', tmp_path / 'ids.txt', '--video-id', 'd']
    assert predict(*given) == 0
    assert sorted(entry['video_id'] for entry in json.loads(capsys.readouterr().out)) == ['-a', '-b', 'd']


@pytest.mark.parametrize('content', [None, b'', b'\n', b'\xff', b'unknown\n'])
def test_a_file_of_ids_that_names_no_clip_is_refused(predict, tmp_path, capsys, content):
    np.savez(tmp_path / 'many.npz', video_id=['a'], **{key: x[None] for key, x in one_clip().items()})
    path = tmp_path / 'ids.txt'
    if content is not None:
        path.write_bytes(content)
    assert predict('--features', tmp_path / 'many.npz', '--video-id-file', path) == 2
    assert ('unknown' if content == b'unknown\n' else str(path)) in capsys.readouterr().err


@pytest.mark.parametrize(
    'tool, given, cure',
    [
        ('predict', ['m', '--features', 'x', '--video-id', '-A'], '--video-id=-A'),
        ('predict', ['m', '--features', 'x', '--video-id', 'a', '-A'], '=-A'),
        ('adapt', ['m', '--support', 'x', '--shots', '1', '--classes', '-x'], '--classes=-A'),
    ],
)
def test_an_id_with_a_dash_that_is_not_joined_is_told_how(repo_dir, capsys, tool, given, cure):
    with pytest.raises(SystemExit):
        load(repo_dir, tool).parse_args(given)
    assert cure in capsys.readouterr().err


def test_a_mistyped_option_names_the_nearest_one(repo_dir, capsys):
    with pytest.raises(SystemExit):
        load(repo_dir, 'predict').parse_args(['m', '--video', 'x.mp4', '--visual-opton', 'seconds=1'])
    told = capsys.readouterr().err
    assert "Did you mean '--visual-option'?" in told and 'joined' not in told


def test_a_mistyped_option_that_is_required_names_the_nearest_one(repo_dir, capsys):
    with pytest.raises(SystemExit):
        load(repo_dir, 'adapt').parse_args(['m', '--shot=1', '--suport', 'x'])
    assert "required: --support. --suport is unknown. Did you mean '--support'?" in capsys.readouterr().err


def test_names_of_classes_may_begin_with_a_dash(repo_dir):
    args = load(repo_dir, 'adapt').parse_args(
        ['m', '--support', 'x', '--shots', '1', '--classes=-x', '--classes', 'y', 'z']
    )
    assert args.classes == ['-x', 'y', 'z']


@pytest.mark.parametrize('suffix', ['h5', 'pkl', 'mat'])
def test_clips_may_come_in_other_kinds_of_files(predict, tmp_path, capsys, suffix):
    path = tmp_path / f'many.{suffix}'
    values = {key: {'a': array, 'b': array} for key, array in one_clip().items()}
    if suffix == 'h5':
        with pytest.importorskip('h5py').File(path, 'w') as file:
            for key, by_id in values.items():
                for video, array in by_id.items():
                    file[f'{key}/{video}'] = array
    elif suffix == 'pkl':
        path.write_bytes(pickle.dumps(values))
    else:
        stacked = {key: np.stack(list(by_id.values())) for key, by_id in values.items()}
        io.savemat(path, dict(video_id=np.array(['a', 'b']), **stacked))
    assert predict('--features', path, '--json') == 0
    assert [entry['video_id'] for entry in json.loads(capsys.readouterr().out)] == ['a', 'b']


def test_the_list_names_the_authors_files_and_that_they_have_no_checksum(repo_dir):
    done = run(repo_dir, 'download', '--list')
    assert done.returncode == 0 and 'av-diff/UCF.zip (no checksum published)' in done.stdout
    assert re.search(r'avdiff_ucf_5shot +imported from \S+/models.zip \(no checksum published\)', done.stdout)


METAFILE = """Collections:
  - Name: Tiny
    README: configs/tiny/README.md
Models:
  - Name: tiny_custom_5shot
    In Collection: Tiny
    Config: configs/tiny/tiny_custom_5shot.py
    Metadata:
      Shots: 5
      Features: random numbers
    Results:
      - Dataset: custom
"""


def test_the_origin_of_weights_is_written_and_read(repo_dir, make_zoo, monkeypatch):
    root = make_zoo()
    (root / 'configs/tiny/metafile.yml').write_text(METAFILE)
    tool = load(repo_dir, 'misc/update_metafiles')
    monkeypatch.setattr(tool, 'REPO', root)
    tool.main(['--converted-from', 'https://a.b:7443/models.zip', '--models', 'tiny*'])
    model_index._read_collections.cache_clear()
    assert model_index.read_index(root)['tiny_custom_5shot'].released_url == 'https://a.b:7443/models.zip'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(), None),
        (dict(method='MBT'), 'is from a run with method MBT'),
        (dict(num_shots=1), 'a run with num_shots 1'),
        (dict(draws=[{}]), 'is from a run with draws 1, but tiny_custom_5shot has 3'),
        (dict(draws=3), 'draws is not a list'),
        (dict(dataset='synth_fsl'), 'dataset synth_fsl, but tiny_custom_5shot has ucf_fsl'),
    ],
)
def test_only_results_of_a_whole_run_of_the_model_are_written(
    repo_dir, make_zoo, monkeypatch, tmp_path, change, message
):
    root = make_zoo()
    dataset = 'UCF-FSL' if 'dataset' in change else 'custom'
    (root / 'configs/tiny/metafile.yml').write_text(METAFILE.replace('Dataset: custom', f'Dataset: {dataset}'))
    tool = load(repo_dir, 'misc/update_metafiles')
    monkeypatch.setattr(tool, 'REPO', root)
    run = dict(
        method='AV-DIFF',
        dataset='custom',
        num_shots=5,
        seed=42,
        draws=[{}] * 3,
        aggregate=dict(B=1.0, N=2.0, HM=4 / 3, FSL=3.0, ci95=0.5),
    )
    (tmp_path / 'results.json').write_text(json.dumps({**run, **change}))
    args = ['--results', tmp_path / 'results.json', '--models', 'tiny_custom_5shot']
    if message is None:
        tool.main(list(map(str, args)))
        assert 'HM: 1.33' in (root / 'configs/tiny/metafile.yml').read_text()
    else:
        with pytest.raises(ConfigError, match=message):
            tool.main(list(map(str, args)))


def test_operations_follow_the_config(repo_dir, capsys):
    tool = load(repo_dir, 'analysis_tools/get_flops')
    parameters, operations = [], []
    for options in ([], ['--cfg-options', 'model.fusion.depth=2', 'model.fusion.switch_after=1']):
        tool.main(['avdiff_ucf_5shot', *options])
        words = capsys.readouterr().out.replace(',', '').split()
        parameters.append(int(words[1]))
        operations.append(int(words[3]))
    assert parameters[1] < parameters[0] and operations[1] < operations[0]


def test_stale_pages_are_reported_and_rewritten(repo_dir, make_zoo):
    root = make_zoo()
    check = run(repo_dir, 'misc/make_model_zoo', '--root', root, '--check')
    assert check.returncode == 1 and 'docs/model_zoo.md: stale' in check.stdout
    assert not (root / 'docs').exists()
    assert run(repo_dir, 'misc/make_model_zoo', '--root', root).returncode == 0
    assert run(repo_dir, 'misc/make_model_zoo', '--root', root, '--check').returncode == 0


def test_shipped_weights_are_those_of_the_index(repo_dir):
    from avzoo.zoo.index import read_index

    entries = [entry for entry in read_index(repo_dir).values() if entry.weights and '://' not in entry.weights[0]]
    assert entries
    for entry in entries:
        assert sha256_of(entry.weights[0]) == entry.sha256

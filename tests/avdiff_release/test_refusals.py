"""A file that is not a released AV-DIFF checkpoint, or unsafe to open, is refused with one clear error."""

import io
import os
import pickle
import runpy
import stat
import struct
import zipfile

import pytest
import torch

from avzoo.avdiff_release.import_checkpoint import import_checkpoint
from avzoo.checkpoints.training import save_checkpoint
from avzoo.utils.cli import run_tool
from avzoo.utils.errors import CheckpointError
from tests.avdiff_release.conftest import archive, released_checkpoint


def test_pickles_with_code_are_refused(run_folder):
    class Evil:
        def __reduce__(self):
            return print, ('never',)

    with pytest.raises(CheckpointError, match='other than tensors'):
        import_checkpoint(run_folder(content={'model': Evil()}))


@pytest.mark.parametrize('content', [{}, {'model': {}}, {'model': {'a': 1}}, [1, 2]])
def test_content_of_another_layout_is_refused(run_folder, content):
    with pytest.raises(CheckpointError, match='is not a checkpoint of the released code'):
        import_checkpoint(run_folder(content=content))


def test_broken_files_are_refused(run_folder, tmp_path):
    path = run_folder() / 'AVDiff_score.pt'
    for content in (path.read_bytes()[:3000], b'hello', b''):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r'AVDiff_score\.pt .*readable checkpoint \(damaged or cut short'):
            import_checkpoint(path)
    with pytest.raises(CheckpointError, match='There is no'):
        import_checkpoint(tmp_path / 'absent.pt')
    with pytest.raises(CheckpointError, match=r'holds no args\.yaml'):
        import_checkpoint(archive(tmp_path))


def test_another_architecture_and_missing_tensors_are_refused(run_folder):
    with pytest.raises(CheckpointError, match='another architecture'):
        import_checkpoint(run_folder(content={'model': {f'layer{i}.weight': torch.zeros(2) for i in range(9)}}))
    content = released_checkpoint()
    del content['model']['classifier.bias']
    with pytest.raises(CheckpointError, match=r'lacks 1 \(classifier.bias\)'):
        import_checkpoint(run_folder(content=content))
    content['model'].update({'classifier.bias': torch.zeros(4), 'new.weight': torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r'has beyond them 1 \(new.weight\)'):
        import_checkpoint(run_folder(content=content))
    with pytest.raises(CheckpointError, match='does not fit'):
        import_checkpoint(run_folder(transformer_mlp_dim=7))
    with pytest.raises(CheckpointError, match='attention_type: other'):
        import_checkpoint(run_folder(attention_type='other'))


def test_settings_that_are_not_plain_yaml_are_refused(run_folder):
    folder = run_folder()
    (folder / 'args.yaml').write_text('a: !!python/object/apply:os.system ["true"]')
    with pytest.raises(CheckpointError, match='not plain YAML'):
        import_checkpoint(folder)
    (folder / 'args.yaml').write_text('dataset_name: UCF\nzero_shot_split: 5-shot\nretrain_all: false')
    with pytest.raises(CheckpointError, match=r'lacks .* settings'):
        import_checkpoint(folder)


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def bomb():
    info = zipfile.ZipInfo('models/zeros.pt')
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def test_a_checkpoint_that_unpacks_to_far_more_than_weights_do_is_refused(tmp_path):
    for path, name in ((tmp_path / 'x.pt', 'x/data.pkl'), (tmp_path / 'x.zip', 'run/AVDiff_score.pt')):
        noise, size = os.urandom(1 << 20), 20 << 20  # 1 MiB that cannot be packed, in 20: a ratio of about 20.
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
            file.writestr(name, noise + bytes(size - len(noise)))
        with pytest.raises(CheckpointError, match='out of proportion'):
            import_checkpoint(path, dataset='ucf', shots=5, stage=1)


@pytest.mark.parametrize(
    'member, reason',
    [
        ((zipfile.ZipInfo('models/../../evil'), b''), 'outside its folder'),
        ((zipfile.ZipInfo('/etc/evil'), b''), 'outside its folder'),
        ((zipfile.ZipInfo('C:\\evil'), b''), 'outside its folder'),
        ((link('models/link.pt'), b'/etc/passwd'), 'is a link'),
        ((bomb(), bytes(17 << 20)), 'out of proportion'),
        ((zipfile.ZipInfo('../evil/'), b''), 'outside its folder'),
        ((zipfile.ZipInfo('models/a\nb'), b''), 'control characters'),
    ],
)
def test_unsafe_archives_are_refused(run_folder, tmp_path, member, reason):
    with pytest.raises(CheckpointError, match=reason):
        import_checkpoint(archive(tmp_path, run_folder(), extra=[member]))


def test_a_bomb_inside_the_checkpoint_is_refused(run_folder):
    path = run_folder() / 'AVDiff_score.pt'
    content = io.BytesIO()
    torch.save({'model': {'a': torch.zeros(5 << 20)}}, content)
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(CheckpointError, match='out of proportion'):
        import_checkpoint(path)


def test_a_store_of_other_data_is_refused(run_folder, tiny_store):
    with pytest.raises(CheckpointError, match='does not fit the checkpoint'):
        import_checkpoint(run_folder(zero_shot_split='2-shot'), data_root=tiny_store)


def test_an_archive_with_a_damaged_directory_is_refused(run_folder, tmp_path):
    path = archive(tmp_path, run_folder())
    content = bytearray(path.read_bytes())
    (start,) = struct.unpack('<I', content[-6:-2])  # Offset of the central directory, in the record at the end.
    content[start : start + 4] = b'????'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match='is a damaged archive'):
        import_checkpoint(path)


def test_an_archive_that_is_cut_short_is_called_damaged(run_folder, tmp_path):
    path = archive(tmp_path, run_folder())
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match='is a damaged archive'):
        import_checkpoint(path)


def test_packing_whose_size_cannot_be_relied_on_is_refused(run_folder, tmp_path):
    path = archive(tmp_path, run_folder())
    with zipfile.ZipFile(path, 'a', zipfile.ZIP_BZIP2) as file:
        file.writestr('models/other/args.yaml', 'a: 1')
    with pytest.raises(CheckpointError, match='a method other than deflate'):
        import_checkpoint(path)


@pytest.fixture
def tool(repo_dir, capsys):
    """A function that runs the tool; returns the exit code and the lines of its error."""
    main = runpy.run_path(str(repo_dir / 'tools/model_converters/avdiff_official.py'))['main']

    def run(*args):
        code = run_tool(main, [str(arg) for arg in args])
        return code, capsys.readouterr().err.splitlines()

    return run


def refused(outcome, words):
    code, lines = outcome
    return code == 2 and len(lines) == 1 and lines[0].startswith('error: ') and words in lines[0]


def test_places_that_cannot_be_written_to_are_refused(run_folder, tmp_path, tool):
    folder = run_folder()
    (tmp_path / 'file').write_text('')
    assert refused(tool(folder, tmp_path / 'file'), 'is a file')
    assert refused(tool(folder, tmp_path / 'file/below'), 'cannot be created')
    assert tool(folder, tmp_path / 'out') == (0, [])
    checkpoint = tmp_path / 'out/checkpoint.pth'
    assert refused(tool(checkpoint, tmp_path / 'out', '--reverse'), 'is a folder')
    assert refused(tool(checkpoint, tmp_path / 'file/back.pt', '--reverse'), 'cannot be created')
    assert refused(tool(checkpoint, tmp_path / 'back', '--reverse'), 'back/AVDiff_score.pt')
    assert not (tmp_path / 'args.yaml').exists()


def test_settings_of_another_run_are_not_overwritten(run_folder, tmp_path, tool):
    folder = run_folder()
    tool(folder, tmp_path / 'out')
    before = (folder / 'args.yaml').read_bytes()
    outcome = tool(tmp_path / 'out/checkpoint.pth', folder / 'AVDiff_score.pt', '--reverse')
    assert refused(outcome, 'belongs to another run') and (folder / 'args.yaml').read_bytes() == before
    for _ in range(2):  # Its own may be written again.
        assert tool(tmp_path / 'out/checkpoint.pth', tmp_path / 'back/AVDiff_score.pt', '--reverse') == (0, [])


@pytest.mark.parametrize('content', [b'<!DOCTYPE html><html></html>', pickle.dumps(print, protocol=4)])
def test_what_torch_refuses_is_one_line_without_its_advice(run_folder, tmp_path, tool, recwarn, content):
    folder = run_folder()
    (folder / 'AVDiff_score.pt').write_bytes(content)
    code, lines = tool(folder, tmp_path / 'out')
    assert refused((code, lines), 'could run code') and 'weights_only' not in lines[0] and not recwarn.list


@pytest.mark.parametrize(
    'option', [('--shots', 5), ('--stage', 2), ('--draw', 0), ('--gamma', 0.0), ('--data-root', 'data')]
)
def test_options_that_an_export_does_not_use_are_refused(run_folder, tmp_path, tool, option):
    with pytest.raises(SystemExit) as caught:
        tool(tmp_path / 'checkpoint.pth', tmp_path / 'back.pt', '--reverse', *option)
    assert caught.value.code == 2


def test_the_source_is_not_overwritten(run_folder, tmp_path, tool):
    tool(run_folder(), tmp_path / 'out')
    checkpoint = (tmp_path / 'out/checkpoint.pth').rename(tmp_path / 'own.pt')
    before = checkpoint.read_bytes()
    (tmp_path / 'folder').mkdir()
    for same in (checkpoint, tmp_path / 'folder/../own.pt'):
        assert refused(tool(checkpoint, same, '--reverse'), 'is the file to export')
    assert checkpoint.read_bytes() == before


def test_a_config_of_another_origin_is_not_overwritten(run_folder, tmp_path, tool):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/config.py').write_text('mine = 1')
    assert refused(tool(run_folder(), tmp_path / 'out'), 'was not written by this tool')
    assert (tmp_path / 'out/config.py').read_text() == 'mine = 1' and not (tmp_path / 'out/checkpoint.pth').exists()
    (tmp_path / 'out/config.py').unlink()
    for _ in range(2):  # Its own is.
        assert tool(run_folder(), tmp_path / 'out') == (0, [])


@pytest.mark.parametrize('name', ['config.py', 'checkpoint.pth'])
def test_folders_where_files_are_to_be_written_are_refused(run_folder, tmp_path, tool, name):
    (tmp_path / 'out' / name).mkdir(parents=True)
    assert refused(tool(run_folder(), tmp_path / 'out'), f'{name} is a folder')
    assert [path.name for path in (tmp_path / 'out').iterdir()] == [name]
    (tmp_path / 'back/args.yaml').mkdir(parents=True)
    assert tool(run_folder(), tmp_path / 'own') == (0, [])
    assert refused(tool(tmp_path / 'own/checkpoint.pth', tmp_path / 'back/a.pt', '--reverse'), 'args.yaml is a folder')


def test_shots_that_the_settings_leave_open_are_given(run_folder, tmp_path, tool):
    folder = run_folder(zero_shot_split='')
    assert refused(tool(folder, tmp_path / 'out'), 'give --shots')
    assert tool(folder, tmp_path / 'out', '--shots', 5) == (0, [])


def test_a_run_of_another_kind_than_asked_for_is_refused(run_folder, tmp_path, tool):
    assert refused(tool(run_folder(), tmp_path / 'out', '--stage', 2), 'Leave out the option')


def test_a_data_set_that_is_named_later_completes_the_settings(run_folder, tmp_path, tool):
    assert tool(run_folder(), tmp_path / 'out') == (0, [])
    content = torch.load(tmp_path / 'out/checkpoint.pth', weights_only=True)
    del content['meta']['dataset']  # As a checkpoint that avzoo trained on a folder of another name.
    content['meta']['config']['data_root'] = 'data/mine'
    save_checkpoint(tmp_path / 'own.pth', content)
    assert tool(tmp_path / 'own.pth', tmp_path / 'back/a.pt', '--reverse') == (0, [])
    assert refused(tool(tmp_path / 'back', tmp_path / 'again'), 'does not say what it was trained on; give --dataset')
    assert tool(tmp_path / 'back/a.pt', tmp_path / 'again', '--dataset', 'UCF') == (0, [])
    assert tool(tmp_path / 'own.pth', tmp_path / 'back/a.pt', '--reverse', '--dataset', 'ucf') == (0, [])
    assert 'dataset_name: UCF' in (tmp_path / 'back/args.yaml').read_text()
    assert refused(tool(tmp_path / 'own.pth', tmp_path / 'back/a.pt', '--reverse', '--dataset', 'vgg'), 'another run')


def test_a_file_that_is_not_a_checkpoint_is_reported_before_its_missing_settings(tmp_path, tool):
    torch.save({'meta': {}, 'state_dict': {}}, tmp_path / 'own.pth')
    assert refused(tool(tmp_path / 'own.pth', tmp_path / 'out'), 'need no import')
    (tmp_path / 'text.pt').write_text('hello')
    assert refused(tool(tmp_path / 'text.pt', tmp_path / 'out'), 'readable checkpoint')


def test_the_error_says_when_the_authors_settings_were_taken_and_do_not_fit(run_folder, tmp_path, tool):
    path = (run_folder() / 'AVDiff_score.pt').rename(tmp_path / 'alone.pt')
    options = ('--shots', 5, '--stage', 1)
    assert refused(tool(path, tmp_path / 'out', '--dataset', 'vgg', *options), 'settings of vgg with 5 shots')
    content = released_checkpoint()
    content['model'] = {k.replace('layers.2.', 'layers.3.'): v for k, v in content['model'].items()} | {
        k: v for k, v in content['model'].items() if 'layers.2.' in k
    }
    torch.save(content, path)  # Of the published depth, but not of the published widths.
    assert refused(tool(path, tmp_path / 'out', '--dataset', 'ucf', *options), 'settings of ucf with 5 shots')


def test_runs_that_do_not_differ_are_to_be_named_themselves(run_folder, tmp_path, tool):
    path = archive(tmp_path, run_folder('a'), run_folder('b'), run_folder('c', zero_shot_split='1-shot'))
    assert refused(tool(path, tmp_path / 'out'), 'Choose with --shots.')
    assert refused(tool(path, tmp_path / 'out', '--shots', 5), 'name the (unpacked) folder of one')
    assert refused(tool(path, tmp_path / 'out', '--stage', 2), 'Choose with --shots.')

"""Released AV-DIFF checkpoints become avzoo checkpoints, and back."""

import runpy

import pytest
import torch
from mmengine.config import Config

from avzoo.avdiff_release.export_checkpoint import export_checkpoint
from avzoo.avdiff_release.import_checkpoint import import_checkpoint
from avzoo.checkpoints.training import load_checkpoint, load_weights, save_checkpoint
from avzoo.config.load import load_config
from avzoo.registry import MODELS
from avzoo.utils.cli import run_tool
from avzoo.utils.errors import CheckpointError
from tests.avdiff_release.conftest import archive, released_checkpoint


def tensors_equal(one, other):
    return list(one) == list(other) and all(
        torch.equal(one[k], other[k]) and one[k].dtype == other[k].dtype for k in one
    )


def test_the_config_builds_a_model_that_loads_the_checkpoint_strictly(run_folder, tmp_path):
    done = import_checkpoint(run_folder())
    save_checkpoint(tmp_path / 'checkpoint.pth', done.checkpoint)
    (tmp_path / 'config.py').write_text(done.config)
    cfg, checkpoint = load_config(tmp_path / 'config.py'), load_checkpoint(tmp_path / 'checkpoint.pth')
    meta = checkpoint['meta']
    model = MODELS.build(
        dict(cfg.model.to_dict(), data_info=meta['data_info'], data_preprocessor=cfg.data_preprocessor.to_dict())
    )
    load_weights(model, checkpoint['state_dict'], 'it')
    assert (meta['stage'], meta['draw'], meta['num_shots'], meta['phase']) == (1, None, 5, 'stage1_full')
    assert meta['data_info']['feature_dims'] == dict(audio=5, visual=7) and meta['data_info']['embedding_dim'] == 6
    assert cfg.model.projector.dropout == 0.3 and cfg.model.encoders.visual.dropout == 0.2
    assert cfg.model.generator.schedule.num_steps == 7 and cfg.randomness.seed == 43
    assert cfg.curriculum.base.max_epochs == 3 and cfg.train_dataloader.batch_size == 16


@pytest.mark.parametrize('generator_dropout', [False, True])
def test_there_and_back_nothing_changes(run_folder, tmp_path, generator_dropout):
    content = released_checkpoint(generator_dropout=generator_dropout)
    done = import_checkpoint(run_folder(content=content, diffusion_dropout_value=0.1 * generator_dropout))
    save_checkpoint(tmp_path / 'checkpoint.pth', done.checkpoint)
    back = export_checkpoint(tmp_path / 'checkpoint.pth').checkpoint
    assert tensors_equal(back['model'], content['model'])
    assert {k: back[k] for k in ('epoch', 'metric', 'optimizer')} == {
        k: content[k] for k in ('epoch', 'metric', 'optimizer')
    }


@pytest.mark.parametrize('wrapper', ['module.', '_orig_mod.', 'module._orig_mod.', '_orig_mod.module.'])
def test_weights_of_a_wrapped_model_are_those_of_the_model(run_folder, wrapper):
    content = released_checkpoint()
    wrapped = dict(content, model={wrapper + key: value for key, value in content['model'].items()})
    found = import_checkpoint(run_folder(content=wrapped)).checkpoint['state_dict']
    assert tensors_equal(found, import_checkpoint(run_folder(content=content)).checkpoint['state_dict'])


def test_a_model_that_avzoo_trained_gets_the_unused_network(run_folder, tmp_path):
    checkpoint = import_checkpoint(run_folder()).checkpoint
    del checkpoint['released']
    save_checkpoint(tmp_path / 'own.pth', checkpoint)
    back = export_checkpoint(tmp_path / 'own.pth').checkpoint['model']
    assert list(back) == list(released_checkpoint()['model'])
    assert not back['discriminator_seen_novel.fc.1.weight'].any()


def test_every_window_is_that_of_the_settings(run_folder):
    settings = dict(
        dataset_name='ActivityNet',
        batch_seqlen_train='fixed',
        batch_seqlen_test='fixed',
        batch_seqlen_train_maxlen=50,
        batch_seqlen_val_maxlen=25,
        batch_seqlen_test_maxlen=200,
        batch_seqlen_train_trim='center',
        batch_seqlen_test_trim='random',
    )
    config = Config.fromstring(import_checkpoint(run_folder(**settings)).config, '.py')
    windows = [config[f'{phase}_dataloader'].dataset.window for phase in ('train', 'val', 'test')]
    assert windows == [
        dict(steps=50, position='center'),
        dict(steps=25, position='random'),
        dict(steps=200, position='random'),
    ]
    settings.update(batch_seqlen_train='max', batch_seqlen_test='max')
    config = Config.fromstring(import_checkpoint(run_folder(**settings)).config, '.py')
    assert not any('window' in config[f'{phase}_dataloader'].dataset for phase in ('train', 'val', 'test'))


def test_the_order_of_the_tensors_is_kept(run_folder, tmp_path):
    content = released_checkpoint()
    content['model'] = dict(reversed(content['model'].items()))
    save_checkpoint(tmp_path / 'checkpoint.pth', import_checkpoint(run_folder(content=content)).checkpoint)
    assert list(export_checkpoint(tmp_path / 'checkpoint.pth').checkpoint['model']) == list(content['model'])


def test_settings_become_windows_and_schedulers(run_folder, tmp_path):
    done = import_checkpoint(
        run_folder(
            batch_seqlen_train='fixed',
            batch_seqlen_test='fixed',
            batch_seqlen_train_maxlen=60,
            batch_seqlen_val_maxlen=30,
            batch_seqlen_test_maxlen=300,
            dataset_name='ActivityNet',
            batch_seqlen_train_trim='random',
            batch_seqlen_test_trim='center',
            lr_scheduler=False,
        )
    )
    assert "window=dict(position='random', steps=60)" in done.config
    assert "window=dict(position='center', steps=30)" in done.config
    assert "window=dict(position='center', steps=300)" in done.config
    assert 'param_scheduler = None' in done.config and 'carry_optimizer=True' in done.config
    assert any('window.audio_length=released' in note for note in done.notes)
    assert not any('window' in note for note in import_checkpoint(run_folder('whole_videos')).notes)
    save_checkpoint(tmp_path / 'converted.pth', done.checkpoint)
    assert not any(
        'window' in note for note in export_checkpoint(tmp_path / 'converted.pth', dataset='activitynet').notes
    )


def test_the_archive_is_searched_by_data_set_shots_and_stage(run_folder, tmp_path):
    contents = [released_checkpoint(seed=s) for s in range(4)]
    path = archive(
        tmp_path,
        run_folder('a', contents[0]),
        run_folder('b', contents[1], zero_shot_split='1-shot'),
        run_folder('c', contents[2], dataset_name='VGGSound'),
        run_folder('d', contents[3], retrain_all=True, file='checkpoints_1/AVDiff_score_ckpt_2.pt'),
    )
    chosen = [dict(dataset='ucf', shots=5, stage=1), dict(shots=1), dict(dataset='vgg'), dict(stage=2, draw=1)]
    for content, choice in zip(contents, chosen, strict=True):
        found = import_checkpoint(path, **choice).checkpoint['state_dict']['fusion.summary']
        assert torch.equal(found, content['model']['cls_token'])
    with pytest.raises(CheckpointError, match=r'several runs fit .*models/a \(UCF, 5-shot, stage 1\)'):
        import_checkpoint(path, dataset='ucf', shots=5)
    with pytest.raises(CheckpointError, match='no run fits'):
        import_checkpoint(path, dataset='activitynet')


def test_stage_two_takes_the_last_epoch_of_the_draw(run_folder):
    old, new, other = (released_checkpoint(seed=s) for s in range(3))
    run_folder(content=old, file='checkpoints/AVDiff_score_ckpt_2.pt')
    run_folder(content=other, file='checkpoints_2/AVDiff_score_ckpt_11.pt')
    folder = run_folder(content=new, file='checkpoints/AVDiff_score_ckpt_10.pt', retrain_all=True)
    done = import_checkpoint(folder)
    assert torch.equal(done.checkpoint['state_dict']['fusion.summary'], new['model']['cls_token'])
    assert done.checkpoint['meta']['phase'] == 'stage2_full_draw0'
    assert import_checkpoint(folder, draw=2).source.endswith('ckpt_11.pt')
    with pytest.raises(CheckpointError, match='no checkpoint of draw 1'):
        import_checkpoint(folder, draw=1)


def test_a_folder_holds_the_draw_that_is_asked_for(run_folder):
    folder = run_folder(retrain_all=True)
    with pytest.raises(CheckpointError, match='no checkpoint of draw 2'):
        import_checkpoint(folder, draw=2)
    assert import_checkpoint(folder / 'AVDiff_score.pt', draw=2).checkpoint['meta']['phase'] == 'stage2_full_draw2'


def test_the_folder_of_a_file_tells_its_draw(run_folder):
    file = 'checkpoints_1/AVDiff_score_ckpt_2.pt'
    path = run_folder(file=file, retrain_all=True) / file
    assert import_checkpoint(path).checkpoint['meta']['draw'] == 1
    with pytest.raises(CheckpointError, match='belongs to draw 1'):
        import_checkpoint(path, draw=2)


def test_stage_one_has_no_draws(run_folder):
    with pytest.raises(CheckpointError, match='stage 1, which has no draws'):
        import_checkpoint(run_folder(), draw=5)


def test_a_bare_file_needs_to_be_told_what_it_is(run_folder):
    folder = run_folder()
    assert import_checkpoint(folder / 'AVDiff_score.pt').checkpoint['meta']['stage'] == 1
    (folder / 'args.yaml').unlink()
    with pytest.raises(CheckpointError, match='--dataset and --shots and --stage'):
        import_checkpoint(folder / 'AVDiff_score.pt')
    # Without the settings the published ones are taken, whose sizes are not those of this small model.
    with pytest.raises(CheckpointError, match='does not fit'):
        import_checkpoint(folder / 'AVDiff_score.pt', dataset='ucf', shots=5, stage=1)


def test_the_tool_writes_both_files_and_puts_errors_on_one_line(repo_dir, run_folder, tmp_path, capsys):
    main = runpy.run_path(str(repo_dir / 'tools/model_converters/avdiff_official.py'))['main']

    def tool(*args):
        code = run_tool(main, [str(arg) for arg in args])
        return code, *capsys.readouterr()

    code, out, _ = tool(run_folder(), tmp_path / 'out')
    assert code == 0 and 'note: The calibration is unknown' in out
    assert {p.name for p in (tmp_path / 'out').iterdir()} == {'checkpoint.pth', 'config.py'}
    assert tool(tmp_path / 'out/checkpoint.pth', tmp_path / 'back/AVDiff_score.pt', '--reverse')[0] == 0
    assert {p.name for p in (tmp_path / 'back').iterdir()} == {'AVDiff_score.pt', 'args.yaml'}
    assert tensors_equal(
        torch.load(tmp_path / 'back/AVDiff_score.pt', weights_only=True)['model'],
        torch.load(tmp_path / 'run/AVDiff_score.pt', weights_only=True)['model'],
    )
    code, _, errors = tool(tmp_path / 'back/AVDiff_score.pt', tmp_path / 'out2', '--reverse')
    assert code == 2 and errors.startswith('error: ') and errors.count('\n') == 1
    assert not (tmp_path / 'out2').exists()

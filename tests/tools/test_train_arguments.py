"""What tools/train.py makes of its arguments and of the config, before anything is trained."""

import importlib.util

import pytest

from avzoo.config.load import load_config
from avzoo.registry import RUNNERS
from avzoo.utils.errors import ConfigError

CONFIG = 'configs/avdiff/avdiff_custom_5shot.py'


@pytest.fixture(scope='module')
def train(repo_dir):
    spec = importlib.util.spec_from_file_location('train_tool', repo_dir / 'tools/train.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def built(monkeypatch):
    """The calls of a runner that only remembers how it was built, registered as ``RecordingRunner``."""
    calls = []

    class RecordingRunner:
        def __init__(self, cfg, *, resume, stage, draws):
            calls.append(dict(cfg=cfg, resume=resume, stage=stage, draws=draws))

        def train(self):
            calls[-1]['trained'] = True

    monkeypatch.setitem(RUNNERS.module_dict, 'RecordingRunner', RecordingRunner)
    return calls


def flat(node, path=''):
    if not isinstance(node, dict):
        return {path: node}
    return {
        key: value
        for name, child in node.items()
        for key, value in flat(child, f'{path}.{name}' if path else name).items()
    }


def run(train, repo_dir, *arguments, options=()):
    train.main([str(repo_dir / CONFIG), *arguments, '--cfg-options', 'runner_type=RecordingRunner', *options])


def test_the_runner_is_the_one_that_the_config_names(train, built, repo_dir):
    run(train, repo_dir, '--stage', '2', '--resume')
    assert built[0]['trained'] and built[0]['stage'] == 2 and built[0]['resume'] is True and built[0]['draws'] is None


@pytest.mark.parametrize('name', ['CurriculumRuner', 'PhaseRunner', 'Runner'])
def test_a_runner_that_runs_no_curriculum_is_refused(train, repo_dir, name):
    with pytest.raises(ConfigError, match=f"runner_type='{name}'.*'CurriculumRunner'"):
        train.main([str(repo_dir / CONFIG), '--cfg-options', f'runner_type={name}'])


def test_a_name_of_the_zoo_stands_for_its_config(train, built, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    train.main(['avdiff_custom_5shot', '--cfg-options', 'runner_type=RecordingRunner'])
    assert built[0]['cfg'].work_dir == 'work_dirs/avdiff_custom_5shot' and built[0]['cfg'].method == 'AV-DIFF'


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        ('avdif_custom_5shot', "no model 'avdif_custom_5shot'. Did you mean 'avdiff_custom_5shot'"),
        ('configs/avdif/avdiff_custom_5shot.py', "Did you mean 'configs/avdiff/avdiff_custom_5shot.py'"),
        ('configs/mbt/avdiff_custom_5shot.py', "Did you mean 'configs/avdiff/avdiff_custom_5shot.py'"),
        ('configs/avdiff/avdiff_custm_5shot.py', "Did you mean 'avdiff_custom_5shot'"),
    ],
)
def test_a_wrong_name_or_folder_is_answered_with_the_nearest(train, repo_dir, monkeypatch, config, words):
    monkeypatch.chdir(repo_dir)
    with pytest.raises(ConfigError, match=words):
        train.main([config])


def test_a_name_like_none_gets_no_suggestion(train, repo_dir, monkeypatch):
    monkeypatch.chdir(repo_dir)
    with pytest.raises(ConfigError, match=r'There is no config configs/avdiff/qqqq\.py\..* configs/METHOD'):
        train.main(['configs/avdiff/qqqq.py'])


def test_a_config_of_your_own_lies_anywhere(train, built, repo_dir, monkeypatch, tmp_path):
    cfg = load_config(repo_dir / CONFIG, ['runner_type=RecordingRunner'])
    cfg.dump(str(tmp_path / 'mine.py'))
    monkeypatch.chdir(tmp_path)
    train.main(['mine.py'])
    assert built[0]['cfg'].work_dir == 'work_dirs/mine'


def test_an_interruption_says_how_to_go_on(train, repo_dir, monkeypatch, capsys):
    class InterruptedRunner:
        def __init__(self, cfg, *, resume, stage, draws):
            pass

        def train(self):
            raise KeyboardInterrupt

    monkeypatch.setitem(RUNNERS.module_dict, 'InterruptedRunner', InterruptedRunner)
    with pytest.raises(KeyboardInterrupt):
        train.main([str(repo_dir / CONFIG), '--work-dir', 'runs/a', '--cfg-options', 'runner_type=InterruptedRunner'])
    assert 'What is done is kept in runs/a. To resume, repeat the command with --resume' in capsys.readouterr().err


def test_work_dir_of_the_config_counts_unless_one_is_given(train, built, repo_dir):
    run(train, repo_dir)
    run(train, repo_dir, options=['work_dir=runs/a'])
    run(train, repo_dir, '--work-dir', 'runs/b', options=['work_dir=runs/a'])
    assert [call['cfg'].work_dir for call in built] == ['work_dirs/avdiff_custom_5shot', 'runs/a', 'runs/b']


@pytest.mark.parametrize(
    ('argument', 'path', 'value'),
    [
        (('--amp',), 'optim_wrapper.type', 'AutocastOptimWrapper'),
        (('--no-validate',), 'curriculum.validate', False),
        (('--deterministic',), 'randomness.deterministic', True),
        (('--auto-scale-lr',), 'auto_scale_lr.enable', True),
        (('--seed', '7'), 'randomness.seed', 7),
    ],
)
def test_a_flag_changes_its_setting_and_nothing_else(train, built, repo_dir, argument, path, value):
    run(train, repo_dir)
    run(train, repo_dir, *argument)
    before, after = (flat(call['cfg'].to_dict()) for call in built)
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert after[path] == value and changed - {path} == (
        {'curriculum.choices'} if '--no-validate' in argument else set()
    )


def test_without_a_base_batch_size_no_rate_is_scaled(train, built, repo_dir):
    with pytest.raises(ConfigError, match=r'auto_scale_lr\.base_batch_size'):
        run(train, repo_dir, '--auto-scale-lr', options=['auto_scale_lr=None'])


def test_without_a_runner_type_the_built_in_runner_is_taken(train, repo_dir):
    cfg = load_config(repo_dir / CONFIG, ['runner_type=none'])
    assert train.runner_class(cfg).__name__ == 'CurriculumRunner'


@pytest.mark.parametrize('seed', ['-1', 'x', '4294967296'])
def test_an_impossible_seed_is_refused(train, repo_dir, seed):
    with pytest.raises((SystemExit, ConfigError)):
        train.main([str(repo_dir / CONFIG), '--seed', seed])


def test_draws_are_run_once_and_in_order(train, built, repo_dir):
    run(train, repo_dir, '--draws', '2', '0', '0')
    assert built[0]['draws'] == (0, 2)


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--draws', '3'), '--draws 3: the config has draws 0 to 2'),
        (('--draws', '0', '--stage', '1'), 'only stage 2 has draws'),
    ],
)
def test_impossible_draws_are_refused(train, repo_dir, arguments, words):
    with pytest.raises(ConfigError, match=words):
        train.main([str(repo_dir / CONFIG), *arguments])


@pytest.mark.parametrize(
    ('arguments', 'built_with'),
    [
        ((), {}),
        (('--jobs', '1'), {}),
        (('--jobs', '3'), dict(jobs=3, gpus=[])),
        (('--gpus', '0-1'), dict(jobs=2, gpus=['0', '1'])),
        (('--gpus', '0', '--jobs', '2'), dict(jobs=2, gpus=['0'])),
        (('--gpus', '1', '--jobs', '1'), dict(jobs=1, gpus=['1'])),
    ],
)
def test_draws_are_dealt_to_jobs_and_gpus(train, monkeypatch, repo_dir, arguments, built_with):
    calls = []
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0,1')
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)

    class DealingRunner:
        def __init__(self, cfg, *, resume, stage, draws, jobs=None, gpus=None):
            calls.append({key: value for key, value in dict(jobs=jobs, gpus=gpus).items() if value is not None})

        def train(self):
            pass

    monkeypatch.setitem(RUNNERS.module_dict, 'DealingRunner', DealingRunner)
    train.main([str(repo_dir / CONFIG), *arguments, '--cfg-options', 'runner_type=DealingRunner'])
    assert calls == [built_with]


@pytest.mark.parametrize(('options', 'lacking'), [((), 'cfg'), (('--jobs', '2'), 'cfg, jobs, gpus')])
def test_a_runner_is_told_what_it_does_not_take(train, monkeypatch, repo_dir, options, lacking):
    class NarrowRunner:
        def __init__(self, resume, stage, draws):
            pass

    monkeypatch.setitem(RUNNERS.module_dict, 'NarrowRunner', NarrowRunner)
    with pytest.raises(ConfigError, match=rf"'NarrowRunner'.* \(it does not accept {lacking}\)\. The built-in"):
        train.main([str(repo_dir / CONFIG), *options, '--cfg-options', 'runner_type=NarrowRunner'])
    NarrowRunner.__init__ = lambda self, *given, **named: None
    assert train.runner_class(dict(runner_type='NarrowRunner'), ['jobs', 'gpus']) is NarrowRunner


@pytest.mark.parametrize('main', [True, False])
def test_the_plan_of_a_dry_run_is_printed_by_one_process(train, monkeypatch, repo_dir, capsys, main):
    monkeypatch.setattr('mmengine.dist.is_main_process', lambda: main)
    monkeypatch.setattr('avzoo.engine.curriculum.preflight.describe_plan', lambda *of: 'the plan')
    monkeypatch.setattr('avzoo.importers.synthetic.ensure_synth', lambda cfg: None)
    assert train.main([str(repo_dir / CONFIG), '--dry-run']) == 0
    assert capsys.readouterr().out == 'the plan\n' * main


def test_a_dry_run_refuses_gpus_that_are_not_here(train, monkeypatch, repo_dir):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    with pytest.raises(ConfigError, match='no GPU 0'):
        train.main([str(repo_dir / CONFIG), '--gpus', '0', '--dry-run'])


def test_a_runner_that_takes_no_jobs_is_refused_only_with_them(train, built, repo_dir):
    with pytest.raises(ConfigError, match=r"'RecordingRunner'.* does not accept .*jobs, gpus"):
        run(train, repo_dir, '--jobs', '2')
    run(train, repo_dir, '--jobs', '1')
    assert built[0]['trained']


@pytest.mark.parametrize('arguments', [('--jobs', '2'), ('--gpus', '0'), ('--jobs', '0'), ('--jobs', 'x')])
def test_draws_side_by_side_and_a_launcher_are_refused(train, repo_dir, arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        train.main([str(repo_dir / CONFIG), *arguments, '--launcher', 'pytorch'])
    assert ended.value.code == 2 and '--jobs' in capsys.readouterr().err


def test_launcher_without_its_processes_is_refused(train, repo_dir, monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    with pytest.raises(ConfigError, match=r'RANK is not set .*torchrun'):
        train.main([str(repo_dir / CONFIG), '--launcher', 'pytorch'])


def test_the_help_says_what_scales_the_learning_rate(train, repo_dir, capsys):
    with pytest.raises(SystemExit):
        train.main(['--help'])
    words = 'scale the learning rate by the number of processes'
    assert words in ' '.join(capsys.readouterr().out.split())
    assert words in (repo_dir / 'docs/getting_started.md').read_text(encoding='utf-8')


@pytest.mark.parametrize('arguments', [('--jobs', '2'), ('--gpus', '0')])
def test_stage_one_alone_has_no_draws_to_train_side_by_side(train, repo_dir, capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        train.main([str(repo_dir / CONFIG), *arguments, '--stage', '1'])
    assert ended.value.code == 2 and '--stage 1' in capsys.readouterr().err

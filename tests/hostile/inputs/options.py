"""Values of ``--cfg-options``."""

from pathlib import Path

from tests.hostile.corpus import ACCEPTED, EITHER, Call, Part
from tests.hostile.making import ESCAPE, nested
from tests.hostile.material import Material

PART = Part('--cfg-options')


def _plan(folder: Path, material: Material, option: str) -> Call:
    work_dir = folder / 'work/run'
    return Call('train', [material.config, '--dry-run', '--work-dir', work_dir, '--cfg-options', option])


_VALUES = (
    '',
    '=',
    '=1',
    'model',
    'model=5',
    'model=None',
    'model.fusion=5',
    'model.fusion.depth=-1',
    'model.fusion.depth=0',
    'model.fusion.depth=1e9',
    'model.fusion.depth=nan',
    'model.fusion.mlp_dim=99999999999999999999',
    'model.fusion.num_heads=0',
    'model.fusion.dropout=2',
    'model.fusion.dropout=nan',
    'model.fusion.type=not_there.X',
    'model.fusion.type=not_there::X',
    'model.fusion.type=mmengine.BaseModel',
    'model.fusion.type=os',
    'model.fusion.type=5',
    'model..fusion.depth=2',
    '.model.fusion.depth=2',
    'model.fusion.depth.=2',
    'optim_wrapper.optimizer.lr=nan',
    'optim_wrapper.optimizer.lr=-1',
    'optim_wrapper.optimizer.lr=inf',
    'optim_wrapper.optimizer.betas=(0.9,)',
    'optim_wrapper.optimizer.betas.²=0.9',
    'optim_wrapper.optimizer.betas.-1=0.9',
    'optim_wrapper.optimizer.type=not_there.X',
    'curriculum.base={1: 2}',
    'curriculum.base.max_epochs=-1',
    'curriculum.base.max_epochs=1e18',
    'curriculum.base.max_epochs=2.5',
    'curriculum.num_draws=0',
    'curriculum.num_draws=99',
    'curriculum.full.freeze=5',
    "curriculum.full.freeze=['nothing']",
    'num_shots=0',
    'num_shots=-1',
    "num_shots='2'",
    'num_shots=2.5',
    'num_shots=True',
    'train_dataloader.batch_size=0',
    'train_dataloader.batch_size=-4',
    'train_dataloader.batch_size=1e30',
    'train_dataloader.num_workers=-1',
    'test_dataloader.prefetch_factor=2',
    'custom_imports={"imports": ["not_there"]}',
    'custom_hooks=[5]',
    "custom_hooks=[{'type': 'not_there.X'}]",
    'default_hooks.timer=5',
    'default_scope=not_there',
    'randomness.seed=-1',
    'randomness.seed=1e30',
    'randomness.seed=x',
    "visualizer.vis_backends=[{'type': 'not_there.X'}]",
    'data_root=',
    'data_root=/dev/null',
    'data_root=5',
    'work_dir=5',
    'load_from=/etc/hostname',
    'resume=x',
    'launcher=evil',
    "param_scheduler=[{'type': 'not_there.X'}]",
    'param_scheduler=5',
    'model.fusion.depth=__import__("os").system("touch ran")',
    'model.fusion.depth=dict(a=1)',
    'model.fusion.depth=(lambda: 1)()',
    'model.fusion.depth={',
    'model.fusion.depth=1\n2',
    "__class__={'a': 1}",
    '__dict__.x=1',
    '_cfg_dict.model=1',
    'model.__class__=1',
    'model.fusion.keys=1',
    'model.fusion._delete_=True',
)
PART.each(_plan, {value[:60].replace('\n', ' and a break, '): value for value in _VALUES})
PART.each(
    _plan,
    {
        'a list 300 deep': f'model.fusion.depth={nested(300)}',
        'a list 50,000 deep': f'model.fusion.depth={nested(50_000)}',
        'a number of 10,000 digits': f'model.fusion.depth={"9" * 10_000}',
        'a key of 100,000 characters': f'{"a" * 100_000}=1',
        'a path 20,000 deep': f'model{".a" * 20_000}=1',
        'a key that clears the screen': f'{ESCAPE}=1',
        'a type that clears the screen': f'model.fusion.type={ESCAPE}',
        'a value that clears the screen': f'model.fusion.depth={ESCAPE}',
    },
)
PART.add('model={}', lambda folder, material: _plan(folder, material, 'model={}'), ACCEPTED)
PART.each(
    _plan, {'a method that clears the screen': f'method={ESCAPE}x', 'a method of two lines': 'method=a\nb'}, EITHER
)

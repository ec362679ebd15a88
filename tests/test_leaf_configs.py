"""Every config that a user can run: well named, in the index, and it trains and predicts."""

import ast
import copy
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper

from avzoo.config.load import load_config
from avzoo.engine.curriculum.plan import Phase, phase_config
from avzoo.registry import DATASETS, MODELS
from avzoo.zoo.benchmarks import BENCHMARKS
from avzoo.zoo.index import read_index
from tests.conftest import CONFIGS, write_store

INDEX = read_index()
METHODS = (
    'attention_fusion',
    'avca',
    'avdiff',
    'avgauss',
    'hip',
    'mbt',
    'perceiver',
    'protogan',
    'sldg',
    'tcaf',
    'tsl',
    'zorro',
)
DATASETS_OF_ZOO = ('activitynet', 'custom', 'synth', 'ucf', 'vgg')
SHOTS = (1, 5, 10, 20)
LEAVES = sorted(CONFIGS.glob('[a-z]*/*.py'))
NAME = re.compile(
    r'(?P<method>[a-z_]+)(?P<variant>-[a-z]+)?_(?P<dataset>[a-z]+)_(?P<shots>1|5|10|20)shot(?P<recipe>_released|_gen)?'
)
# Leaves that differ in nothing but their shots, by the name without them.
SAME_BUT_SHOTS: dict[str, list[Path]] = {}
for path in LEAVES:
    SAME_BUT_SHOTS.setdefault(re.sub(r'_\d+shot', '', path.stem), []).append(path)

# Read once by each process that tests.
read_config = cache(load_config)

# Settings other than the number of shots that the released code changes with it; all of them are AV-DIFF's.
ENCODERS = {'model.encoders.audio.dropout', 'model.encoders.visual.dropout'}
STEPS, PREDICTOR = 'model.generator.schedule.num_steps', 'model.generator.noise_predictor'
CHANGED_WITH_SHOTS = {
    'avdiff_vgg_1shot': ENCODERS
    | {'model.embedding.dropout', 'model.fusion.dropout', 'model.projector.dropout', STEPS},
    'avdiff_vgg_10shot': ENCODERS,
    'avdiff_vgg_20shot': ENCODERS,
    'avdiff_ucf_1shot': {STEPS, f'{PREDICTOR}.hidden_dim'},
    'avdiff_ucf_10shot': {STEPS, 'model.projector.dropout'},
    'avdiff_ucf_20shot': ENCODERS
    | {'model.fusion.dropout', 'model.projector.dropout', f'{PREDICTOR}.hidden_dim', f'{PREDICTOR}.dropout'},
    'avdiff_activitynet_1shot': {'model.embedding.dropout', STEPS, f'{PREDICTOR}.hidden_dim', f'{PREDICTOR}.dropout'},
    'avdiff_activitynet_20shot': ENCODERS,
}


def five_shot_leaf(leaf: Path) -> Path:
    """The leaf of 5 shots that a leaf varies: of the same variant where the shots differ, else of the method itself."""
    name = NAME.fullmatch(leaf.stem)
    variant = (name['variant'] or '') if name['shots'] != '5' else ''
    recipe = '_gen' if name['recipe'] == '_gen' else ''  # The released recipe differs from the plain one a little.
    return leaf.with_name(f'{name["method"]}{variant}_{name["dataset"]}_5shot{recipe}.py')


def bases(leaf: Path) -> list[Path]:
    """The files that a leaf names in ``_base_``."""
    (names,) = [
        ast.literal_eval(line.value)
        for line in ast.parse(leaf.read_text(encoding='utf-8')).body
        if isinstance(line, ast.Assign) and line.targets[0].id == '_base_'
    ]
    return [(leaf.parent / name).resolve() for name in names]


def flat(node: Any, key: str = '') -> dict[str, Any]:
    """{dotted key: value} of a config."""
    if not isinstance(node, dict) or not node:
        return {key: node}
    return {k: v for name, value in node.items() for k, v in flat(value, f'{key}.{name}'.lstrip('.')).items()}


@pytest.fixture(scope='module')
def stores(tmp_path_factory):
    """A function that gives a small store with the widths of a data set."""
    made = {}

    def store(dataset: str) -> Path:
        sizes = {}
        if dataset in BENCHMARKS:
            sizes = dict(BENCHMARKS[dataset].feature_dims, embedding_dim=BENCHMARKS[dataset].embedding_dim)
        key = tuple(sizes.values())
        if key not in made:
            made[key] = write_store(
                tmp_path_factory.mktemp('stores') / 'small', shots=(1, 5, 10, 20), draws=1, novel_videos=22, **sizes
            )
        return made[key]

    return store


@pytest.fixture
def full_phase(stores, tmp_path):
    """A function that gives the full sub-stage of stage 1 of a leaf, on a small store."""

    def read(leaf):
        cfg = copy.deepcopy(read_config(leaf))
        cfg.data_root = str(stores(NAME.fullmatch(leaf.stem)['dataset']))
        return phase_config(cfg, Phase(1, 'full'), {}, tmp_path)

    return read


@pytest.mark.parametrize('method', METHODS)
def test_every_method_can_be_run_on_each_data_set_and_number_of_shots(method):
    names = {f'{method}_{dataset}_{shots}shot' for dataset in DATASETS_OF_ZOO for shots in SHOTS}
    assert names <= {path.stem for path in LEAVES} and names <= INDEX.keys()


@pytest.mark.parametrize('method', METHODS)
def test_the_name_says_method_data_set_and_shots(method):
    for leaf in (leaf for leaf in LEAVES if leaf.parent.name == method):
        name = NAME.fullmatch(leaf.stem)
        assert name and name['method'] == method, leaf
        cfg = read_config(leaf)
        assert cfg.num_shots == int(name['shots']), leaf
        data = f'{name["dataset"]}_fsl' if name['dataset'] in BENCHMARKS else 'custom'
        assert Path(cfg.data_root).name == data, leaf
        assert f'python tools/train.py configs/{method}/{leaf.name}' in leaf.read_text(encoding='utf-8'), leaf


def test_every_leaf_is_of_a_method():
    assert {leaf.parent.name for leaf in LEAVES} == set(METHODS)


# What is read quickly is read of all leaves in one test: 300 tests of a millisecond would cost more than they do.


def test_the_papers_numbers_stand_in_the_metafile_alone():
    assert not [leaf.stem for leaf in LEAVES if re.search(r'\b(HM|FSL) \d', leaf.read_text(encoding='utf-8'))]


def test_entries_of_the_index_say_what_the_names_say():
    for leaf in LEAVES:
        entry, name = INDEX[leaf.stem], NAME.fullmatch(leaf.stem)
        dataset = BENCHMARKS[name['dataset']].title if name['dataset'] in BENCHMARKS else 'custom'
        assert (entry.config, entry.shots, entry.dataset) == (leaf, int(name['shots']), dataset)


@pytest.mark.parametrize('method', METHODS)
def test_only_the_shots_and_what_the_release_changes_with_them_differ_from_the_5_shot_leaf(method):
    found, expected = {}, {}
    for leaf in (leaf for leaf in LEAVES if leaf.parent.name == method and '_5shot' not in leaf.stem):
        ours, five = (flat(read_config(path).to_dict()) for path in (leaf, five_shot_leaf(leaf)))
        found[leaf.stem] = {key for key in ours.keys() | five.keys() if ours.get(key, ...) != five.get(key, ...)}
        expected[leaf.stem] = {'num_shots'} | CHANGED_WITH_SHOTS.get(leaf.stem, set())
    assert found and found == expected


def test_a_leaf_states_what_differs_from_the_5_shot_leaf_or_from_shared_files():
    for leaf in LEAVES:
        if leaf == five_shot_leaf(leaf):
            assert {path.relative_to(CONFIGS).parts[0] for path in bases(leaf)} == {'_base_'}, leaf
        else:
            assert bases(leaf) == [five_shot_leaf(leaf)]


@pytest.mark.parametrize('method', METHODS)
def test_shots_reach_the_data(method, full_phase):
    for leaf in (leaf for leaf in LEAVES if leaf.parent.name == method):
        name, data = NAME.fullmatch(leaf.stem), DATASETS.build(full_phase(leaf).train_dataloader.dataset)
        novel = np.bincount(data.labels)[~data.base_mask]
        assert novel.size and (novel == int(name['shots'])).all(), leaf


@pytest.mark.parametrize('name', SAME_BUT_SHOTS)
def test_it_builds_and_takes_a_training_step_and_predicts(name, full_phase):
    # Shots change the data, and in few methods the model or the optimizer.
    phases = map(full_phase, SAME_BUT_SHOTS[name])
    for cfg in {str((cfg.model, cfg.optim_wrapper)): cfg for cfg in phases}.values():
        check_a_step(cfg)


def check_a_step(cfg):
    data = DATASETS.build(cfg.train_dataloader.dataset)
    torch.manual_seed(0)
    if cfg.model.get('generator') and 'steps' in cfg.model.generator:
        cfg.model.generator.steps = 3  # A step is enough to see that it fits.
    model = MODELS.build(cfg.model)
    model.read_constants(data)
    fitted = [part for hook in cfg.custom_hooks if hook['type'] == 'FitPartsHook' for part in hook['parts']]
    assert all(np.isfinite(value) for value in model.fit(data, fitted).values())
    before = {name: value.clone() for name, value in model.named_parameters()}
    novel = [i for i, label in enumerate(data.labels) if not data.base_mask[label]]
    batch = data.__getitems__([novel[0], novel[-1]])
    losses = model.train().train_step(batch, build_optim_wrapper(model, cfg.optim_wrapper))
    assert torch.isfinite(losses['loss'])
    trained = {name.split('.')[0] for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert 'head' in trained and not trained & set(cfg.model.frozen)
    (result,) = model.eval().test_step(batch)
    assert result['scores'].shape == (2, 9) and torch.isfinite(result['scores']).all()

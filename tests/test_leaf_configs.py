"""Every config that a user can run: well named, in the index and in a README, and it trains and predicts."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.optim import build_optim_wrapper

import avzoo
from avzoo.config.load import load_config
from avzoo.engine.curriculum.plan import Phase, phase_config
from avzoo.registry import DATASETS, MODELS
from avzoo.zoo.benchmarks import BENCHMARKS
from tests.conftest import CONFIGS, write_store

MODELS_OF_INDEX = frozenset(avzoo.list_models())
LEAVES = sorted(path for path in CONFIGS.glob('[a-z]*/*.py'))
NAME = re.compile(r'(?P<method>[a-z_]+)(-[a-z]+)?_(?P<dataset>[a-z]+)_(?P<shots>1|5|10|20)shot(_released)?')

every_leaf = pytest.mark.parametrize('leaf', LEAVES, ids=lambda path: path.stem)


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
            made[key] = write_store(tmp_path_factory.mktemp('stores') / 'small', shots=(1, 5, 10, 20), draws=1,
                                    novel_videos=22, **sizes)
        return made[key]

    return store


@pytest.fixture(scope='module')
def stepped():
    """The models that have been trained a step already: shots change the data, not the model."""
    return set()


@every_leaf
def test_the_name_says_method_data_set_and_shots(leaf):
    name = NAME.fullmatch(leaf.stem)
    assert name and name['method'] == leaf.parent.name
    cfg = load_config(leaf)
    assert cfg.num_shots == int(name['shots'])
    assert Path(cfg.data_root).name == (f"{name['dataset']}_fsl" if name['dataset'] in BENCHMARKS else 'custom')
    assert f'configs/{leaf.parent.name}/{leaf.name}' in leaf.read_text(encoding='utf-8').split()


@every_leaf
def test_it_stands_in_the_index_and_in_the_readme(leaf):
    assert leaf.stem in MODELS_OF_INDEX
    assert f'[{leaf.stem}]({leaf.name})' in (leaf.parent / 'README.md').read_text(encoding='utf-8')


@every_leaf
def test_it_builds_and_takes_a_training_step_and_predicts(leaf, stores, stepped, tmp_path):
    cfg = load_config(leaf, [f"data_root={stores(NAME.fullmatch(leaf.stem)['dataset'])}"])
    cfg = phase_config(cfg, Phase(1, 'full'), {}, tmp_path)
    data = DATASETS.build(cfg.train_dataloader.dataset)
    made_of = str((cfg.model, cfg.optim_wrapper))
    if made_of in stepped:
        return
    stepped.add(made_of)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.fit(data)
    before = {name: value.clone() for name, value in model.named_parameters()}
    novel = [i for i, label in enumerate(data.labels) if not data.base_mask[label]]
    batch = data.__getitems__([novel[0], novel[-1]])
    losses = model.train().train_step(batch, build_optim_wrapper(model, cfg.optim_wrapper))
    assert torch.isfinite(losses['loss'])
    trained = {name.split('.')[0] for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert 'head' in trained and not trained & set(cfg.model.frozen)
    result, = model.eval().test_step(batch)
    assert result['scores'].shape == (2, 9) and torch.isfinite(result['scores']).all()

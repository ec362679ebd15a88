"""A data set of the user's own type is told what it lacks, before a run asks for it."""

import pytest
from torch.utils.data import Dataset

from avzoo.datasets.gfsl_dataset import GFSLDataset
from avzoo.engine import CurriculumRunner
from avzoo.registry import DATASETS
from avzoo.utils.errors import ConfigError

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class Bare(Dataset):
    """Has only some of what a run asks of a data set."""

    def __init__(self, data_root, *, splits, **others):
        self.splits = splits

    def __len__(self):
        return 3


class Nothing(Dataset):
    """Has nothing of what a run asks of a data set."""

    def __init__(self, **others):
        pass


class Narrow(Dataset):
    """Takes no splits."""

    def __init__(self, data_root, num_shots):
        pass


class Whole(GFSLDataset):
    """Has all of it."""


class Wrapped(Dataset):
    """Hands on to another data set what it does not have itself."""

    def __init__(self, **arguments):
        self.inner = GFSLDataset(**arguments)

    def __getattr__(self, name):
        if name == 'inner':  # While it is copied.
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __len__(self):
        return len(self.inner)

    def __getitems__(self, positions):
        return self.inner.__getitems__(positions)


def made(**arguments):
    """A function may stand for a type."""
    return GFSLDataset(**arguments)


@pytest.fixture
def config(small_avdiff, tmp_path, monkeypatch):
    """A function that gives some loaders a data set of a type."""

    def make(kind, loaders):
        monkeypatch.setitem(DATASETS._module_dict, kind.__name__, kind)
        cfg = small_avdiff(tmp_path / 'run', 'curriculum.num_draws=1')
        for name in loaders:
            cfg[name].dataset = dict(type=kind.__name__)
        return cfg

    return make


@pytest.mark.parametrize('loaders', [LOADERS, *((name,) for name in LOADERS)])
@pytest.mark.parametrize(
    ('kind', 'words'),
    [
        (Bare, r'Bare has no __getitems__, store, videos, labels, class_ids, base_mask, metainfo, data_info\.'),
        (Nothing, r'Nothing has no __len__, __getitems__, store, splits, videos, .*, data_info\.'),
        (Narrow, r"Narrow must accept \(data_root, num_shots, splits, modalities, seed\): .*'splits'"),
    ],
)
def test_a_data_set_that_lacks_something_is_refused_before_anything_is_written(config, tmp_path, kind, loaders, words):
    with pytest.raises(ConfigError, match=rf'^dataset: {words}.* Derive it from GFSLDataset'):
        CurriculumRunner(config(kind, loaders)).train()
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('kind', [Whole, Wrapped, made])
def test_one_that_has_it_is_taken(config, tmp_path, kind):
    cfg = config(kind, LOADERS)
    cfg.curriculum.base.max_epochs = cfg.curriculum.full.max_epochs = 1
    cfg.curriculum.validate = False
    CurriculumRunner(cfg, stage=1).train()
    assert (tmp_path / 'run/stage1_full/last.pth').is_file()

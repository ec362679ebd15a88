"""A store without class vectors: methods that need none are trained whole, the others say what is missing."""

import json
import shutil

import pytest

from avzoo.engine import CurriculumRunner
from avzoo.utils.errors import DataError


@pytest.fixture
def bare_store(tiny_store, tmp_path):
    """The tiny store without its class vectors."""
    shutil.copytree(tiny_store, tmp_path / 'bare', ignore=shutil.ignore_patterns('text'))
    meta = json.loads((tmp_path / 'bare' / 'store.json').read_text())
    (tmp_path / 'bare' / 'store.json').write_text(json.dumps(dict(meta, class_embeddings={})))
    return tmp_path / 'bare'


def test_av_gauss_without_its_generator_trains_and_tests_without_class_vectors(tiny_config, bare_store, tmp_path):
    cfg = tiny_config(
        tmp_path / 'run',
        f'data_root={bare_store}',
        "model.head.heads=[{'type':'LogisticHead','max_steps':20}]",
        'curriculum.base.max_epochs=0',
        'curriculum.full.max_epochs=0',
        'curriculum.num_draws=1',
        'curriculum.references=[]',
        config='avgauss/avgauss-nogen_custom_5shot.py',
    )
    CurriculumRunner(cfg).train()
    scores = json.loads((tmp_path / 'run' / 'results.json').read_text())
    assert 0 < scores['draws'][0]['B'] <= 100


def test_a_method_that_needs_class_vectors_says_how_to_make_them(small_avdiff, bare_store, tmp_path):
    with pytest.raises(DataError, match=r'has no class vectors.*tools/class_vectors\.py'):
        CurriculumRunner(small_avdiff(tmp_path / 'run', f'data_root={bare_store}')).train()

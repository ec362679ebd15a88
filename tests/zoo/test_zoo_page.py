"""The pages made of the metafiles, and the numbers in them."""

import math

import pytest
import torch
from torch import nn

from avzoo.apis.hub import get_model
from avzoo.registry import FUSIONS
from avzoo.speed.flops import count_flops, count_parameters
from avzoo.utils.errors import ConfigError
from avzoo.zoo.benchmarks import BENCHMARKS, RELEASED_MODELS, find_benchmark
from avzoo.zoo.index import read_collections, read_index
from overview import summary
from zoo_page import BEGIN, END, zoo_files


def test_a_table_goes_where_the_old_one_was_and_stays_stable(make_zoo):
    root = make_zoo(Weights='https://a.b/tiny.safetensors', SHA256='0123456789abcdef' * 4, Size=5_100_000)
    files = zoo_files(root)
    readme = root / 'configs/tiny/README.md'
    assert files[readme].startswith(f'# Tiny\n\n{BEGIN}') and files[readme].endswith('\n\nMore.\n')
    assert '| config | old |' not in files[readme]
    assert '[5.1 MB](https://a.b/tiny.safetensors), `0123456789ab`' in files[readme]
    readme.write_text(files[readme])
    assert zoo_files(root) == files
    assert '(../configs/tiny/tiny_custom_5shot.py)' in files[root / 'docs/model_zoo.md']


@pytest.mark.parametrize('mark', [BEGIN, END])
def test_a_readme_without_both_marks_is_refused(make_zoo, mark):
    readme = make_zoo() / 'configs/tiny/README.md'
    readme.write_text(readme.read_text().replace(mark, ''))
    with pytest.raises(ConfigError, match=str(readme)):
        zoo_files(readme.parents[2])


def test_the_papers_numbers_are_shown_with_their_table(make_zoo):
    root = make_zoo(Results=[dict(Dataset='custom', Paper=dict(Table=4, HM=1.5, FSL=2))])
    assert '| - / - / 1.50 / 2.00, Table 4 |' in zoo_files(root)[root / 'docs/model_zoo.md']


def test_the_readme_lists_methods_shots_and_what_each_part_does(make_zoo):
    root = make_zoo()
    text = zoo_files(root)[root / 'README.md']
    assert '| Methods | [Tiny](configs/tiny/README.md) |' in text and '| Shots | 5 |' in text
    assert '| head | `LinearHead` | Classify c_o by one linear layer' in text


def test_variants_and_tools_are_listed_by_name(repo_dir):
    text = zoo_files(repo_dir)[repo_dir / 'README.md']
    assert '| Variants of AV-DIFF | `-full`, `-cross`,' in text and '| Shots | 1, 5, 10, 20 |' in text
    tools = 'attention', 'benchmark', 'compare', 'confusion', 'curves', 'embedding', 'get_flops', 'learning_curve'
    assert f'| `tools/analysis_tools` | {", ".join(f"`{name}.py`" for name in tools)} |' in text


def test_a_part_of_a_user_is_not_listed(make_zoo):
    @FUSIONS.register_module()
    class Mine(nn.Module):
        """Fuse as I like."""

    try:
        root = make_zoo()
        assert 'Mine' not in zoo_files(root)[root / 'README.md']
    finally:
        FUSIONS.module_dict.pop('Mine')


def test_a_summary_is_the_first_sentence_as_markdown():
    assert (
        summary("""Project by an :class:`MLP`
    of ``dim``.

    Args:
    """)
        == 'Project by an `MLP` of `dim`'
    )


def test_weights_that_others_released_are_named_with_what_is_not_known_of_them(make_zoo):
    root = make_zoo(**{'Converted From': dict(Weights='https://a.b/models.zip')})
    text = zoo_files(root)[root / 'docs/model_zoo.md']
    assert '| to import: [models.zip](https://a.b/models.zip), licence not stated, no checksum published |' in text


def test_the_released_models_are_entries_of_the_index(repo_dir):
    found = {name for name, entry in read_index(repo_dir).items() if entry.released_url == RELEASED_MODELS[0]}
    assert found == {f'avdiff_{b.key}_{k}shot' for b in BENCHMARKS.values() if b.urls for k in (1, 5, 10, 20)}


def test_the_repositorys_pages_are_not_stale(repo_dir):
    pages = zoo_files(repo_dir)
    assert {'docs/model_zoo.md', 'configs/avdiff/README.md'} <= {p.relative_to(repo_dir).as_posix() for p in pages}
    stale = [
        path.relative_to(repo_dir).as_posix()
        for path, text in pages.items()
        if not path.is_file() or path.read_text(encoding='utf-8') != text
    ]
    assert not stale, 'run python tools/misc/make_model_zoo.py'


def one_of_each_method(repo_dir):
    models = []
    for collection in read_collections(repo_dir):
        models += [m for m in collection.models if m.dataset == 'synth' and m.parameters][:1]
    return models


def test_sizes_in_the_metafiles_are_those_of_the_models(repo_dir):
    models = one_of_each_method(repo_dir)
    assert len(models) == len(read_collections(repo_dir)) == 12
    for entry in models:
        info = find_benchmark(entry.dataset).data_info
        model = get_model(entry.config, data_info=info)
        assert (count_parameters(model), count_flops(model, info)) == (entry.parameters, entry.flops), entry.name


class Attention(nn.Module):
    """Stands in for a model: one attention over four visual steps."""

    def __init__(self):
        super().__init__()
        self.encoders = nn.ModuleDict(dict(visual=nn.Identity()))
        self.q = nn.Linear(8, 8, bias=False)

    def data_preprocessor(self, batch):
        return dict(inputs=batch['features']['visual']['x'])

    def forward(self, x, mode):
        x = x.unsqueeze(1)  # (B, 1, T, D)
        return [dict(scores=nn.functional.scaled_dot_product_attention(self.q(x), x, x[..., :6]))]


def test_a_clip_too_long_to_compute_is_refused():
    info = dict(feature_dims=dict(visual=8), seconds_per_step=dict(visual=2.0))
    with pytest.raises(ConfigError, match='500,000,000 steps over all modalities'):
        count_flops(Attention(), info, seconds=1e9)


def test_attention_is_counted():
    info = dict(feature_dims=dict(visual=8), seconds_per_step=dict(visual=2.0))
    assert count_flops(Attention(), info, seconds=8) == 4 * 8 * 8 + 4 * 4 * 8 + 4 * 4 * 6
    assert count_parameters(Attention()) == 64 and math.isfinite(float(torch.zeros(1)))

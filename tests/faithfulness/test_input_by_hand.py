"""Quirks of the released code at the input, on a few numbers: on as released, off the sane way."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from avzoo.models.conditioners import ClassEmbedding
from avzoo.models.data_preprocessors import AVPreprocessor


def prepared(x, **arguments):
    """Return what the preprocessor makes of one video (T, D) with a padded step after it."""
    padded = torch.cat([torch.tensor(x), torch.zeros(1, len(x[0]))]).unsqueeze(0)
    part = dict(x=padded, lengths=torch.tensor([len(x)]), starts=torch.tensor([0]))
    inputs = AVPreprocessor(dict(visual=0.64), **arguments)(dict(features=dict(visual=part)))['inputs']
    return inputs['visual'][0][0, : len(x)]


@pytest.mark.parametrize(
    ('norm', 'want'),
    [
        ('l2_time', [[0.6, 0.6], [0.8, 0.8]]),  # Columns (3, 4) and (6, 8).
        ('l2_feature', [[5**-0.5, 2 * 5**-0.5]] * 2),  # Both rows point along (1, 2).
        (None, [[3.0, 6.0], [4.0, 8.0]]),
    ],
)
def test_l2_norm_over_time_or_over_features(norm, want):
    torch.testing.assert_close(prepared([[3.0, 6.0], [4.0, 8.0]], norm=dict(visual=norm)), torch.tensor(want))


@pytest.mark.parametrize(('scale', 'want'), [({'visual': 255.0}, 0.2), (None, 51.0)])
def test_stored_values_are_divided_by_the_scale(scale, want):
    assert float(prepared([[51.0]], scale=scale)) == pytest.approx(want)


NAMES = [f'class{i}' for i in range(10)]


def looked_up(**arguments):
    """Return whose vector each of the base classes 0, 2, 3 and of the novel classes 1 and 8 is given."""
    ids = np.array([0, 1, 2, 3, 8])
    dataset = SimpleNamespace(
        class_ids=ids,
        base_mask=np.array([True, False, True, True, False]),
        class_embeddings=ids[:, None].astype(np.float32),
        store=SimpleNamespace(root='store', class_names=NAMES),
    )
    conditioner = ClassEmbedding(5, embedding_dim=1, **arguments)
    conditioner.read_constants(dataset)
    return conditioner(torch.arange(5)).flatten().tolist()


def test_each_class_has_its_own_vector_unless_the_set_order_is_repeated():
    assert looked_up(order='sorted') == [0, 1, 2, 3, 8]
    # A set of 1 and 8 has eight places: 8 goes to place 0, before 1.
    assert looked_up(order='released') == [0, 8, 2, 3, 1]


def test_the_list_of_all_classes_numbers_them(tmp_path):
    # Seven classes sort before the store's: 1 and 8 become 8 and 15, at places 0 and 7, in order; 0, 2 and 3 become 7,
    # 9 and 10, at places 7, 1 and 2.
    (tmp_path / 'all.txt').write_text('\n'.join([f'A{i}' for i in range(7)] + NAMES))
    assert looked_up(order='released', class_list=tmp_path / 'all.txt') == [3, 1, 0, 2, 8]
    assert looked_up(order='sorted', class_list=tmp_path / 'all.txt') == [0, 1, 2, 3, 8]

"""What a part is fitted to, and which fits are refused."""

import pytest
import torch
from torch import nn

from avzoo.utils.errors import ConfigError
from tests.models.test_build_errors import MLP, build
from tests.models.test_part_checks import MeanFusion


class Videos:
    """Three videos whose fused features are ones."""

    def __len__(self):
        return 3

    def __getitems__(self, positions):
        return dict(inputs=torch.ones(len(positions), 8), label=torch.tensor(positions))


def test_a_projector_is_fitted_to_what_is_fused_and_a_head_to_what_is_projected(monkeypatch):
    model = build(fusion=dict(type=MeanFusion), projector=MLP).train()
    modes = []
    model.data_preprocessor = nn.Identity()
    monkeypatch.setattr(model, '_fuse', lambda inputs: modes.append(model.training) or (inputs, None))
    ((fused, labels),) = model._part_inputs(Videos(), 'projector')
    ((projected, _),) = model._part_inputs(Videos(), 'head')
    assert torch.equal(fused, torch.ones(3, 8)) and labels.tolist() == [0, 1, 2]
    assert modes == [False, False] and model.training
    torch.testing.assert_close(projected, model.eval().projector(fused))
    assert not torch.equal(projected, fused)


@pytest.mark.parametrize(('readouts', 'words'), [(2, 'gives 2'), (None, 'gives a varying number')])
def test_parts_are_fitted_to_one_readout_of_a_video(readouts, words):
    parts = dict(conditioner=dict(type='ClassEmbedding'), generator=dict(type='TextGaussian'))
    model = build(fusion=dict(type=MeanFusion), **parts)
    model.check_fit(('generator',))
    model.fusion.num_readouts = readouts
    model.check_fit(())
    with pytest.raises(ConfigError, match=rf'fit names generator, .* model\.fusion=MeanFusion {words}\.'):
        model.check_fit(('generator',))

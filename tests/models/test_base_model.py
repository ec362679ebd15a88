"""The base classes of avzoo do what those of mmengine and timm do, without their imports."""

import contextlib
from types import SimpleNamespace

import mmengine.model
import pytest
import torch
from torch import nn

from avzoo.models.classifiers.base_model import BaseModel
from avzoo.models.data_preprocessors import AVPreprocessor
from avzoo.models.layers.feed_forward import FeedForward


class Halving(nn.Module):
    def forward(self, data: dict, training: bool = False) -> dict:
        return dict(x=data['x'] / 2, training=training)


def model_of(base: type) -> nn.Module:
    class Small(base):
        def __init__(self) -> None:
            super().__init__(Halving(), dict(type='Constant', layer='Linear', val=0.5))
            self.fc = nn.Linear(3, 1)

        def forward(self, x, training, mode):
            y = self.fc(x)
            return dict(loss_a=y.square(), loss_b=y.abs(), share=y.max()) if mode == 'loss' else [training, y.sum()]

    return Small()


def steps_of(base: type) -> tuple:
    torch.manual_seed(0)
    model, data = model_of(base), dict(x=torch.arange(6.0).view(2, 3))
    model.init_weights()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def update(loss):
        loss.backward()
        optimizer.step()

    wrapper = SimpleNamespace(optim_context=lambda module: contextlib.nullcontext(), update_params=update)
    shown = model.train_step(data, wrapper)
    return dict(shown), model.val_step(data), model.test_step(data), model.state_dict()


def test_steps_are_those_of_mmengine():
    torch.testing.assert_close(steps_of(BaseModel), steps_of(mmengine.model.BaseModel))


def test_weights_are_initialised_once_and_parts_that_do_so_themselves_are_asked():
    asked = []
    model = model_of(BaseModel)
    model.part = nn.Linear(2, 2)
    model.part.init_weights = lambda: asked.append('part')
    model.init_weights()
    assert asked == ['part'] and (model.fc.weight == 0.5).all()
    nn.init.zeros_(model.fc.weight)
    model.init_weights()
    assert asked == ['part'] and (model.fc.weight == 0).all()


def test_weights_of_a_file_come_after_everything_else(tmp_path):
    model = model_of(BaseModel)
    torch.save(dict(state_dict={'fc.weight': torch.full((1, 3), 7.0)}), tmp_path / 'some.pth')
    model.init_cfg = [dict(type='Pretrained', checkpoint=str(tmp_path / 'some.pth')), model.init_cfg]
    model.init_weights()
    assert (model.fc.weight == 7).all()


@pytest.mark.parametrize('act', [nn.GELU, nn.ReLU])
def test_the_feed_forward_network_is_the_mlp_of_timm(act):
    import timm.layers  # After avzoo: beside a CPU torch.

    torch.manual_seed(0)
    wanted = timm.layers.Mlp(5, 7, 5, act_layer=act, drop=0.3)
    torch.manual_seed(0)
    found = FeedForward(5, 7, act_layer=act, dropout=0.3)
    torch.testing.assert_close(found.state_dict(), wanted.state_dict(), rtol=0, atol=0)
    x = torch.randn(2, 4, 5)
    outputs = []
    for module in (found, wanted):
        torch.manual_seed(1)
        outputs.append(module(x))
    torch.testing.assert_close(*outputs, rtol=0, atol=0)


def test_a_preprocessor_follows_its_model_to_a_device():
    model = nn.Sequential(AVPreprocessor(dict(audio=1.0)), nn.Linear(1, 1))
    assert model[0].device == torch.device('cpu')
    assert model.to('meta')[0].device == torch.device('meta')
    assert model.to_empty(device='cpu')[0].device == torch.device('cpu')
    model.double()
    assert model[0].device == torch.device('cpu')


def test_a_preprocessor_that_derives_from_that_of_mmengine_follows_its_model_too():
    model = model_of(BaseModel)
    model.data_preprocessor = mmengine.model.BaseDataPreprocessor()
    assert model.to('meta').data_preprocessor.device == torch.device('meta')
    assert model.to_empty(device='cpu').data_preprocessor.device == torch.device('cpu')

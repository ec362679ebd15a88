"""The annotations of what a user calls can be read at run time."""

import inspect
from importlib import import_module
from typing import get_type_hints

import pytest
from mmengine.config import Config

import avzoo
from avzoo.apis.hub import NameOrConfig, get_model

PUBLIC = {name: getattr(avzoo, name) for name in avzoo.__all__ if name != '__version__'}


def functions_of(value):
    if inspect.isfunction(value):
        return [value]
    members = [value, *vars(value).values()]
    unwrapped = [member.fget if isinstance(member, property) else member for member in members]
    return [one for one in unwrapped if inspect.isfunction(one) or inspect.isclass(one)]


@pytest.mark.parametrize('name', PUBLIC)
def test_annotations_of_public_names_resolve(name):
    for function in functions_of(PUBLIC[name]):
        hints = get_type_hints(function)
        if inspect.isfunction(function):
            taken = [p for p in inspect.signature(function).parameters if p not in ('self', 'cls')]
            assert {*taken, 'return'} <= hints.keys(), function


@pytest.mark.parametrize('function', ['apis.hub.get_model', 'apis.inferencer.init_model', 'apis.adapt.adapt'])
def test_a_name_or_config_is_one_type_everywhere(function):
    module, name = f'avzoo.{function}'.rsplit('.', 1)
    assert get_type_hints(getattr(import_module(module), name))['name_or_config'] == NameOrConfig


def test_a_name_or_config_may_be_a_text_a_path_or_a_config():
    assert {str, Config} < set(NameOrConfig.__args__)
    assert get_type_hints(get_model)['return'].__name__ == 'AVClassifier'

"""Every part offers what the contract of its kind says, under the same names of arguments."""

import inspect

import pytest

from avzoo.models import contracts
from tests.models.part_cases import CASES
from tests.models.part_runs import build

CONTRACTS = {
    'encoder': contracts.Encoder,
    'embedding': contracts.Embedding,
    'fusion': contracts.Fusion,
    'projector': contracts.Projector,
    'head': contracts.Head,
    'conditioner': contracts.Conditioner,
    'generator': contracts.Generator,
}
PARTS = [(kind, name) for kind in CONTRACTS for name in CASES[kind]]


def contract_of(kind: str, part) -> type:
    special = (contracts.SelfTrainedGenerator, contracts.FittedGenerator) if kind == 'generator' else ()
    return next((contract for contract in special if isinstance(part, contract)), CONTRACTS[kind])


@pytest.mark.parametrize(('kind', 'name'), PARTS)
def test_a_part_has_the_attributes_of_its_contract(kind, name):
    part = build(kind, name)
    for attribute in inspect.get_annotations(contract_of(kind, part)):
        value = getattr(part, attribute)
        assert isinstance(value, int) or (attribute == 'num_readouts' and value is None)


@pytest.mark.parametrize(('kind', 'name'), PARTS)
def test_a_part_takes_the_arguments_of_its_contract_and_needs_no_others(kind, name):
    part = build(kind, name)
    contract = contract_of(kind, part)
    methods = [m for m in vars(contract) if m == '__call__' or (m[0] != '_' and callable(getattr(contract, m)))]
    assert methods
    for method in methods:
        wanted = list(inspect.signature(getattr(contract, method)).parameters.values())[1:]
        offered = inspect.signature(part.forward if method == '__call__' else getattr(part, method)).parameters
        assert [p.name for p in wanted] == list(offered)[: len(wanted)]
        optional = {p.name for p in offered.values() if p.default is not inspect.Parameter.empty}
        assert {p.name for p in wanted if p.default is not inspect.Parameter.empty} <= optional
        assert set(offered) - {p.name for p in wanted} <= optional


def test_only_the_adversarial_generator_trains_itself():
    own = {name for name in CASES['generator'] if isinstance(build('generator', name), contracts.SelfTrainedGenerator)}
    assert own == {'WGANGP'}


def test_a_model_asks_for_labels_when_it_computes_losses():
    with pytest.raises(ValueError, match='labels'):
        build('model', 'AVClassifier')({}, mode='loss')

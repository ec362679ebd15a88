"""No input runs code, hangs, fills the memory or ends in a traceback: it is read rightly, or refused in one line."""

import pytest

from tests.hostile.inputs import INPUTS
from tests.hostile.sandbox import run_alone


@pytest.mark.parametrize('one', INPUTS, ids=lambda one: f'{one.reader}: {one.name}')
def test_a_hostile_input_does_no_harm(one, material, tmp_path):
    call = one.make(tmp_path, material)
    outcome = run_alone(call.main, [str(argument) for argument in call.argv], tmp_path)
    assert not outcome.faults, outcome.text[-3000:]
    assert outcome.kind in one.expected, outcome.text[-3000:]


def test_the_names_of_the_inputs_differ():
    names = [(one.reader, one.name) for one in INPUTS]
    assert len(set(names)) == len(names) >= 300

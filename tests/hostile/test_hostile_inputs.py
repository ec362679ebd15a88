"""No input runs code, hangs, fills the memory or ends in a traceback: it is read rightly, or refused in one line."""

import pytest

from tests.hostile.inputs import INPUTS
from tests.hostile.run import run_inputs

_READERS = list(dict.fromkeys(one.reader for one in INPUTS))


@pytest.mark.parametrize('reader', _READERS)
def test_no_hostile_input_does_harm(reader, material, tmp_path):
    inputs = [one for one in INPUTS if one.reader == reader]
    problems = [f'{one.name}: {problem}' for one, _, problem in run_inputs(inputs, material, tmp_path) if problem]
    assert not problems, '\n'.join([f'{len(problems)} of {len(inputs)} inputs', *problems])


def test_the_names_of_the_inputs_differ():
    names = [(one.reader, one.name) for one in INPUTS]
    assert len(set(names)) == len(names) >= 300

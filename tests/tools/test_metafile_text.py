"""Values of a metafile are changed in place."""

import pytest
import yaml

from avzoo.utils.errors import ConfigError
from metafile_text import set_values

TEXT = """# A comment.
Collections:
  - Name: One
Models:
  - Name: one_ucf_1shot
    In Collection: One
    Metadata:
      Shots: 1
      Features: VGGish + C3D
    Results:
      - Task: GFSL
        Dataset: UCF-FSL
        Paper: {Table: 2, HM: 1.00}  # kept
  - Name: one_ucf_5shot
    Metadata:
      Shots: 5
"""


def test_values_are_set_changed_and_removed_where_they_belong():
    text = set_values(TEXT, 'one_ucf_1shot', dict(Parameters=5, Shots=2), under=['Metadata'])
    text = set_values(text, 'one_ucf_1shot', dict(Metrics=dict(HM=1.5, Seeds=[1, 2])), under=['Results'])
    text = set_values(text, 'one_ucf_1shot', dict(Weights='https://a.b/c?d=1', Mirrors=None))
    entry = yaml.safe_load(text)['Models'][0]
    assert entry['Metadata'] == dict(Shots=2, Features='VGGish + C3D', Parameters=5)
    assert entry['Results'][0]['Metrics'] == dict(HM=1.5, Seeds=[1, 2])
    assert entry['Weights'] == 'https://a.b/c?d=1' and text.startswith('# A comment.') and '# kept' in text
    again = set_values(text, 'one_ucf_1shot', dict(Weights=None))
    assert 'Weights' not in yaml.safe_load(again)['Models'][0]
    assert yaml.safe_load(text)['Models'][1] == yaml.safe_load(TEXT)['Models'][1]


def test_the_last_entry_of_a_file_can_be_changed():
    text = set_values(TEXT, 'one_ucf_5shot', dict(FLOPs=7), under=['Metadata'])
    assert yaml.safe_load(text)['Models'][1]['Metadata'] == dict(Shots=5, FLOPs=7) and text.endswith('\n')


def test_an_unknown_model_is_refused():
    with pytest.raises(ConfigError, match='no entry'):
        set_values(TEXT, 'two', dict(x=1))

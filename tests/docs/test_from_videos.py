"""The page about videos says what the code does."""

import re

from avzoo.evaluation.linear_fits import METHODS
from avzoo.extraction.extractors import C3D, LogMelStatistics, VGGish
from avzoo.registry import EXTRACTORS
from tests.conftest import REPO

PAGE = (REPO / 'docs/from_videos.md').read_text(encoding='utf-8')


def test_the_table_has_every_extractor_with_its_width():
    rows = dict(re.findall(r'^\| `([a-z0-9_]+)(?::[A-Z]+)?` \| (.*)$', PAGE, re.MULTILINE))
    assert sorted(rows) == EXTRACTORS.names()
    for kind, name in ((C3D, 'c3d'), (VGGish, 'vggish'), (LogMelStatistics, 'log_mel_statistics')):
        assert rows[name].split(' | ')[:2] == [kind.modality, str(kind.dim)]


def test_every_method_is_named():
    assert all(f'`{name}`' in PAGE for name in METHODS)

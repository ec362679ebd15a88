"""The page on data preparation has a command for each kind of data."""

import re

from tests.conftest import REPO

PAGE = (REPO / 'docs/data_preparation.md').read_text(encoding='utf-8')
HAVE = PAGE[PAGE.index('### I have') : PAGE.index('## The feature store')]


def test_each_kind_of_data_has_its_command():
    kinds = re.findall(r'^\.\.\. (.*)\n\n```bash\n((?:.*\n)*?)```', HAVE, re.MULTILINE)
    wanted = ['.npz', 'folder of `.npy`', '.h5', 'videos', "authors' zip", 'ClipClap-GZSL']
    assert [word for (kind, _), word in zip(kinds, wanted, strict=True) if word in kind] == wanted
    assert all('python tools/dataset_converters/' in block for _, block in kinds)

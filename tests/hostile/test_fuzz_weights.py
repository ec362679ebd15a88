"""Random changes of checkpoints, of zoo weights and of the JSON beside them are refused, or change nothing."""

import io
import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avzoo.checkpoints.meta import class_columns
from avzoo.checkpoints.training import load_checkpoint
from avzoo.checkpoints.zoo_weights import read_zoo_weights
from tests.checkpoints.hostile_files import seal_zip
from tests.hostile.mutations import (
    PLAIN,
    as_json,
    bounded,
    changed_bytes,
    changed_member,
    changed_tree,
    refused_in_one_line,
    rewrite,
)

pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.fixture(scope='module')
def files(material, tmp_path_factory):
    folder = tmp_path_factory.mktemp('fuzz')
    return folder, material.checkpoint.read_bytes(), material


def _unsealed(data: bytes) -> bytes:
    """Return a checkpoint without the comment that holds its checksum."""
    buffer = io.BytesIO()
    torch.save(torch.load(io.BytesIO(data), weights_only=True), buffer)
    return buffer.getvalue()


def _same(found, expected) -> bool:
    weights, good = found['state_dict'], expected['state_dict']
    same = weights.keys() == good.keys() and all(torch.equal(weights[key], good[key]) for key in good)
    return same and found['meta'] == expected['meta']


def test_changed_bytes_of_a_checkpoint_never_change_its_content_in_silence(files):
    folder, good, _ = files
    expected = load_checkpoint(rewrite(folder / 'good.pth', good))

    @bounded(60)
    @given(st.data())
    def search(data):
        path = rewrite(folder / 'x.pth', data.draw(changed_bytes(good)))
        found = refused_in_one_line(lambda: load_checkpoint(path))
        assert found is None or _same(found, expected)

    search()


def test_a_checkpoint_with_the_right_checksum_of_changed_content_is_read_or_refused(files):
    folder, good, _ = files
    plain = _unsealed(good)

    @bounded(60)
    @given(st.data())
    def search(data):
        content = data.draw(st.one_of(changed_bytes(plain), changed_member(plain)))
        path = rewrite(folder / 'x.pth', seal_zip(content) if len(content) > 2 else content)
        refused_in_one_line(lambda: load_checkpoint(path))

    search()


def test_a_checkpoint_of_any_plain_content_is_read_or_refused(files):
    folder, good, _ = files
    tree = torch.load(io.BytesIO(good), weights_only=True)
    tree['meta'].pop('config')

    @bounded(80)
    @given(st.data())
    def search(data):
        content = data.draw(
            st.one_of(changed_tree(tree), changed_tree(tree['meta']).map(lambda meta: dict(tree, meta=meta)))
        )
        buffer = io.BytesIO()
        torch.save(content, buffer)
        path = rewrite(folder / 'x.pth', seal_zip(buffer.getvalue()))
        found = refused_in_one_line(lambda: load_checkpoint(path))
        if found is not None:
            refused_in_one_line(lambda: class_columns(found['meta'], path))

    search()


def test_changed_bytes_of_zoo_weights_never_change_them_in_silence(files):
    folder, _, material = files
    good = material.weights.read_bytes()
    expected = read_zoo_weights(material.weights)

    @bounded(100)
    @given(st.data())
    def search(data):
        path = rewrite(folder / 'x.safetensors', data.draw(changed_bytes(good)))
        found = refused_in_one_line(lambda: read_zoo_weights(path))
        assert found is None or _same(found, expected)

    search()


def test_zoo_weights_with_any_header_are_read_or_refused(files):
    folder, _, material = files
    good = material.weights.read_bytes()
    end = 8 + int.from_bytes(good[:8], 'little')
    header = json.loads(good[8:end])
    facts = json.loads(header['__metadata__']['avzoo'])

    def with_facts(changed):
        return header | {'__metadata__': {'format': 'pt', 'avzoo': as_json(changed)}}

    @bounded(100)
    @given(st.data())
    def search(data):
        changed = data.draw(st.one_of(changed_tree(header), changed_tree(facts).map(with_facts), PLAIN))
        text = as_json(changed).encode()
        path = rewrite(folder / 'x.safetensors', len(text).to_bytes(8, 'little') + text + good[end:])
        refused_in_one_line(lambda: read_zoo_weights(path))

    search()


def test_a_changed_json_beside_zoo_weights_is_refused_or_says_the_same(files):
    folder, _, material = files
    path = material.copy_weights(folder)
    good = path.with_suffix('.json').read_bytes()
    facts = json.loads(good)
    expected = read_zoo_weights(path)['meta']

    @bounded(100)
    @given(st.data())
    def search(data):
        text = data.draw(st.one_of(changed_bytes(good), changed_tree(facts).map(as_json)))
        rewrite(path.with_suffix('.json'), text)
        found = refused_in_one_line(lambda: read_zoo_weights(path))
        assert found is None or found['meta'] == expected

    search()

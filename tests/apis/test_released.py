"""What the authors publish, from a server of our own: fetched, unpacked, converted, found by name."""

import dataclasses
import zipfile

import pytest
import torch
import yaml

from avzoo.apis import released
from avzoo.apis.benchmarks import BENCHMARKS
from avzoo.apis.checkpoints import load_any_checkpoint, resolve_checkpoint
from avzoo.apis.downloads import DownloadError
from avzoo.datasets.feature_store import FeatureStore
from avzoo.utils.errors import AvzooError, CheckpointError

NAME = 'avdiff_ucf_5shot'


@pytest.fixture
def golden_dir(shared_dir):
    folder = shared_dir / 'golden' / 'avdiff_ucf'
    if not folder.is_dir():
        pytest.skip('no golden values beside the checkout')
    return folder


@pytest.fixture
def store(server, golden_dir, tmp_path):
    """The feature store made of a released zip."""
    server.files['/UCF.zip'] = (golden_dir / 'dataset_small_ucf.zip').read_bytes()
    benchmark = dataclasses.replace(BENCHMARKS['ucf'], urls=(f'{server.url}/UCF.zip',))
    return released.fetch_released_features(benchmark, tmp_path / 'ucf_fsl')


@pytest.fixture
def models(server, golden_dir, tmp_path, monkeypatch):
    """The released models, of which one is that of UCF-FSL, 5 shots, stage 2: the golden one with six classes more."""
    content = torch.load(golden_dir / 'AVDiff_score.pt', weights_only=True)
    for key, value in content['model'].items():
        if key.startswith('classifier'):
            content['model'][key] = torch.cat([value, value[:6]])
    torch.save(dict(content, optimizer={}), tmp_path / 'stage2.pt')
    args = yaml.safe_load((golden_dir / 'args.yaml').read_text()) | dict(retrain_all=True)
    with zipfile.ZipFile(tmp_path / 'models.zip', 'w') as archive:
        archive.writestr('models/ucf/args.yaml', yaml.safe_dump(args))
        archive.write(tmp_path / 'stage2.pt', 'models/ucf/checkpoints/AVDiff_score_ckpt_3.pt')
    server.files['/models.zip'] = (tmp_path / 'models.zip').read_bytes()
    monkeypatch.setattr(released, 'RELEASED_MODELS', (f'{server.url}/models.zip',))


def test_released_features_become_a_store(store, home, server):
    assert FeatureStore(store, verify=True).name == 'ucf_fsl'
    assert (home / 'recorded_checksums.json').is_file()
    server.files.clear()  # A second time everything is in the cache.
    benchmark = dataclasses.replace(BENCHMARKS['ucf'], urls=(f'{server.url}/UCF.zip',))
    released.fetch_released_features(benchmark, store.with_name('again'))


def test_a_released_checkpoint_is_found_by_name_afterwards(store, models, home):
    with pytest.raises(CheckpointError, match='must be converted first'):
        resolve_checkpoint(NAME)
    path, notes = released.fetch_released_weights(NAME, store, gamma=0.3)
    assert resolve_checkpoint(NAME) == path and path.is_relative_to(home)
    content = load_any_checkpoint(NAME)
    assert content['meta']['classes'] and float(content['state_dict']['gamma']) == pytest.approx(0.3)
    assert torch.is_tensor(content['state_dict']['head.fc.weight']) and notes == []
    assert [p.name for p in path.parent.iterdir() if p.suffix == '.pth'] == []


def test_what_the_authors_do_not_publish_is_said(store):
    with pytest.raises(CheckpointError, match="Neither avzoo nor the authors publish weights of 'mbt_ucf_5shot'"):
        released.fetch_released_weights('mbt_ucf_5shot', store)
    with pytest.raises(AvzooError, match='hold no class names: give the feature store'):
        released.fetch_released_weights(NAME, None)
    with pytest.raises(DownloadError, match='Nobody publishes features of synth'):
        released.fetch_released_features(BENCHMARKS['synth'], 'x')

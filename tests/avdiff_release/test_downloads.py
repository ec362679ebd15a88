"""Released features and models from a local server: downloaded, unpacked, imported, found by name."""

import dataclasses
import zipfile

import pytest
import torch
import yaml

from avzoo.avdiff_release import downloads as released
from avzoo.datasets.feature_store import FeatureStore
from avzoo.utils.errors import AvzooError, CheckpointError
from avzoo.zoo.benchmarks import BENCHMARKS
from avzoo.zoo.fetch import DownloadError
from avzoo.zoo.index import find_model
from avzoo.zoo.weights import has_weights, load_any_checkpoint, resolve_checkpoint

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
    # The golden store is a small one: narrower visual features, fewer classes.
    small = dataclasses.replace(BENCHMARKS['ucf'], feature_dims=dict(audio=128, visual=64), num_classes=38)
    monkeypatch.setattr('avzoo.zoo.publish.find_benchmark', lambda name: small)
    monkeypatch.setattr(
        released,
        'find_model',
        lambda name: dataclasses.replace(find_model(name), released_url=f'{server.url}/models.zip'),
    )


def test_released_features_become_a_store(store, home, server):
    assert FeatureStore(store, verify=True).name == 'ucf_fsl'
    assert (home / 'recorded_checksums.json').is_file()
    server.files.clear()  # A second time everything is in the cache.
    benchmark = dataclasses.replace(BENCHMARKS['ucf'], urls=(f'{server.url}/UCF.zip',))
    released.fetch_released_features(benchmark, store.with_name('again'))
    assert not list(home.glob('unpacked*'))


def test_a_released_checkpoint_is_found_by_name_afterwards(store, models, home):
    with pytest.raises(CheckpointError, match='must be imported first'):
        resolve_checkpoint(NAME)
    assert not has_weights(find_model(NAME))
    path, notes = released.fetch_released_weights(NAME, store, gamma=0.3)
    assert resolve_checkpoint(NAME) == path and path.is_relative_to(home)
    assert has_weights(find_model(NAME))
    content = load_any_checkpoint(NAME)
    assert content['meta']['classes'] and float(content['state_dict']['gamma']) == pytest.approx(0.3)
    assert torch.is_tensor(content['state_dict']['head.fc.weight']) and notes == []
    assert [p.name for p in path.parent.iterdir() if p.suffix == '.pth'] == []


@pytest.mark.parametrize(
    ('name', 'cure'),
    [
        ('mbt_ucf_5shot', r'no zoo weights either; train it: python tools/train\.py .*mbt_ucf_5shot\.py'),
        ('avdiff_synth_5shot', r'zoo weights need no import: python tools/download\.py avdiff_synth_5shot'),
    ],
)
def test_a_model_whose_weights_are_not_released_is_refused_with_the_weights_that_there_are(name, cure):
    with pytest.raises(CheckpointError, match=f"released no weights of '{name}' .*{cure}"):
        released.fetch_released_weights(name, None)


def test_what_is_not_released_is_refused_by_name():
    with pytest.raises(AvzooError, match='hold no class names: give the feature store'):
        released.fetch_released_weights(NAME, None)
    with pytest.raises(DownloadError, match='No features of synth are released'):
        released.fetch_released_features(BENCHMARKS['synth'], 'x')


@pytest.fixture
def converted(monkeypatch):
    """Names of the folders that the importer got, which reads nothing here."""
    roots = []

    def read(root, out, **options):
        roots.append((root.name, (root / 'class-split' / 'all_class.txt').read_text()))

    monkeypatch.setattr('avzoo.avdiff_release.downloads.import_released_features', read)
    return roots


def pack(path, *members):
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in members:
            archive.writestr(name, content)
    return dataclasses.replace(BENCHMARKS['ucf'], urls=(str(path),))


def test_a_zip_packed_on_a_mac_is_read_without_its_shadows(tmp_path, converted):
    benchmark = pack(
        tmp_path / 'UCF.zip', ('UCF/class-split/all_class.txt', 'a'), ('__MACOSX/UCF/class-split/._all_class.txt', 'b')
    )
    released.fetch_released_features(benchmark, tmp_path / 'store')
    assert converted == [('UCF', 'a')]


def test_a_new_archive_is_unpacked_anew_and_nothing_stays_beside_it(tmp_path, converted, home):
    for content in 'ab':
        benchmark = pack(tmp_path / 'UCF.zip', ('UCF/class-split/all_class.txt', content))
        released.fetch_released_features(benchmark, tmp_path / 'store')
    assert converted == [('UCF', 'a'), ('UCF', 'b')] and list(home.iterdir()) == []


def test_a_taken_place_is_told_before_anything_is_fetched(server, tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'thesis.tex').touch()
    benchmark = dataclasses.replace(BENCHMARKS['ucf'], urls=(f'{server.url}/UCF.zip',))
    with pytest.raises(AvzooError, match=r'mine .*feature store'):
        released.fetch_released_features(benchmark, tmp_path / 'mine')
    assert server.requests == []


def test_a_page_in_place_of_the_archive_is_refused_and_not_recorded(server, tmp_path, home):
    server.files['/UCF.zip'] = b'<html>Gone</html>'
    benchmark = dataclasses.replace(BENCHMARKS['ucf'], urls=(f'{server.url}/UCF.zip',))
    with pytest.raises(DownloadError, match='it is another kind of file'):
        released.fetch_released_features(benchmark, tmp_path / 'store')
    assert not (home / 'recorded_checksums.json').exists()

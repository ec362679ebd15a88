"""Models by name: listing, building, and mmengine's hub."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

import avzoo
from avzoo.apis import mmengine_hub
from avzoo.apis.hub import get_model, list_models
from avzoo.apis.model_index import find_model, read_index
from avzoo.utils.errors import ConfigError, DataError
from avzoo.utils.files import sha256_of

NAME = 'tiny_custom_5shot'


def test_listing_brings_in_no_torch(repo_dir):
    code = 'import sys, avzoo; avzoo.list_models(); print("torch" in sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=repo_dir, timeout=120)
    assert done.stdout.strip() == 'False', done.stderr


@pytest.mark.parametrize(('conditions', 'found'), [
    ({}, True), ({'pattern': 'tiny*'}, True), ({'pattern': 'CUSTOM'}, True), ({'pattern': 'avdiff*'}, False),
    ({'dataset': 'Custom'}, True), ({'dataset': 'ucf'}, False), ({'method': 'tiny'}, True), ({'shots': 5}, True),
    ({'shots': 1}, False), ({'pretrained': True}, False), ({'pretrained': False}, True)])
def test_every_condition_narrows_the_list(make_zoo, conditions, found):
    make_zoo()
    assert list_models(**conditions) == ([NAME] if found else [])


def test_an_incomplete_entry_is_named(make_zoo):
    root = make_zoo()
    path = root / 'configs/tiny/metafile.yml'
    path.write_text(path.read_text().replace('Shots: 5', 'Shoots: 5'))
    with pytest.raises(ConfigError, match=f"the entry '{NAME}' is incomplete"):
        read_index(root)


def test_an_unknown_name_brings_the_nearest(make_zoo):
    make_zoo()
    with pytest.raises(ConfigError, match=f"Did you mean '{NAME}'"):
        find_model('tiny_custom_4shot')
    with pytest.raises(ConfigError, match='no model'):
        avzoo.get_model('nothing_like_it')


def test_without_weights_widths_come_from_info_store_or_benchmark(make_zoo, tiny_info, tiny_store, repo_dir):
    make_zoo()
    assert get_model(NAME, data_info=tiny_info).head.fc.out_features == 11
    cfg_path = find_model(NAME).config
    cfg_path.write_text(cfg_path.read_text() + 'num_shots = 2\n')
    assert get_model(NAME, data_root=tiny_store).head.fc.out_features == 11
    with pytest.raises(ConfigError, match='give data_root, data_info, or a checkpoint'):
        get_model(NAME)
    model = get_model(repo_dir / 'configs/avdiff/avdiff_ucf_5shot.py')
    assert model.head.fc.out_features == 48 and model.encoders['visual'].net[0].in_features == 4096


@pytest.fixture
def pretrained_zoo(make_zoo, published):
    root = make_zoo(Weights='weights/w.safetensors', SHA256=sha256_of(published[0]))
    (root / 'weights').mkdir()
    shutil.copy(published[0], root / 'weights' / 'w.safetensors')
    return root


def test_mmengine_hub_gives_the_pretrained_model(pretrained_zoo, published, monkeypatch):
    monkeypatch.setattr(mmengine_hub, 'zoo_root', lambda: pretrained_zoo)
    from mmengine.hub import get_model as hub_model
    model = hub_model(f'avzoo::tiny/{NAME}.py', pretrained=True)
    wanted = published[1].state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in model.state_dict().items())


def test_mmengine_hub_works_after_a_plain_import(repo_dir, home):
    code = ('import avzoo\nfrom mmengine.hub import get_config, get_model\nfrom mmengine.config import Config\n'
            "cfg = Config.fromfile('child.py')\nprint(cfg.model.fusion.type)\n"
            "print(type(get_model('avzoo::avdiff/avdiff_ucf_5shot.py')).__name__)\n")
    folder = home.parent
    (folder / 'child.py').write_text("_base_ = ['avzoo::_base_/models/avdiff.py']\n")
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=folder, timeout=200,
                          env={**os.environ, 'PYTHONPATH': str(repo_dir)})
    if 'avdiff_ucf_5shot' not in read_index(repo_dir):
        pytest.skip('the index is still empty')
    assert done.stdout.split() == ['MaskedTransformer', 'AVClassifier'], done.stderr


def clip(rng, audio=3, visual=4):
    return dict(audio=rng.normal(size=(audio, 6)), visual=rng.normal(size=(visual, 9)))


@pytest.fixture
def classify(pretrained_zoo):
    return avzoo.init_model(NAME, device='cpu')


def test_inference_ranks_by_calibrated_probability(classify):
    found = avzoo.inference_model(classify, clip(np.random.default_rng(0)), top=11)[0]['predictions']
    assert sum(entry['probability'] for entry in found) == pytest.approx(1, abs=1e-5)
    assert [entry['score'] for entry in found] == sorted((entry['score'] for entry in found), reverse=True)
    for entry in found:
        offset = 0 if entry['novel'] else 0.25
        assert entry['score'] == pytest.approx(entry['probability'] - offset, abs=1e-6)
    assert {entry['class'] for entry in found if entry['novel']} == {'class09', 'class10'}


def test_one_clip_and_a_padded_batch_of_many_agree(classify, tmp_path):
    rng = np.random.default_rng(0)
    clips = [clip(rng), clip(rng, 7, 1), clip(rng, 1, 9)]
    together = classify(clips)
    for one, many in zip(clips, together, strict=True):
        alone = classify(one)[0]['predictions']
        for a, b in zip(alone, many['predictions'], strict=True):
            assert a['class'] == b['class'] and a['probability'] == pytest.approx(b['probability'], abs=1e-5)


def test_npz_folders_and_stores_are_read(classify, tmp_path, tiny_store):
    clips = [clip(np.random.default_rng(i)) for i in range(2)]
    wanted = [entry['predictions'][0]['probability'] for entry in classify(clips)]
    folder = tmp_path / 'clips'
    (folder / 'sub').mkdir(parents=True)
    np.savez(folder / 'a.npz', **clips[0])
    np.savez(folder / 'sub' / 'b.npz', **clips[1])
    found = classify(folder, batch_size=1)
    assert [entry['video_id'] for entry in found] == ['a', 'sub/b']
    assert [entry['predictions'][0]['probability'] for entry in found] == pytest.approx(wanted, abs=1e-5)
    np.savez(tmp_path / 'many.npz', video_id=['x', 'y'], **{m: np.stack([c[m] for c in clips]) for m in clips[0]})
    found = classify(tmp_path / 'many.npz', video_ids=['y'])
    assert found[0]['video_id'] == 'y'
    assert found[0]['predictions'][0]['probability'] == pytest.approx(wanted[1], abs=1e-5)
    name = 'class03_stage_1_train_2'
    assert classify(tiny_store, video_ids=[name])[0]['video_id'] == name


@pytest.mark.parametrize(('broken', 'message'), [
    (lambda c: c.pop('audio'), 'has no audio features'),
    (lambda c: c.update(visual=np.zeros((3, 8))), r'trained on \(steps, 9\)'),
    (lambda c: c.update(visual=np.full((3, 9), np.nan)), 'NaN or infinity'),
    (lambda c: c.update(audio=np.zeros((0, 6))), 'at least one step')])
def test_clips_that_do_not_fit_are_refused(classify, broken, message):
    one = clip(np.random.default_rng(0))
    broken(one)
    with pytest.raises(DataError, match=message):
        classify(one)


def test_unknown_videos_and_missing_files_are_named(classify, tiny_store, tmp_path):
    with pytest.raises(DataError, match="Did you mean 'class03_stage_1_train_2'"):
        classify(tiny_store, video_ids=['class03_stage_1_train2'])
    with pytest.raises(DataError, match='There are no features at'):
        classify(tmp_path / 'nothing.npz')

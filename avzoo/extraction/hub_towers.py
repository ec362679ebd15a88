"""How features are computed with the supported models of the Hugging Face Hub."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch

Form = Literal['frame', 'clip', 'sound']


@dataclass(frozen=True)
class Tower:
    """How features are computed with a kind of model.

    Attributes:
        form: What one step consists of.
        forward: Turns a model and prepared inputs (B, ...) into features (B, D).
        unused: Parts of the model that are not needed.
    """

    form: Form
    forward: Callable[[Any, torch.Tensor], Any]
    unused: tuple[str, ...] = ()


def _pooled(model: Any, x: torch.Tensor) -> Any:
    found = model(x)
    return next(found[key] for key in ('image_embeds', 'audio_embeds', 'pooler_output') if key in found)


def _mean_of_tokens(model: Any, x: torch.Tensor) -> Any:
    return model(x).last_hidden_state.mean(dim=1)


def _image_features(model: Any, x: torch.Tensor) -> Any:
    return model.get_image_features(x)


def _audio_features(model: Any, x: torch.Tensor) -> Any:
    return model.get_audio_features(x, is_longer=torch.zeros(len(x), 1, dtype=torch.bool, device=x.device))


def _clap_tower(model: Any, x: torch.Tensor) -> Any:
    found = model(x, is_longer=torch.zeros(len(x), 1, dtype=torch.bool, device=x.device))
    return next(found[key] for key in ('audio_embeds', 'pooler_output') if key in found)


# Not with get_video_features and the like: models in transformers 5.24 do not have them.
def _pe_audio(model: Any, x: torch.Tensor) -> Any:
    return model.audio_head(model.audio_encoder(x).pooler_output)


def _pe_video(model: Any, x: torch.Tensor) -> Any:
    return model.video_head(model.video_encoder(x).pooler_output)


# By (model_type of config.json, modality).
TOWERS = {
    ('clip', 'visual'): Tower('frame', _image_features, ('text_model', 'text_projection')),
    ('clip_vision_model', 'visual'): Tower('frame', _pooled),
    ('siglip', 'visual'): Tower('frame', _image_features, ('text_model',)),
    ('siglip_vision_model', 'visual'): Tower('frame', _pooled),
    ('videomae', 'visual'): Tower('clip', _mean_of_tokens),
    ('clap', 'audio'): Tower('sound', _audio_features, ('text_model', 'text_projection')),
    ('clap_audio_model', 'audio'): Tower('sound', _clap_tower),
    ('pe_audio', 'audio'): Tower('sound', _pe_audio, ('text_model', 'text_audio_head')),
    ('pe_video', 'visual'): Tower('clip', _pe_video, ('text_model', 'text_video_head')),
    ('pe_audio_video', 'audio'): Tower(
        'sound', lambda model, x: _pe_audio(model.audio_model, x), ('text_model', 'video_model', 'audio_video_encoder')
    ),
    ('pe_audio_video', 'visual'): Tower(
        'clip', lambda model, x: _pe_video(model.video_model, x), ('text_model', 'audio_model', 'audio_video_encoder')
    ),
}


class TowerNetwork(torch.nn.Module):
    """A model as a function of one tensor."""

    def __init__(self, model: Any, tower: Tower) -> None:
        super().__init__()
        self.model, self._forward = model, tower.forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self._forward(self.model, x)
        return getattr(found, 'pooler_output', found)  # A tensor before transformers 5.

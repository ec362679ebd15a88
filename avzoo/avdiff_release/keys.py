"""Names and shapes of tensors: released AV-DIFF checkpoints against avzoo's model."""

import re
from collections.abc import Iterable

from torch import Tensor

from avzoo.avdiff_release.tensors import check_names, check_tensors, shown
from avzoo.utils.errors import CheckpointError

# Never used by the released code, yet in its checkpoints. Kept beside the weights, so that an export is exact.
UNUSED = 'discriminator_seen_novel.'
# Only in avzoo's checkpoints.
_OWN = ('conditioner.vectors', 'gamma')

_BATCH_NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
_PLACE = 'position_encoder_block.'
_LAYER = (
    'attn.to_q.weight',
    'attn.to_k.weight',
    'attn.to_v.weight',
    'attn.to_out.0.weight',
    'attn.to_out.0.bias',
    'ff.net.0.weight',
    'ff.net.0.bias',
    'ff.net.3.weight',
    'ff.net.3.bias',
    'norm.weight',
    'norm.bias',
)
_LAYER_NAMES = (('attn.to_out.0', 'attn.to_out'), ('ff.net.0', 'mlp.fc1'), ('ff.net.3', 'mlp.fc2'))
# Shapes that differ: a vector kept as a table of one row, linear layers written as convolutions of width 1.
_LEADING_ONE = (f'{_PLACE}pad_embedding.weight',)
_TRAILING_ONE = (f'{_PLACE}out_proj_audio.weight', f'{_PLACE}out_proj_video.weight')


def key_pairs(depth: int, generator_dropout: bool) -> dict[str, str]:
    """Return {released key: avzoo key} in the released order.

    Args:
        depth: Number of transformer layers.
        generator_dropout: Whether the noise predictor has dropout. The released code leaves the module out where its
            probability is 0, which moves the number of the last layer from 4 to 3.
    """
    pairs = {'cls_token': 'fusion.summary'}
    pairs.update(_mlp('A_enc', 'encoders.audio') | _mlp('V_enc', 'encoders.visual'))
    pairs.update(
        {
            f'{_PLACE}fourier_randn': 'embedding.frequencies',
            f'{_PLACE}modal_embedding.weight': 'embedding.modality',
            f'{_PLACE}fourier_embeddings.weight': 'embedding.time_proj.weight',
            f'{_PLACE}fourier_embeddings.bias': 'embedding.time_proj.bias',
            f'{_PLACE}pad_embedding.weight': 'embedding.padding',
        }
    )
    for theirs, ours in (('audio', 'audio'), ('video', 'visual')):
        pairs.update(
            {f'{_PLACE}out_proj_{theirs}.{leaf}': f'embedding.out_proj.{ours}.{leaf}' for leaf in ('weight', 'bias')}
        )
    for layer in range(depth):
        for name in _LAYER:
            pairs[f'Audio_visual_transformer.layers.{layer}.{name}'] = f'fusion.layers.{layer}.{_layer_name(name)}'
    pairs.update({f'classifier.{leaf}': f'head.fc.{leaf}' for leaf in ('weight', 'bias')})
    pairs.update(_mlp('O_proj', 'projector'))
    for their_layer, our_layer in ((1, 1), (4 if generator_dropout else 3, 4)):
        pairs.update(
            {
                f'generator.fc.{their_layer}.{leaf}': f'generator.noise_predictor.net.{our_layer}.{leaf}'
                for leaf in ('weight', 'bias')
            }
        )
    return pairs


def pairs_of_released(keys: Iterable[str]) -> dict[str, str]:
    """Return the pairs that belong to the keys of a released checkpoint."""
    keys = set(keys)
    return key_pairs(_depth(keys, r'Audio_visual_transformer\.layers\.(\d+)\.'), 'generator.fc.4.weight' in keys)


def from_released(state: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """Rename and reshape the tensors of a released state dict.

    Raises:
        CheckpointError: If it is of another model or incomplete, or its numbers are not finite float32.
    """
    check_names(state, source)
    pairs = pairs_of_released(state)
    _check_keys(pairs.keys(), {k for k in state if not k.startswith(UNUSED)}, source, 'the released AV-DIFF')
    check_tensors(state, source)
    return {ours: _squeeze(theirs, state[theirs], source) for theirs, ours in pairs.items()}


def to_released(state: dict[str, Tensor], source: str, *, generator_dropout: bool) -> dict[str, Tensor]:
    """Rename and reshape the tensors of an avzoo state dict.

    Raises:
        CheckpointError: If the model is not AV-DIFF as released.
    """
    check_names(state, source)
    state = {key: tensor for key, tensor in state.items() if key not in _OWN}
    pairs = key_pairs(_depth(state, r'fusion\.layers\.(\d+)\.'), generator_dropout)
    _check_keys(pairs.values(), set(state), source, "avzoo's AV-DIFF")
    check_tensors(state, source)
    return {theirs: _unsqueeze(theirs, state[ours]) for theirs, ours in pairs.items()}


def _mlp(theirs: str, ours: str) -> dict[str, str]:
    leaves = [
        f'{i}.{leaf}'
        for linear, norm in ((0, 1), (4, 5))
        for i, names in ((linear, ('weight', 'bias')), (norm, _BATCH_NORM))
        for leaf in names
    ]
    return {f'{theirs}.fc.{leaf}': f'{ours}.net.{leaf}' for leaf in leaves}


def _layer_name(name: str) -> str:
    for theirs, ours in _LAYER_NAMES:
        name = name.replace(theirs, ours)
    return name


def _depth(keys: Iterable[str], pattern: str) -> int:
    # Layers are counted, not read off their numbers: a layer numbered 999999999 must not make a list of that length.
    return max(1, len({found[1] for found in (re.match(pattern, key) for key in keys) if found}))


def _check_keys(wanted: Iterable[str], found: set[str], source: str, model: str) -> None:
    wanted = set(wanted)
    missing, extra = sorted(wanted - found), sorted(found - wanted)
    if 2 * len(wanted & found) < len(wanted):
        raise CheckpointError(
            f'{source} is a checkpoint of another architecture: of the {len(wanted)} tensors of '
            f'{model} it has {len(wanted & found)} (it lacks e.g. {missing[0]}). Only AV-DIFF can '
            'be imported; check the path.'
        )
    problems = [
        f'{title} {len(names)} ({", ".join(map(shown, names[:3]))}{", ..." if len(names) > 3 else ""})'
        for title, names in (('lacks', missing), ('has beyond them', extra))
        if names
    ]
    if problems:
        raise CheckpointError(
            f'{source} does not hold the tensors of {model}: it {" and ".join(problems)}. Use a '
            'complete checkpoint of the plain AV-DIFF model.'
        )


def _squeeze(key: str, tensor: Tensor, source: str) -> Tensor:
    if key in _LEADING_ONE + _TRAILING_ONE:
        dims, place = (2, 0) if key in _LEADING_ONE else (3, -1)
        if tensor.dim() != dims or tensor.shape[place] != 1:
            raise CheckpointError(
                f'{source}: {key} has the shape {tuple(tensor.shape)}; {dims} dimensions were '
                f'expected, the {"first" if place == 0 else "last"} of size 1.'
            )
        return tensor.squeeze(place).clone()
    return tensor


def _unsqueeze(key: str, tensor: Tensor) -> Tensor:
    if key in _LEADING_ONE:
        return tensor.unsqueeze(0)
    return tensor.unsqueeze(-1) if key in _TRAILING_ONE else tensor

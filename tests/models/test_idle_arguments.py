"""Arguments that would do nothing are refused."""

import pytest

from avzoo.models.fusions import BottleneckFusion, MaskedTransformer
from avzoo.models.fusions.attention_patterns import layer_patterns


@pytest.mark.parametrize('pattern', ['full', 'self', 'cross', 'alternate', 'bottleneck'])
def test_only_hybrid_attention_switches(pattern):
    assert len(layer_patterns(pattern, 3, 0)) == 3
    with pytest.raises(ValueError, match=f"switch_after=1 has no effect with the pattern '{pattern}'"):
        MaskedTransformer(4, depth=3, pattern=pattern, switch_after=1)


def test_an_unknown_pattern_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'half'.* full, self, cross, hybrid, alternate, bottleneck"):
        layer_patterns('half', 3)


def test_a_switch_beyond_the_depth_is_refused():
    with pytest.raises(ValueError, match=r'switch_after=4 must lie in 0\.\.depth=3'):
        layer_patterns('hybrid', 3, 4)


def test_modalities_are_kept_apart_by_the_fusion_layer_alone():
    assert BottleneckFusion(4, depth=1, fusion_layer=1).bottleneck is None
    with pytest.raises(ValueError, match='fusion_layer=4, the depth, keeps the modalities apart'):
        BottleneckFusion(4, num_bottlenecks=0)

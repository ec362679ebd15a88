"""AV-DIFF on the synthetic data set, 5 shots, with a Wasserstein GAN in place of the diffusion model.

python tools/train.py configs/avdiff/avdiff-wgan_synth_5shot.py
"""

_base_ = ['./avdiff_synth_5shot.py']
method = 'AV-GAN'
model = dict(
    generator=dict(
        _delete_=True, type='WGANGP', noise_dim=64, generator_hidden=128, critic_hidden=64, n_critic=5, gp_weight=10.0
    )
)

"""The curriculum for your own features; chosen on the validation split of real features.

In the full sub-stage everything is trained: on features for which no encoder of the zoo was tuned, a fusion frozen
after the base classes knew too little about the novel ones. There are few epochs, since more would overfit the shots.
Weights are averaged over an epoch, so that results do not depend on the last steps: stage 2 has no validation to choose
an epoch. Stage 1 is run with each normalisation, and validation chooses.
"""

_base_ = ['./two_stage.py']
curriculum = dict(
    base=dict(max_epochs=8),
    full=dict(max_epochs=5, freeze=()),
    average_epochs=1.0,
    choices=[
        [{f'data_preprocessor.norm.{m}': norm for m in ('audio', 'visual')} for norm in ('l2_feature', 'z_score')]
    ],
)
optim_wrapper = dict(optimizer=dict(lr=2e-4))

"""The curriculum for a few thousand videos of your own; chosen on the validation split of real features.

Short epochs, since one as long as the paper's overfits to the shots within its first half. In the full sub-stage
everything trains: on features that no encoder of the zoo was tuned to, a fusion frozen after the base classes knew
too little of the novel ones.
"""

_base_ = ['./two_stage.py']
curriculum = dict(base=dict(max_epochs=6), full=dict(max_epochs=5, freeze=()))
optim_wrapper = dict(optimizer=dict(lr=5e-4))

"""The curriculum of AV-DIFF (sec. 3.2, 4.3, 5.1): 30 epochs on base classes, 20 on base and novel ones, three draws."""

curriculum = dict(
    base=dict(max_epochs=30, monitor='B0'),
    full=dict(
        max_epochs=20,
        monitor='HM',
        freeze=('encoders', 'embedding', 'fusion'),
        frozen_mode='train',
        carry_optimizer=False,
    ),
    num_draws=3,
    validate=True,
    gamma_epoch='best',  # The released code uses that of the last epoch.
    zero_gamma='keep',  # The released code searches on the test set when validation chose 0.
    lr_drops='scheduler',  # Those of stage 2; the released code uses its own counter instead.
    references=(
        'nearest_class_mean',
        'logistic_regression',
        'tuned_nearest_class_mean',
        'tuned_logistic_regression',
    ),
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=7e-5, betas=(0.9, 0.999), weight_decay=1e-5))
# It monitors the metric that chooses the sub-stage's epoch; stage 2 cuts after the same epochs as stage 1.
param_scheduler = dict(type='ReduceOnPlateauLR', rule='greater', factor=0.1, patience=3)

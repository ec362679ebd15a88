"""What scikit-learn expects of a classifier."""

import numpy as np
import pytest
import sklearn
from sklearn.utils.estimator_checks import check_estimator

from avzoo import FewShotClassifier

OWN_WORDS = 'it is refused, with a ValueError in words of its own'
NOT_HELD = dict(
    check_complex_data=OWN_WORDS,
    check_estimators_empty_data_messages=OWN_WORDS,
    check_n_features_in_after_fitting=f'{OWN_WORDS}, which name the modalities',
    check_dtype_object='what is no number is refused with a ValueError, not a TypeError',
    check_supervised_y_2d='a column of labels is refused, not flattened',
)


@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split('.')[:2])) < (1, 6),
    reason='scikit-learn 1.6 lets checks be expected to fail',
)
@pytest.mark.filterwarnings('ignore')
def test_it_passes_the_checks_of_scikit_learn_but_those_with_a_reason():
    # The other methods are refused and taught in the same way.
    found = check_estimator(FewShotClassifier(method='prototypes'), expected_failed_checks=NOT_HELD, on_skip=None)
    assert {one['check_name'] for one in found if one['status'] == 'xfail'} == NOT_HELD.keys()
    assert sum(one['status'] == 'passed' for one in found) > 40


def test_it_says_how_many_features_it_was_fitted_to():
    model = FewShotClassifier(method='prototypes')
    assert not hasattr(model, 'n_features_in_')
    rng = np.random.default_rng(0)
    rows = dict(audio=rng.normal(size=(4, 3)), visual=rng.normal(size=(4, 5)))
    assert model.fit(rows, list('aabb')).n_features_in_ == 8
    with pytest.raises(ValueError):
        model.fit(rows, list('aaaa'))
    assert not hasattr(model, 'n_features_in_')

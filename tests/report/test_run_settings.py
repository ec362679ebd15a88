"""The settings of a run, with what validation chose and without what says where it was."""

import pytest

from avzoo.report.run_settings import settings_of


def test_settings_are_without_places_at_any_depth_and_an_empty_one_is_one():
    places = dict.fromkeys(('work_dir', 'data_root', 'load_from', 'resume', 'launcher'), 'x')
    state = dict(settings=dict(places, model=dict(depth=2, norm={}), loader=dict(places, size=3)))
    flat = {'model.depth': 2, 'model.norm': {}, 'loader.size': 3}
    assert settings_of(state, None) == (flat, flat)


@pytest.mark.parametrize(
    ('settings', 'chosen'),
    [(dict(depth=2), {'no_such_key': 3}), (dict(depth=2, text='reserved by mmengine'), dict(depth=3))],
)
def test_what_was_chosen_is_unknown_where_it_does_not_fit_the_settings(settings, chosen):
    assert settings_of(dict(settings=settings), [dict(chosen=chosen)]) == (settings, {})

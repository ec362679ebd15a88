"""Counts in messages have the number of their noun."""

from avzoo.utils.counts import number_of


def test_one_of_a_kind_is_no_plural():
    assert [number_of(count, 'video') for count in range(3)] == ['0 videos', '1 video', '2 videos']
    assert [number_of(count, 'class is', 'classes are') for count in (1, 2)] == ['1 class is', '2 classes are']

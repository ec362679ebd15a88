"""Items that are equal in what matters."""

from avzoo.utils.equal_items import equal_groups


def test_groups_have_two_items_at_least_and_stand_by_their_first_ones():
    assert equal_groups(enumerate('abcbaac')) == [[0, 4, 5], [1, 3], [2, 6]]
    assert equal_groups(enumerate('abc')) == equal_groups([]) == []

from avzoo.apis.known_labels import agreement, agreement_lines, with_labels


def answer(name, label, *classes):
    return dict(video_id=name, label=label, predictions=[{'class': one} for one in classes])


def test_clips_are_right_wrong_of_no_class_or_without_a_label():
    answers = [answer('a', 'dog', 'dog', 'cat'), answer('b', 'dog', 'cat', 'dog'), answer('c', 'cow', 'dog')]
    found = agreement([*answers, answer('d', None, 'dog'), dict(video_id='e', predictions=[])], ['dog', 'cat'])
    assert (found.right, found.known, found.wrong, found.foreign) == (1, answers[:2], answers[1:2], answers[2:])
    assert [round(bound, 3) for bound in found.interval()] == [0.095, 0.905]


def test_labels_are_compared_as_text():
    assert agreement([answer('a', '1', 1)], [0, 1]).right == 1


def test_labels_may_have_their_accents_apart():
    found = agreement([answer('a', 'cafe\u0301', 'caf\xe9'), answer('b', 'caf\xe9', 'cafe\u0301')], ['caf\xe9'])
    assert found.right == 2 and not found.foreign


def test_no_more_than_ten_wrong_clips_are_told():
    found = agreement([answer(f'clip{i}', 'dog', 'cat') for i in range(12)], ['dog', 'cat'])
    lines = agreement_lines(found)
    assert lines[0] == '0 of 12 labelled clips right: 0.0 % (95% interval 0.0 to 24.2).'
    assert len(lines) == 12 and lines[-1] == '  and 2 more'


def test_a_part_that_is_wrong_is_told_with_its_seconds():
    wrong = answer('a', 'dog', 'cat') | dict(start=1.0, end=2.5)
    assert agreement_lines(agreement([wrong], ['dog', 'cat']))[1] == '  a  1.0-2.5 s: label dog, answer cat'
    to_the_end = answer('a', 'dog', 'cat') | dict(start=2.5, end=None)
    assert agreement_lines(agreement([to_the_end], ['dog', 'cat']))[1] == '  a  from 2.5 s: label dog, answer cat'


def test_without_labels_nothing_is_told_or_added():
    answers = [dict(video_id='a', predictions=[])]
    assert agreement_lines(agreement(answers, ['dog'])) == []
    assert with_labels(answers, {}) == with_labels(answers, {'b': 'dog'}) == answers


def test_without_a_label_that_is_a_class_only_this_is_told():
    found = agreement([answer('a', 'x\x1b', 'cat'), answer('b', 'x\x1b', 'cat'), answer('c', 'y', 'cat')], ['cat'])
    assert agreement_lines(found) == ['3 clips have labels that the model does not know: x\\x1b, y.']

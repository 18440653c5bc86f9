"""A field that somebody keeps changing back."""

from wakala_operator.judge.contest import MOST_FIELDS, Contest, contested_until, corrected


def after(times, what="Deployment a spec.replicas"):
    contest = Contest()
    for time in times:
        contest = corrected(contest, what, time)
    return contest


WHAT = "Deployment a spec.replicas"


def test_four_corrections_are_no_contest():
    assert contested_until(after([0, 1, 2, 3]), WHAT, 3) is None


def test_the_fifth_within_ten_minutes_waits_a_minute():
    contest = after([0, 1, 2, 3, 4])
    assert contested_until(contest, WHAT, 5) == 64
    assert contested_until(contest, WHAT, 64) is None


def test_once_contested_it_is_put_right_once_a_minute_while_the_fight_goes_on():
    contest, writes, now = after([0, 1, 2, 3, 4]), [], 5.0
    while now < 605:
        if contested_until(contest, WHAT, now) is None:
            contest = corrected(contest, WHAT, now)
            writes.append(now)
        now += 1
    assert writes == [64, 124, 184, 244, 304, 364, 424, 484, 544, 604]


def test_a_slow_fight_is_no_contest():
    assert contested_until(after([0, 150, 300, 450, 600]), WHAT, 601) is None


def test_a_fight_that_ended_is_forgotten():
    assert contested_until(after([0, 1, 2, 3, 4]), WHAT, 605) is None


def test_each_field_has_its_own_history():
    assert contested_until(after([0, 1, 2, 3, 4]), "Service a spec.ports", 5) is None


def test_the_history_is_bounded():
    contest = Contest()
    for number in range(1000):
        contest = corrected(contest, f"field {number}", number / 10)
    for _ in range(100):
        contest = corrected(contest, "one field", 101)
    assert len(contest.corrections) == MOST_FIELDS
    assert len(contest.corrections["one field"]) == 5

from dataclasses import replace

import pytest

from campaign.store import Store
from campaign.warm_up import smallest_model
from tasks.labelled_days import LabelledDay, find_labelled_days, unseen_labels


def test_days_with_both_campaigns_and_outcomes_are_labelled(tmp_path):
    store = Store(tmp_path.as_uri())
    for path in (
        "incoming/day=2026-11-02/b.parquet", "incoming/day=2026-11-02/a.parquet", "outcomes/day=2026-11-02/c.parquet",
        "incoming/day=2026-11-01/a.parquet", "outcomes/day=2026-11-01/a.parquet", "outcomes/day=2026-11-01/notes.txt",
        "incoming/day=2026-11-03/a.parquet", "outcomes/day=2026-11-04/a.parquet",
        "incoming/day=2026-11-05/a.parquet", "outcomes/day=2026-11-05/.a.parquet.1f",
    ):  # fmt: skip
        store.publish(path, b"")
    first, second = find_labelled_days(store)
    assert first == LabelledDay(
        "2026-11-01", (store.at("incoming/day=2026-11-01/a.parquet"),), (store.at("outcomes/day=2026-11-01/a.parquet"),)
    )
    assert [uri.rsplit("/", 1)[1] for uri in (*second.campaigns, *second.outcomes)] == [
        "a.parquet", "b.parquet", "c.parquet"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("learnt", "joined", "unseen"),
    [
        ({}, {"2026-11-01": 5}, {"2026-11-01": 5}),
        ({"2026-11-01": 5}, {"2026-11-01": 5}, {}),
        ({"2026-11-01": 4}, {"2026-11-01": 5}, {"2026-11-01": 5}),  # more outcomes have come since
        ({"2026-11-01": 6}, {"2026-11-01": 5}, {}),
        ({"2026-11-01": 5}, {"2026-11-01": 5, "2026-11-02": 1, "2026-11-03": 0}, {"2026-11-02": 1}),
    ],
)
def test_a_day_is_new_to_a_model_that_learnt_from_fewer_of_its_outcomes(learnt, joined, unseen):
    assert unseen_labels(replace(smallest_model(), about={"days": learnt}), joined) == unseen


def test_to_a_model_that_says_nothing_of_days_all_are_new():
    assert unseen_labels(replace(smallest_model(), about={}), {"2026-11-01": 5}) == {"2026-11-01": 5}

from campaign.store import Store
from tasks.labelled_days import LabelledDay, find_labelled_days


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

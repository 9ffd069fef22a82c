import pandas as pd
import pytest

from benchmarks.made_up_projects import make_projects, write_projects
from benchmarks.real_rows import read_rows
from benchmarks.real_splits import LATEST, evaluations_of
from campaign.schema_file import read_schema
from tasks.measures import roc_auc


@pytest.fixture(scope="module")
def projects():
    return make_projects(20_000)


def test_the_same_projects_come_every_time(projects):
    pd.testing.assert_frame_equal(projects, make_projects(20_000))


def test_they_have_the_shape_of_the_published_ones(projects):
    successful = projects["state"] == "successful"
    assert successful.mean() == pytest.approx(0.36, abs=0.01)
    by_year = successful.groupby(projects["launched"].dt.year).mean()
    assert len(by_year) == 8
    assert by_year.max() - by_year.min() > 0.1
    assert projects["category"].nunique() > 150
    assert (projects.groupby("category")["main_category"].nunique() == 1).all()
    assert projects["ID"].is_unique
    assert (projects["deadline"] > projects["launched"]).all()


def test_what_is_known_at_launch_tells_something_and_not_all(tmp_path):
    from benchmarks.real_rivals import LOGISTIC, fit_rival

    data, schema = write_projects(tmp_path, 20_000)
    rows = read_rows(str(data), read_schema(str(schema)))
    assert len(rows) == 20_000
    latest = evaluations_of(rows)[0]
    assert latest.name == LATEST
    predict = fit_rival(LOGISTIC, rows.features.iloc[latest.fitted], rows.label[latest.fitted], 1)
    assert 0.7 < roc_auc(rows.label[latest.judged], predict(rows.features.iloc[latest.judged])) < 0.8

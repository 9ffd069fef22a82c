"""A dashboard as a picture: what somebody reads there of the loop that was played."""

import pytest
import sqlalchemy as sa

from infra.grafana.preview import draw
from infra.grafana.queries import ask_database, copied_to_postgres
from tasks.metrics_database import champions, database, now
from tests.infra.grafana_queries import BOARD


def words(figure) -> list[str]:
    """Every text of a figure, its legends' too."""
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [text.get_text() for text in axes.texts]
        found += [text.get_text() for text in (axes.get_legend().get_texts() if axes.get_legend() else [])]
    return found


@pytest.fixture(scope="module")
def picture(world, postgres):
    return draw(BOARD, ask_database(BOARD, sa.create_engine(postgres)))


def test_the_picture_has_every_panel(picture):
    titles = {panel["title"] for panel in BOARD["panels"] if panel["type"] != "row"}
    assert titles <= set(words(picture))


def test_it_says_who_is_champion_and_how_the_days_fared(picture, world):
    seen = words(picture)
    assert "version 2" in seen
    assert str(world.days[7]) in seen
    assert "GoalAmount, RaisedAmount" in seen


def test_days_that_drifted_are_red_there(picture):
    [axes] = [axes for axes in picture.axes if "GoalAmount" in [label.get_text() for label in axes.get_yticklabels()]]
    row = [label.get_text() for label in axes.get_yticklabels()].index("GoalAmount")
    cells = [patch for patch in axes.patches if int(patch.get_y()) == row]
    colours = [patch.get_facecolor()[:3] for patch in sorted(cells, key=lambda patch: patch.get_x())]
    assert len(colours) == 8
    assert len(set(colours[:5]) & set(colours[5:7])) == 0


def test_a_home_without_a_server_is_drawn_from_a_copy(tmp_path):
    url = f"sqlite:///{tmp_path / 'metrics.db'}"
    with database(url).begin() as connection:
        connection.execute(sa.insert(champions).values(changed_at=now(), version="7", reason="the first"))
    with copied_to_postgres(url) as copied:
        assert "version 7" in words(draw(BOARD, ask_database(BOARD, sa.create_engine(copied))))

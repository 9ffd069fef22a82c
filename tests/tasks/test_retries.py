import pytest
from prefect.states import Failed

from campaign.errors import BadInput, StoreError
from tasks.retries import worth_retrying


@pytest.mark.parametrize(
    ("error", "worth_it"),
    [
        (BadInput("The file is damaged.", "Write it again."), False),
        (StoreError("The store is away.", "Wait."), True),
        (ConnectionError("reset by peer"), True),
    ],
)
def test_only_what_may_pass_is_tried_again(error, worth_it):
    assert worth_retrying(None, None, Failed(data=error)) is worth_it

"""A log tells what broke and where, never whose."""

from wch.application.faults import fault


def test_the_words_of_an_error_stay_out() -> None:
    """Neither its own nor its cause's."""
    try:
        try:
            raise KeyError("+16505551234")  # noqa: TRY301 - the cause
        except KeyError as cause:
            raise ValueError("text of a customer") from cause
    except ValueError as error:
        told = fault(error)

    assert told.startswith("ValueError from KeyError < test_faults.py:")
    assert "1650" not in told
    assert "customer" not in told

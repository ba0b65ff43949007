"""The table of errors, against the table of the page."""

import pytest

from wch.domain.send_failure import CLASS_OF, FailureClass, GraphError, classify

PAGE = {
    "retry": "1 2 131000 131016 133004",
    "wait_number": "4 80007 130429 131057",
    "wait_pair": "131056",
    "spam": "131048 131064",
    "marketing_cap": "131049 130472",
    "sign_in": "0 3 10 190 200 250 299 131005",
    "account": "368 131031 131042 130497 33 131037 131045 133010 134011",
    "window": "131047",
    "consent": "131050",
    "template": "132000 132001 132005 132007 132008 132012 132015 132016 132068 132069",
    "recipient": "131021 131026 131030 131036 131062 137000",
    "media": "131053",
    "request": "100 131008 131009 131051 131055 135000",
    "unknown": "5 199 300 999999 -1",
}


@pytest.mark.parametrize(
    ("word", "code"), [(word, int(code)) for word, codes in PAGE.items() for code in codes.split()]
)
def test_each_code_has_its_class_whatever_the_status(word: str, code: int) -> None:
    """Throttling comes as 400, a refused request may come as 500."""
    assert classify(code) == word
    assert classify(code, http_status=400) == word
    if word != "unknown":
        assert classify(code, http_status=500, is_transient=True) == word
        assert classify(code, http_status=429) == word


@pytest.mark.parametrize(
    ("http_status", "is_transient", "failure"),
    [
        (429, False, FailureClass.WAIT_NUMBER),
        (429, True, FailureClass.RETRY),
        (500, False, FailureClass.RETRY),
        (503, False, FailureClass.RETRY),
        (400, True, FailureClass.RETRY),
        (400, False, FailureClass.UNKNOWN),
        (404, False, FailureClass.UNKNOWN),
        (None, False, FailureClass.UNKNOWN),
    ],
)
@pytest.mark.parametrize("code", [None, 999_999])
def test_without_a_known_code_the_answer_decides(
    code: int | None,
    http_status: int | None,
    is_transient: bool,  # noqa: FBT001 - a table's column
    failure: FailureClass,
) -> None:
    """A new code of Meta's stops that row, not the queue."""
    assert classify(code, http_status=http_status, is_transient=is_transient) is failure


def test_no_code_is_in_two_classes() -> None:
    """The later one would win in silence."""
    listed = [code for codes in PAGE.values() for code in codes.split()]

    assert len(listed) == len(set(listed))
    assert len(CLASS_OF) == sum(len(codes.split()) for word, codes in PAGE.items() if word != "unknown") - 3 + 100


@pytest.mark.parametrize(
    ("failure", "uses_attempt", "is_final"),
    [
        (FailureClass.RETRY, True, False),
        (FailureClass.WAIT_NUMBER, False, False),
        (FailureClass.WAIT_PAIR, False, False),
        (FailureClass.SPAM, False, False),
        (FailureClass.SIGN_IN, False, False),
        (FailureClass.ACCOUNT, False, False),
        (FailureClass.MARKETING_CAP, True, True),
        (FailureClass.WINDOW, True, True),
        (FailureClass.REQUEST, True, True),
        (FailureClass.UNKNOWN, True, True),
    ],
)
def test_what_waits_uses_no_attempt(failure: FailureClass, uses_attempt: bool, is_final: bool) -> None:  # noqa: FBT001 - a table's columns
    """A dead token must not bury what waits."""
    assert (failure.uses_attempt, failure.is_final) == (uses_attempt, is_final)


def test_only_the_service_is_blamed_for_its_own_faults() -> None:
    """A breaker must not open because a caller asked for nonsense."""
    assert [failure for failure in FailureClass if failure.blames_service] == [FailureClass.RETRY]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (GraphError(code=131047, title="Re-engagement", details="24 hours"), "131047 Re-engagement: 24 hours"),
        (GraphError(code=0, title="No sign-in"), "0 No sign-in"),
        (GraphError(code=7), "7"),
        (GraphError(details="only this"), "only this"),
        (GraphError(), ""),
    ],
)
def test_an_error_is_one_line(error: GraphError, line: str) -> None:
    """As `error_message` keeps it."""
    assert error.line == line

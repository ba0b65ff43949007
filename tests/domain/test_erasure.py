"""Numbers that lead to nobody."""

from wch.domain.erasure import erasure_number, is_erased


def test_tokens_that_differ_at_their_end_give_numbers_that_differ() -> None:
    """One erasure makes a number for each key of a person, counted on from one token: unique keys hold."""
    numbers = {erasure_number(f"{token:032x}") for token in range(100)}

    assert len(numbers) == 100
    assert all(is_erased(one) for one in numbers)

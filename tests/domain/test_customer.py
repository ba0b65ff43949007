"""Who writes, what we may say to them, and what they bought."""

import unicodedata
from datetime import datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.customer import LOOKED_UP_EVERY, MOST_CONSENT_ENTRIES, MOST_SAVED_ADDRESSES, CustomerProfile
from wch.domain.document import amended
from wch.testing import NOON
from wch.testing.strategies import customers, moments, optional, texts

LATER = NOON + timedelta(days=1)
ADDRESS = {"address_1": "Domkloster 4", "city": "Köln", "postcode": "50667", "country": "DE", "address_2": ""}


@pytest.fixture
def customer() -> CustomerProfile:
    return CustomerProfile.met("491700000001", now=NOON)


def test_somebody_new_has_decided_nothing(customer: CustomerProfile) -> None:
    """Neither in nor out."""
    assert (customer.opt_in_marketing, customer.is_out, customer.is_blocked) == (False, False, False)
    assert customer.language is None


@pytest.mark.parametrize("phone", ["", "1" * 21])
def test_a_key_fits_its_column(phone: str) -> None:
    with pytest.raises(ValueError, match="phone"):
        CustomerProfile.met(phone, now=NOON)


@given(customers(), texts(20), moments())
def test_writing_is_an_interaction_that_never_moves_back(customer: CustomerProfile, name: str, now: datetime) -> None:
    """Unless the message is of a kind that does not count."""
    wrote = customer.wrote(name, now=now)

    assert wrote.last_interaction_at == max(now, customer.last_interaction_at or now)
    assert wrote.updated_at >= customer.updated_at
    assert customer.wrote(name, now=now, counts=False).last_interaction_at == customer.last_interaction_at


@pytest.mark.parametrize(("by", "named"), [(None, "Ann"), ("whatsapp", "Ann"), ("person", "Bo"), ("customer", "Bo")])
def test_a_name_that_somebody_chose_stays(customer: CustomerProfile, by: str | None, named: str) -> None:
    """The contact block's name holds otherwise; an empty one changes nothing."""
    known = attrs.evolve(customer, name="Bo", preferences={"v": 1, "name_by": by})

    assert known.wrote("Ann", now=NOON).name == named
    assert known.wrote("", now=NOON).name == "Bo"
    assert known.wrote(None, now=NOON).name == "Bo"


def test_what_is_known_of_an_identity_adds_up(customer: CustomerProfile) -> None:
    """What is not told is not forgotten; nothing new is no change."""
    known = customer.identified(bsuid="B", username=None, now=NOON).identified(username="ann", now=NOON)

    assert known.preferences["identity"] == {"bsuid": "B", "username": "ann"}
    assert known.identified(bsuid="B", now=LATER) is known


def test_a_language_is_remembered(customer: CustomerProfile) -> None:
    assert customer.speaking("pt", now=NOON).language == "pt"
    assert attrs.evolve(customer, preferences={"v": 1, "language": 7}).language is None
    assert attrs.evolve(customer, preferences={"v": 1, "blocked": {"by": "ann"}}).is_blocked


# --- consent -------------------------------------------------------------------------------


def test_consent_is_kept_with_its_evidence(customer: CustomerProfile) -> None:
    """From, to, when, by what words."""
    out = customer.consenting("marketing", "in", source="button", now=NOON).consenting(
        "marketing", "out", source="keyword", now=LATER, words="STOP"
    )

    assert (out.opt_in_marketing, out.is_out, out.marketing_opted_at) == (False, True, LATER)
    assert out.preferences["consent"]["state"] == "out"
    assert out.preferences["consent"]["log"] == [
        {"at": "2026-03-02T12:00:00Z", "source": "button", "purpose": "marketing", "from": None, "to": "in"},
        {
            "at": "2026-03-03T12:00:00Z",
            "source": "keyword",
            "purpose": "marketing",
            "from": "in",
            "to": "out",
            "words": "STOP",
        },
    ]


def test_leaving_everything_ends_notices_too(customer: CustomerProfile) -> None:
    """Leaving marketing does not; coming back brings both."""
    assert not customer.consenting("marketing", "out", source="keyword", now=NOON).notification_opt_out
    gone = customer.consenting("all", "out", source="keyword", now=NOON)
    assert gone.notification_opt_out
    assert not gone.consenting("marketing", "in", source="keyword", now=LATER).notification_opt_out


def test_a_long_log_keeps_its_first_entry_and_the_latest(customer: CustomerProfile) -> None:
    """The first consent is the one that is asked for."""
    for place in range(MOST_CONSENT_ENTRIES + 20):
        customer = customer.consenting("marketing", "in", source="api", now=NOON, row=place)
    log = customer.preferences["consent"]["log"]

    assert len(log) == MOST_CONSENT_ENTRIES
    assert (log[0]["row"], log[1]["row"], log[-1]["row"]) == (0, 21, MOST_CONSENT_ENTRIES + 19)


def test_a_block_in_whatsapp_is_lifted_there(customer: CustomerProfile) -> None:
    """An opt-in from before returns; one that was never given does not."""
    opted = customer.consenting("marketing", "in", source="button", now=NOON)
    stopped = opted.told_whatsapp("stop", NOON, now=NOON)

    assert (stopped.opt_in_marketing, stopped.is_out) == (False, True)
    assert stopped.told_whatsapp("resume", LATER, now=LATER).opt_in_marketing
    assert not customer.told_whatsapp("stop", NOON, now=NOON).told_whatsapp("resume", LATER, now=LATER).opt_in_marketing
    assert customer.told_whatsapp("signup", NOON, now=NOON).opt_in_marketing


def test_a_block_told_twice_is_one_block(customer: CustomerProfile) -> None:
    """The second `stop` does not forget that there was an opt-in before the first."""
    opted = customer.consenting("marketing", "in", source="button", now=NOON)
    twice = opted.told_whatsapp("stop", NOON, now=NOON).told_whatsapp("stop", LATER, now=LATER)

    assert twice.told_whatsapp("resume", LATER, now=LATER).opt_in_marketing


def test_an_opt_out_in_words_outlives_the_lifting_of_a_block(customer: CustomerProfile) -> None:
    """Who wrote STOP stays out, whatever is switched in WhatsApp's settings afterwards."""
    opted = customer.consenting("marketing", "in", source="button", now=NOON)
    blocked = opted.told_whatsapp("stop", NOON, now=NOON)
    out = blocked.consenting("marketing", "out", source="keyword", now=LATER, words="STOP")

    assert not out.told_whatsapp("resume", LATER, now=LATER).opt_in_marketing


def test_decisions_in_whatsapp_apply_by_their_own_time(customer: CustomerProfile) -> None:
    """One that is older than the last is only logged."""
    opted = customer.consenting("marketing", "in", source="button", now=NOON)
    resumed = opted.told_whatsapp("stop", NOON, now=NOON).told_whatsapp("resume", LATER, now=LATER)
    late = resumed.told_whatsapp("stop", NOON, now=LATER)

    assert late.opt_in_marketing
    assert late.preferences["consent"]["log"][-1]["ignored"] == "stop"


# --- addresses -----------------------------------------------------------------------------


def test_an_address_is_saved_once_however_it_is_written(customer: CustomerProfile) -> None:
    """Case, blanks and punctuation aside; the last one as it was written is the last known."""
    again = {**ADDRESS, "address_1": "DOMKLOSTER, 4 "}
    living = customer.living_at(ADDRESS, now=NOON).living_at(again, now=LATER)

    assert len(living.saved_addresses) == 1
    assert living.saved_addresses[0]["is_default"] is True
    assert "address_2" not in living.saved_addresses[0]
    assert living.last_known_address is not None
    assert living.last_known_address["address_1"] == "DOMKLOSTER, 4 "


def test_ten_addresses_are_saved(customer: CustomerProfile) -> None:
    """The oldest goes; a number is never given twice."""
    for number in range(MOST_SAVED_ADDRESSES + 3):
        customer = customer.living_at({**ADDRESS, "address_1": f"Street {number}"}, now=NOON)

    ids = [address["id"] for address in customer.saved_addresses]
    assert ids == list(range(4, MOST_SAVED_ADDRESSES + 4))


# --- orders and tags -----------------------------------------------------------------------


@given(customers(), st.text(min_size=1, max_size=10).filter(str.strip))
def test_a_tag_is_there_once_in_any_case(customer: CustomerProfile, tag: str) -> None:
    """And goes whatever its case; kept as it was first written, its accents in one form."""
    tagged = customer.tagged(tag, now=NOON)

    assert len(tagged.tagged(tag.upper(), now=NOON).tags) <= len(tagged.tags) + 1
    assert tagged.tagged(tag, now=LATER) is tagged
    assert tagged.tagged(unicodedata.normalize("NFD", tag), now=LATER) is tagged
    assert unicodedata.normalize("NFC", tag.strip()) not in tagged.untagged(tag, now=NOON).tags


def test_vip_in_another_case_is_the_same_tag() -> None:
    """As it was first written."""
    customer = CustomerProfile.met("1", now=NOON).tagged("VIP", now=NOON)

    assert customer.tagged("vip", now=LATER).tags == ("VIP",)


# --- the shop's customer -------------------------------------------------------------------


def test_exactly_one_who_has_the_number_is_linked(customer: CustomerProfile) -> None:
    """With their e-mail address, unless a checkout told another one."""
    linked = customer.looked_up({7: "ann@example.org"}, now=NOON)
    known = attrs.evolve(customer, email="own@example.org").looked_up({7: "ann@example.org"}, now=NOON)

    assert (linked.wc_customer_id, linked.email, linked.shop_candidates) == (7, "ann@example.org", ())
    assert (known.wc_customer_id, known.email) == (7, "own@example.org")
    assert not linked.shop_look_due(now=NOON + LOOKED_UP_EVERY)


@pytest.mark.parametrize("email", [None, "", "no address", "a@b@c", "a@" + "b" * 300])
def test_what_is_no_address_is_not_taken(customer: CustomerProfile, email: str | None) -> None:
    assert customer.looked_up({7: email}, now=NOON).email is None


def test_of_two_a_person_chooses(customer: CustomerProfile) -> None:
    """Neither is linked, both are told; whoever is chosen ends the question."""
    asked = customer.looked_up({7: "ann@example.org", 9: None}, now=NOON)

    assert (asked.wc_customer_id, asked.email, asked.shop_candidates) == (None, None, (7, 9))
    chosen = asked.linked(9, by="ana", now=LATER)
    assert (chosen.wc_customer_id, chosen.shop_candidates) == (9, ())
    assert chosen.looked_up({7: None}, now=LATER).wc_customer_id == 9


def test_whom_a_person_took_away_is_not_linked_again_by_itself(customer: CustomerProfile) -> None:
    """Only a person brings them back; taking away nobody changes nothing."""
    taken = customer.looked_up({7: None}, now=NOON).unlinked(by="ana", now=NOON)

    assert taken.looked_up({7: None}, now=LATER).wc_customer_id is None
    assert not taken.may_be_linked(7)
    assert taken.unlinked(by="ana", now=LATER) is taken
    back = taken.linked(7, by="ana", now=LATER)
    assert back.wc_customer_id == 7
    assert back.preferences["shop"]["unlinked"] == []


def test_the_shop_is_asked_again_after_a_month(customer: CustomerProfile) -> None:
    """Not before: most people who write never bought anything elsewhere."""
    asked = customer.looked_up({}, now=NOON)

    assert customer.shop_look_due(now=NOON)
    assert not asked.shop_look_due(now=NOON + LOOKED_UP_EVERY - timedelta(seconds=1))
    assert asked.shop_look_due(now=NOON + LOOKED_UP_EVERY)


@pytest.mark.parametrize("opted_in", [False, True])
def test_a_new_owner_is_not_the_shops_customer(customer: CustomerProfile, *, opted_in: bool) -> None:
    """Nor asked for, until a person says that it is the same one."""
    linked = attrs.evolve(customer, opt_in_marketing=opted_in).looked_up({7: None}, now=NOON)
    taken = linked.taken_over(now=NOON)

    assert taken.wc_customer_id is None
    assert not taken.shop_look_due(now=NOON + LOOKED_UP_EVERY)
    assert taken.looked_up({7: None}, now=LATER).wc_customer_id is None
    assert taken.owned_as_before(now=LATER).shop_look_due(now=LATER)


@given(
    customer=customers(), known=st.booleans(), unreachable=st.booleans(), counts=st.booleans(), bsuid=optional(texts(5))
)
def test_writing_says_at_once_what_each_step_says(
    customer: CustomerProfile, bsuid: str | None, *, known: bool, unreachable: bool, counts: bool
) -> None:
    """What a message tells of the writer is one change, and comes to what many would."""
    if known:
        customer = customer.identified(bsuid="known", aliases=["a"], now=NOON)
    if unreachable:
        customer = attrs.evolve(customer, preferences=amended(customer.preferences, unreachable={"at": "x"}))

    together = customer.wrote("Ann", now=LATER, counts=counts, bsuid=bsuid, aliases=None)

    wrote = customer.wrote("Ann", now=LATER, counts=counts)
    assert "unreachable" not in wrote.preferences
    assert together == wrote.identified(now=LATER, bsuid=bsuid)

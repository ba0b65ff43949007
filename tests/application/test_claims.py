"""What was taken under a key: found by the key that people have, although the table hides it."""

import hashlib
from datetime import timedelta

import pytest

from wch import Settings
from wch.application.claims import is_first
from wch.application.digests import Digests
from wch.application.requests import name_of
from wch.domain.claim import Scope
from wch.domain.errors import NotFoundError
from wch.domain.message import MessageStatus
from wch.testing import FrozenClock, SandboxWhatsApp, memory_hub

SETTINGS = Settings(secret_key="new-and-long-enough,old-and-long-enough", payments="cod,stripe")
DIGESTS = Digests(keys=("new-and-long-enough", "old-and-long-enough"))
EVENT = "evt_1NG8Du2eZvKYlo2C"
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("kept", "scope"),
    [
        (f"stripe:{EVENT}", Scope.PAYMENT),
        (EVENT, Scope.WOOCOMMERCE),
        (hashlib.sha256(EVENT.encode()).hexdigest(), Scope.WEBHOOK),
    ],
)
@pytest.mark.parametrize("secret", [0, 1])
async def test_a_claim_is_found_by_its_plain_key(kept: str, scope: Scope, secret: int) -> None:
    """Whatever is written around it, and under each of the secret keys."""
    clock = FrozenClock()
    under = Digests(keys=(DIGESTS.keys[secret],))
    async with memory_hub(SETTINGS, clock=clock) as hub:
        await hub.database.transact(lambda uow: is_first(uow, under, kept, scope, now=clock.now(), lives=HOUR))
        found = await hub.claims.of(EVENT)
        by_digest = await hub.claims.of(under.of(kept))

    assert [(one.scope, one.expires_at - one.processed_at) for one in found.claims] == [(scope, HOUR)]
    assert by_digest == found


async def test_a_key_of_the_api_is_found_without_its_caller() -> None:
    clock = FrozenClock()
    async with memory_hub(SETTINGS, clock=clock) as hub:
        made = await hub.keys.create(["read"], by="test")
        kept = DIGESTS.of(name_of(made.key.prefix, "order-7"))
        await hub.database.transact(
            lambda uow: uow.claims.claim(kept, Scope.API, now=clock.now(), expires_at=clock.now() + HOUR)
        )

        assert [one.scope for one in (await hub.claims.of("order-7")).claims] == [Scope.API]


async def test_whatsapps_id_leads_to_the_message_that_holds_it() -> None:
    whatsapp = SandboxWhatsApp()
    async with memory_hub(SETTINGS, whatsapp=whatsapp) as hub:
        await whatsapp.say("34600111222", "hi")
        (said, *_) = whatsapp.world.messages("34600111222")
        found = await hub.claims.of(said["id"])

    assert (found.message_id, found.message_status) == (1, MessageStatus.PROCESSED)


async def test_what_was_never_taken_is_said_so_and_what_expired_is_purged() -> None:
    clock = FrozenClock()
    async with memory_hub(SETTINGS, clock=clock) as hub:
        await hub.database.transact(
            lambda uow: is_first(uow, DIGESTS, EVENT, Scope.WOOCOMMERCE, now=clock.now(), lives=HOUR)
        )
        kept = await hub.claims.purge()
        clock.advance(HOUR)
        gone = await hub.claims.purge()

        assert (kept, gone) == (0, 1)
        with pytest.raises(NotFoundError, match="evt_1NG8Du2eZvKYlo2C"):
            await hub.claims.of(EVENT)

"""WooCommerce's deliveries: whose signature holds, and whom they are about."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.adapters.woocommerce import WooCommerceWebhooks, sign
from wch.domain.catalogue import LARGEST_ID
from wch.domain.errors import UndecodableError
from wch.domain.payment import BadSignatureError
from wch.domain.shop_hint import ShopHint
from wch.domain.sync import EntityType, SyncAction

SECRET = "aWordOfOurs7"
SHOP = WooCommerceWebhooks(secret=SECRET)


def read(body: Any, topic: str = "product.updated", webhook_id: str = "7") -> ShopHint | None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return SHOP.read(raw, signatures=[sign(raw, SECRET).encode()], topic=topic, webhook_id=webhook_id)


def test_published_signatures_hold_and_altered_ones_do_not(corpus: Path) -> None:
    """One changed byte, another case of the digest, hex instead of base64, re-serialised JSON: all refused."""
    vectors = sorted((corpus / "signatures").glob("woocommerce-*.json"))
    assert vectors
    for vector in vectors:
        known = json.loads(vector.read_text(encoding="utf-8"))
        shop, body = WooCommerceWebhooks(secret=known["secret"]), known["body_utf8"].encode()
        signature = known["headers"]["X-WC-Webhook-Signature"]
        altered = [
            (body + b"\n", signature),
            (body[:-1] + b" ", signature),
            (json.dumps(json.loads(body)).encode(), signature),
            (body, signature.swapcase()),
            (body, base64.b64decode(signature).hex()),
            (body, ""),
        ]

        assert shop.read(body, signatures=[signature.encode()], topic="order.created", webhook_id="1") is not None
        for other, value in altered:
            with pytest.raises(BadSignatureError):
                shop.read(other, signatures=[value.encode()], topic="order.created", webhook_id="1")


def test_every_recorded_delivery_is_read(corpus: Path) -> None:
    """Products and orders are told apart from what is not kept in step."""
    files = sorted((corpus / "woocommerce").glob("webhook.*.json"))
    assert files
    for file in files:
        resource, event = file.name.split("__")[0].split(".")[1:3] if ".action." not in file.name else ("action", "x")
        body = file.read_bytes()
        hint = read(body, f"{resource}.{event}")

        if resource in {"product", "order"}:
            assert hint is not None
            assert (hint.entity_type, hint.entity_id) == (resource, json.loads(body)["id"])
        else:
            assert hint is None


@pytest.mark.parametrize(
    ("event", "action"),
    [
        ("created", SyncAction.CREATE),
        ("updated", SyncAction.UPDATE),
        ("restored", SyncAction.UPDATE),
        ("deleted", SyncAction.DELETE),
    ],
)
def test_a_hint_names_what_changed(event: str, action: SyncAction) -> None:
    hint = read({"id": 7}, f"order.{event}")

    assert hint is not None
    assert (hint.entity_type, hint.entity_id, hint.action) == (EntityType.ORDER, 7, action)


def test_a_variant_is_part_of_its_product() -> None:
    hint = read({"id": 8, "type": "variation", "parent_id": 5})

    assert hint is not None
    assert (hint.entity_id, hint.action) == (5, SyncAction.UPDATE)


@pytest.mark.parametrize("topic", ["", "product", "product.", "product.sold", "coupon.updated", "action.wc_x", "."])
def test_what_is_not_kept_in_step_is_no_hint(topic: str) -> None:
    """Not even its body is looked at."""
    assert read(b"no json", topic) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>maintenance</html>",
        b"[7]",
        b"7",
        b"\xff",
        b'{"id":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        *(
            json.dumps({"id": wrong}).encode()
            for wrong in (None, 0, -1, True, 1.5, "", "7x", "\u0667", LARGEST_ID + 1, [7])
        ),
    ],
)
def test_signed_nonsense_is_undecodable(body: bytes) -> None:
    """Whatever is signed, only this one error comes of it."""
    with pytest.raises(UndecodableError):
        read(body)


@given(body=st.binary(max_size=200), signature=st.binary(max_size=60))
def test_nothing_is_read_before_the_signature_holds(body: bytes, signature: bytes) -> None:
    for signatures in ([], [signature], [sign(body, SECRET).encode()] * 2):
        with pytest.raises(BadSignatureError):
            SHOP.read(body, signatures=signatures, topic="product.updated", webhook_id="7")


def test_copies_share_a_key_and_nothing_else_does() -> None:
    """Two webhooks of a shop may tell the same; each is a delivery of its own, as each body is."""
    hints = [
        read({"id": 7}),
        read({"id": 7}),
        read({"id": 8}),
        read({"id": 7}, webhook_id="8"),
        read({"id": 7}, "product.created"),
    ]
    keys = [hint.key for hint in hints if hint is not None]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_the_secret_is_in_no_representation() -> None:
    assert SECRET not in repr(SHOP)

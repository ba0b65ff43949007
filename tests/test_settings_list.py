"""Which settings there are: names, types and defaults as they were promised."""

import re

import pytest

from wch.settings import Settings
from wch.settings.sections import ENTRIES, Entry

# The contract: names, types and defaults. A bracket is the variable where it is not made of section and key.
CONTRACT = """
general.profile enum = prod (WCH_PROFILE)
general.currency str = USD (WCH_CURRENCY)
general.country str = (WCH_COUNTRY)
general.timezone str = UTC (WCH_TIMEZONE)
general.language str = en (WCH_LANGUAGE)
general.languages list = en,es,pt_BR,ar,hi
general.business_name str =
database.url str = sqlite+aiosqlite:///wch.db (WCH_DATABASE_URL)
database.table_prefix str = wch_ (WCH_TABLE_PREFIX)
database.pool_size int = 5
security.secret_key secret list = (WCH_SECRET_KEY)
security.sign_in_hours int = 12
security.trusted_proxies list =
security.testing bool = false (WCH_TESTING)
security.failpoints str = (WCH_FAILPOINTS)
whatsapp.app_secret secret list = (WCH_APP_SECRET)
whatsapp.verify_token secret = (WCH_VERIFY_TOKEN)
whatsapp.access_token secret = (WCH_ACCESS_TOKEN)
whatsapp.phone_number_id list = (WCH_PHONE_NUMBER_ID)
whatsapp.waba_id str = (WCH_WABA_ID)
whatsapp.catalog_id str = (WCH_CATALOG_ID)
whatsapp.graph_url str = https://graph.facebook.com (WCH_GRAPH_URL)
whatsapp.graph_version str = v24.0 (WCH_GRAPH_VERSION)
whatsapp.timeout_seconds int = 30
whatsapp.number_rate int = 80
whatsapp.import_history bool = false
ingress.max_bytes int = 4194304
ingress.read_seconds int = 10
worker.concurrency int = 4
worker.poll_seconds int = 1
worker.lease_seconds int = 60
worker.backoff_seconds list = 5,30,180,900,3600
worker.stop_seconds int = 25
conversation.bot_enabled bool = true
conversation.gather_seconds int = 0
conversation.reopen_hours int = 24
conversation.resolve_hours int = 24
conversation.handback_hours int = 24
conversation.phone_app_handback_minutes int = 120
conversation.misses_to_handoff int = 3
conversation.hours json =
conversation.read_receipts bool = true
conversation.typing bool = true
conversation.media_prefetch bool = false
conversation.catalogue_messages bool = false
assistant.enabled bool = false
assistant.calls_per_hour int = 10
assistant.monthly_budget money = 0
assistant.input_price money = 0
assistant.output_price money = 0
cart.expire_hours int = 72
cart.max_per_line int = 99
checkout.min_total money = 0
checkout.max_total money = 0
checkout.deadline_minutes int = 60
checkout.cancel_minutes int = 30
shop.kind enum = local (WCH_SHOP)
shop.low_stock int = 5
woocommerce.url str =
woocommerce.key secret =
woocommerce.secret secret =
woocommerce.webhook_secret secret =
woocommerce.waiting_status enum = on-hold
woocommerce.reactivate bool = false
woocommerce.query_auth bool = false
payments.enabled list = cod (WCH_PAYMENTS)
cod.fee money = 0
cod.max_total money = 0
cod.excluded_countries list =
stripe.secret_key secret =
stripe.webhook_secret secret list =
stripe.url str = https://api.stripe.com
stripe.methods list = card
razorpay.key_id secret =
razorpay.key_secret secret =
razorpay.webhook_secret secret list =
razorpay.url str = https://api.razorpay.com
razorpay.currencies list = INR
mercadopago.access_token secret =
mercadopago.webhook_secret secret list =
mercadopago.url str = https://api.mercadopago.com
mercadopago.payer_email str =
catalog.include list =
catalog.exclude list =
catalog.id enum = id (WCH_CATALOG_PRODUCT_ID)
catalog.discrepancy_alert int = 10
notifications.enabled bool = true
notifications.scope enum = chat
notifications.delay_seconds int = 30
notifications.prefer enum = text
notifications.off list =
notifications.statuses list =
notifications.estimated_delivery str =
notifications.review_url str =
notifications.carriers json = *
marketing.cap_week int = 1
marketing.cap_month int = 4
marketing.quiet_start time = 22:00
marketing.quiet_end time = 08:00
marketing.quiet_recent_minutes int = 30
marketing.blocked_countries list = US
recovery.enabled bool = true
recovery.idle_minutes int = 60
recovery.min_total money = 0
recovery.moments_hours list = 1,6,24
recovery.life_hours int = 12
recovery.gap_hours int = 4
recovery.coupon_from int = 2
recovery.coupon_kind enum = percent
recovery.coupon_amount money = 10
recovery.coupon_days int = 7
recovery.window_days int = 7
recovery.require_opt_in bool = false
reengagement.enabled bool = false
reengagement.inactive_days int = 60
reengagement.view_days int = 30
reengagement.price_drop_percent int = 10
reengagement.loyalty_spent money = 500
reengagement.loyalty_percent int = 15
reengagement.coupon_days int = 7
reengagement.window_days int = 30
reengagement.run_at time = 09:00
reengagement.life_hours int = 24
broadcasts.rate_per_minute int = 1200
broadcasts.life_hours int = 72
broadcasts.credit_days int = 7
broadcasts.max_recipients int = 100000
broadcasts.pause_131049_percent int = 20
broadcasts.pause_failed_percent int = 30
broadcasts.pause_sample int = 200
broadcasts.test_numbers list =
segments.silver money = 100
segments.gold money = 500
segments.platinum money = 1000
customers.counted_statuses list = processing,shipped,completed
templates.sync_hours int = 24
templates.map json = *
templates.file str = templates.toml
pricing.table json =
limits.webhook str = 100/60
limits.api str = 60/60
limits.admin str = 30/60
limits.auth str = 5/300
limits.message_send str = 50/60
limits.broadcast str = 10/3600
limits.export str = 3/3600
breakers.whatsapp str = 5/2/30
breakers.shop str = 5/2/60
breakers.payments str = 3/1/120
breakers.assistant str = 3/2/60
retention.raw_days int = 30
retention.message_days int = 365
retention.context_days int = 90
retention.cart_expired_days int = 30
retention.cart_recovered_days int = 90
retention.view_days int = 90
retention.contact_days int = 365
retention.saga_days int = 90
retention.dead_letter_days int = 30
retention.sync_days int = 30
retention.audit_days int = 730
retention.profile_days int = 0
console.enabled bool = true
console.streams int = 50
health.silence_minutes int = 120
log.level enum = info (WCH_LOG_LEVEL)
log.format enum = json (WCH_LOG_FORMAT)
"""
_LINE = re.compile(r"(?P<name>\S+) (?P<type>[a-z ]+) =(?: (?P<default>[^(]\S*))?(?: \((?P<variable>\w+)\))?")
PROMISED = [found for line in CONTRACT.strip().splitlines() if (found := _LINE.fullmatch(line))]


ASKED_BY_GATEWAYS = {
    "general.public_url",
    "mercadopago.chat_key",
    "mercadopago.chat_key_type",
    "whatsapp.payment_configuration",
    "whatsapp.payment_provider",
    "whatsapp.importer",
}
"""What ways to pay that the list names cannot do without, and that it does not name."""


def test_the_contract_is_read_whole() -> None:
    assert len(PROMISED) == len(CONTRACT.strip().splitlines())


@pytest.mark.parametrize("promised", PROMISED, ids=lambda found: found["name"])
def test_a_promised_setting_has_its_variable_type_and_default(promised: re.Match[str]) -> None:
    """Deployments are written against these names; a change needs a new page."""
    entry = next(entry for entry in ENTRIES if entry.name == promised["name"])

    assert entry.kind.word == promised["type"]
    assert entry.variable == promised["variable"] or f"WCH_{promised['name'].replace('.', '_')}".upper()
    assert promised["default"] == "*" or entry.kind.show(entry.default) == (promised["default"] or "")


def test_nothing_is_there_beyond_the_contract_but_health_files_and_the_model() -> None:
    """Health's own limits are in the table of components; a model and files lie somewhere where the host brings none.

    Some gateways ask for more than keys.
    """
    beyond = {entry.name for entry in ENTRIES} - {found["name"] for found in PROMISED} - ASKED_BY_GATEWAYS

    assert {name.partition(".")[0] for name in beyond} == {"assistant", "health", "whatsapp"}
    assert {name for name in beyond if not name.startswith("health")} == {
        "whatsapp.media_folder",
        "assistant.url",
        "assistant.key",
        "assistant.model",
    }


def test_no_two_settings_share_a_variable_or_an_alias() -> None:
    assert len({entry.variable for entry in ENTRIES}) == len({entry.alias for entry in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_default_is_read_back_from_what_is_shown(entry: Entry) -> None:
    """What `config show` prints may be put into the environment again."""
    shown = entry.kind.show(entry.default)

    assert not shown or entry.kind.read(shown) == entry.default


def test_the_four_carriers_come_with_the_product() -> None:
    assert set(Settings().notifications.carriers) == {"UPS", "USPS", "FedEx", "DHL"}

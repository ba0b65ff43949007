"""What can be set, who wins, and what is said to somebody who set it wrong."""

import datetime as dt
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.errors import SettingsError, WchError
from wch.settings import Profile, Settings, ShopKind, Trip, WayToPay, Window
from wch.settings.kinds import MASK, without_password
from wch.settings.running import General, Whatsapp
from wch.settings.sections import ENTRIES, Entry

COMPLETE = {
    "WCH_APP_SECRET": "app-secret-of-a-test",
    "WCH_VERIFY_TOKEN": "verify-token-of-a-test",
    "WCH_ACCESS_TOKEN": "access-token-of-a-test",
    "WCH_PHONE_NUMBER_ID": "106540352242922",
    "WCH_SECRET_KEY": "secret-key-of-a-test",
}


def loaded(**environ: str) -> Settings:
    return Settings.load(environ, {})[0]


def faults_of(**environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        loaded(**environ)
    found: tuple[str, ...] = caught.value.facts["faults"]
    return found


# --- where values come from ---


def test_nothing_is_read_from_the_environment_on_import_or_on_making() -> None:
    """A host's environment is the host's; only `load` looks, and only at what it is given."""
    code = (
        "import os\n"
        "class Watched(dict):\n"
        "    def get(self, name, default=None):\n"
        "        assert not str(name).startswith('WCH_'), name\n"
        "        return super().get(name, default)\n"
        "    __getitem__ = lambda self, name: self.get(name)\n"
        "    __contains__ = lambda self, name: self.get(name) is not None\n"
        "os.environ = Watched(os.environ)\n"
        "from wch.settings import Settings\n"
        "print(Settings().general.currency)\n"
    )

    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={"WCH_CURRENCY": "EUR", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.strip() == "USD"


def test_arguments_win_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "wch.toml"
    file.write_text('[general]\ncurrency = "CHF"\ncountry = "CH"\nlanguage = "es"\n', encoding="utf-8")

    settings, origins, warnings = Settings.load(
        {"WCH_CURRENCY": "GBP", "WCH_COUNTRY": "GB"}, {"currency": "EUR", "database_url": None}, file
    )

    assert (settings.general.currency, settings.general.country, settings.general.language) == ("EUR", "GB", "es")
    assert settings.general.timezone == "UTC"
    assert origins == {"general.currency": "argument", "general.country": "environment", "general.language": "wch.toml"}
    assert warnings == ()


@pytest.mark.parametrize("name", ["currency", "general.currency"])
def test_an_argument_has_two_names(name: str) -> None:
    assert Settings.load({}, {name: "EUR"})[0].general.currency == "EUR"


def test_an_argument_that_is_no_setting_is_refused_with_the_nearest_one() -> None:
    """An argument comes from a program, not from a person who may have meant something else."""
    with pytest.raises(SettingsError, match="curency is not a setting; currency is one"):
        Settings.load({}, {"curency": "EUR"})


def test_an_empty_variable_is_a_variable_not_set() -> None:
    """Compose files pass empty variables on; they say nothing."""
    settings, origins, _ = Settings.load({"WCH_CURRENCY": "", "WCH_APP_SECRET": ""}, {})

    assert settings.general.currency == "USD"
    assert origins == {}


def test_an_empty_list_can_be_said() -> None:
    assert loaded(WCH_MARKETING_BLOCKED_COUNTRIES="[]").marketing.blocked_countries == ()


def test_a_secret_may_come_from_a_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("new-secret,old-secret\n", encoding="utf-8")

    settings, origins, warnings = Settings.load({"WCH_APP_SECRET_FILE": str(file)}, {})

    assert settings.whatsapp.app_secret == ("new-secret", "old-secret")
    assert origins["whatsapp.app_secret"] == "WCH_APP_SECRET_FILE"
    assert warnings == ()


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.kind.is_secret], ids=lambda entry: entry.name)
def test_every_secret_has_a_file_variable(entry: Entry, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-a-file", encoding="utf-8")

    settings = Settings.load({f"{entry.variable}_FILE": str(file)}, {})[0]

    assert "from-a-file" in getattr(getattr(settings, entry.section), entry.key)


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    """Nobody can know which of two secrets was meant."""
    assert faults_of(WCH_APP_SECRET="a", WCH_APP_SECRET_FILE=str(tmp_path / "b")) == (
        "WCH_APP_SECRET: WCH_APP_SECRET_FILE is set as well: keep one of the two.",
    )


def test_a_secret_file_that_is_missing_empty_or_no_text_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    faults = faults_of(
        WCH_APP_SECRET_FILE=str(tmp_path / "absent"),
        WCH_VERIFY_TOKEN_FILE=str(tmp_path / "empty"),
        WCH_ACCESS_TOKEN_FILE=str(tmp_path / "binary"),
        WCH_SECRET_KEY_FILE=str(tmp_path),
    )

    assert len(faults) == 4
    assert any("No such file" in fault for fault in faults)
    assert any("is empty" in fault for fault in faults)
    assert any("is not text" in fault for fault in faults)


def test_a_setting_that_is_no_secret_has_no_file_variable() -> None:
    _, _, warnings = Settings.load({"WCH_CURRENCY_FILE": "/anywhere"}, {})

    assert warnings == ("WCH_CURRENCY_FILE is not a setting and does nothing; WCH_CURRENCY is one.",)


def test_a_mistyped_variable_warns_and_names_the_nearest() -> None:
    settings, _, warnings = Settings.load({"WCH_RECOVRY_ENABLED": "false"}, {})

    assert settings.recovery.enabled
    assert warnings == ("WCH_RECOVRY_ENABLED is not a setting and does nothing; WCH_RECOVERY_ENABLED is one.",)


@pytest.mark.parametrize("name", ["WCH_CORPUS", "WCH_REQUIRE_ALL", "WCH_TEST_MYSQL_URL", "PATH", "SWCH_X"])
def test_names_of_others_and_of_the_test_suite_do_not_warn(name: str) -> None:
    assert Settings.load({name: "1"}, {})[2] == ()


def test_unknown_names_in_the_file_warn(tmp_path: Path) -> None:
    file = tmp_path / "wch.toml"
    file.write_text("[generall]\nx = 1\n[cart]\nexpire_hour = 3\n", encoding="utf-8")

    warnings = Settings.load({}, {}, file)[2]

    assert warnings == (
        "[generall] in wch.toml is not a section and does nothing; general is one.",
        "cart.expire_hour in wch.toml is not a setting and does nothing; cart.expire_hours is one.",
    )


def test_toml_says_lists_tables_and_numbers_in_its_own_way(tmp_path: Path) -> None:
    file = tmp_path / "wch.toml"
    file.write_text(
        "[recovery]\nmoments_hours = [2, 8]\nmin_total = '12.50'\n[log]\nlevel = 'debug'\n"
        "[whatsapp]\napp_secret = ['a', 'b']\n[marketing]\nquiet_start = 21:30:00\n"
        "[notifications.carriers]\nMine = 'https://track.example/{number}'\n",
        encoding="utf-8",
    )

    settings = Settings.load({}, {}, file)[0]

    assert settings.recovery.moments_hours == (2, 8)
    assert settings.recovery.min_total == Decimal("12.50")
    assert settings.whatsapp.app_secret == ("a", "b")
    assert settings.marketing.quiet_start == dt.time(21, 30)
    assert settings.notifications.carriers == {"Mine": "https://track.example/{number}"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "wch.toml is not there: `wch init` writes one."),
        ("[general\n", "wch.toml is not TOML"),
        ("general = 3\n", "general in wch.toml is a section: write [general] and its settings below."),
        ("[cart]\nexpire_hours = 'x'\n", "WCH_CART_EXPIRE_HOURS (cart.expire_hours in wch.toml): 'x' is not a whole"),
    ],
)
def test_a_wrong_file_is_told_in_a_sentence(content: str | None, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "wch.toml"
    if content is not None:
        file.write_text(content, encoding="utf-8")

    with pytest.raises(SettingsError) as caught:
        Settings.load({}, {}, file)

    assert str(caught.value).startswith(sentence)


# --- what is refused ---


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("WCH_PROFILE", "production", "give dev, test or prod"),
        ("WCH_CURRENCY", "euro", "three capitals like EUR"),
        ("WCH_COUNTRY", "Spain", "two capitals like ES"),
        ("WCH_TIMEZONE", "Europe/Atlantis", "is not a time zone"),
        ("WCH_TIMEZONE", "../../etc/passwd", "a zone like Europe/Madrid"),
        ("WCH_LANGUAGE", "english", "a language like en or pt_BR"),
        ("WCH_DATABASE_URL", "postgresql://localhost/wch", "is no database that is known here"),
        ("WCH_DATABASE_URL", "wch.db", "sqlite+aiosqlite:///wch.db"),
        ("WCH_DATABASE_URL", "mysql+pymysql://", "names no server"),
        ("WCH_TABLE_PREFIX", "wch`; drop", "letters, digits and _"),
        ("WCH_DATABASE_POOL_SIZE", "0", "from 1 to 200"),
        ("WCH_DATABASE_POOL_SIZE", "five", "is not a whole number"),
        ("WCH_DATABASE_POOL_SIZE", "2.5", "is not a whole number"),
        ("WCH_DATABASE_POOL_SIZE", "9" * 5000, "is not a whole number"),
        ("WCH_TESTING", "maybe", "give true or false"),
        ("WCH_GRAPH_URL", "graph.facebook.com", "is not an address"),
        ("WCH_GRAPH_URL", "ftp://graph.facebook.com", "is not an address"),
        ("WCH_GRAPH_URL", "https://graph.facebook.com:http", "is not an address"),
        ("WCH_GRAPH_VERSION", "24", "a version like v24.0"),
        ("WCH_PAYMENTS", "cod,paypal", "give some of cod, stripe, razorpay, mercadopago or whatsapp_pay"),
        ("WCH_SHOP", "shopify", "give local or woocommerce"),
        ("WCH_CHECKOUT_MIN_TOTAL", "12,50", "digits with a dot"),
        ("WCH_CHECKOUT_MIN_TOTAL", "-1", "digits with a dot"),
        ("WCH_CHECKOUT_MIN_TOTAL", "NaN", "digits with a dot"),
        ("WCH_RECOVERY_MOMENTS_HOURS", "6,1", "out of order: give them smallest first, like 1,6"),
        ("WCH_RECOVERY_MOMENTS_HOURS", "1,1,2", "out of order"),
        ("WCH_RECOVERY_MOMENTS_HOURS", "1,2,3,4", "has 4 entries: give 1 to 3"),
        ("WCH_RECOVERY_MOMENTS_HOURS", "[1,", "begins like JSON"),
        ("WCH_WORKER_BACKOFF_SECONDS", "60,5", "out of order"),
        ("WCH_HEALTH_DISK_PERCENT", "5,10,20", "largest first, like 20,10,5"),
        ("WCH_MARKETING_QUIET_START", "24:00", "hours and minutes"),
        ("WCH_MARKETING_BLOCKED_COUNTRIES", "Spain", "a list like US,CA"),
        ("WCH_NOTIFICATIONS_CARRIERS", '{"x": "http://a/{number}"}', "an https address with {number}"),
        ("WCH_NOTIFICATIONS_CARRIERS", "[]", "is not an object"),
        ("WCH_TEMPLATES_MAP", json.dumps({"shipped": "x" * 513}), "1 to 512 characters"),
        ("WCH_PRICING_TABLE", "{", "is not JSON"),
        ("WCH_LIMITS_API", "60", "is not in the form n/seconds"),
        ("WCH_LIMITS_API", "0/60", "numbers from 1 up"),
        ("WCH_BREAKERS_SHOP", "5/2", "failures/successes/seconds"),
        ("WCH_LOG_LEVEL", "loud", "give debug, info, warning, error or critical"),
        ("WCH_MERCADOPAGO_PAYER_EMAIL", "nobody", "an e-mail address"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_the_way_out(variable: str, value: str, complaint: str) -> None:
    (fault,) = faults_of(**{variable: value})

    assert fault.startswith(f"{variable}: ")
    assert complaint in fault
    assert len(fault) < 300


def test_all_faults_are_told_at_once() -> None:
    """Whoever repairs one at a time starts the server ten times."""
    faults = faults_of(
        WCH_CURRENCY="euro",
        WCH_DATABASE_POOL_SIZE="x",
        WCH_TIMEZONE="Nowhere/Here",
        WCH_FAILPOINTS="inbound.taken=kill",
    )

    assert [fault.partition(":")[0] for fault in faults] == [
        "WCH_CURRENCY",
        "WCH_DATABASE_POOL_SIZE",
        "WCH_TIMEZONE",
        "WCH_FAILPOINTS",
    ]


def test_the_message_lists_every_fault_on_a_line_of_its_own() -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(WCH_CURRENCY="euro", WCH_SHOP="shopify")

    first, *listed = str(caught.value).splitlines()
    assert first == "2 settings are wrong:"
    assert [line.strip() for line in listed] == list(caught.value.facts["faults"])


def test_a_rule_is_not_told_about_a_value_that_is_wrong_anyway() -> None:
    assert len(faults_of(WCH_SEGMENTS_SILVER="lots", WCH_SEGMENTS_GOLD="50")) == 1


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"WCH_SEGMENTS_SILVER": "600"}, "WCH_SEGMENTS_SILVER and WCH_SEGMENTS_GOLD and WCH_SEGMENTS_PLATINUM"),
        (
            {"WCH_CHECKOUT_MIN_TOTAL": "50", "WCH_CHECKOUT_MAX_TOTAL": "20"},
            "WCH_CHECKOUT_MIN_TOTAL and WCH_CHECKOUT_MAX_TOTAL",
        ),
        ({"WCH_RECOVERY_COUPON_AMOUNT": "101"}, "WCH_RECOVERY_COUPON_AMOUNT"),
        ({"WCH_FAILPOINTS": "inbound.taken=kill"}, "WCH_FAILPOINTS"),
    ],
)
def test_settings_that_contradict_each_other_are_named_together(environ: dict[str, str], names: str) -> None:
    (fault,) = faults_of(**environ)

    assert fault.startswith(f"{names}: ")


def test_no_largest_order_is_no_contradiction() -> None:
    assert loaded(WCH_CHECKOUT_MIN_TOTAL="50").checkout.max_total == 0


@pytest.mark.parametrize("variable", ["WCH_GRAPH_URL", "WCH_STRIPE_URL", "WCH_WOOCOMMERCE_URL", "WCH_RAZORPAY_URL"])
def test_profile_prod_asks_for_https_even_on_this_machine(variable: str) -> None:
    """The default is prod, so nobody sends a token in clear by forgetting something."""
    assert "is not https" in faults_of(**{variable: "http://127.0.0.1:9000"})[0]


@pytest.mark.parametrize("profile", ["dev", "test"])
@pytest.mark.parametrize("host", ["127.0.0.1:9000", "localhost", "[::1]:80", "127.3.2.1"])
def test_other_profiles_take_http_on_this_machine(profile: str, host: str) -> None:
    settings = loaded(WCH_PROFILE=profile, WCH_GRAPH_URL=f"http://{host}/")

    assert settings.whatsapp.graph_url == f"http://{host}"


@pytest.mark.parametrize(
    "host", ["graph.facebook.com", "127.0.0.1.example.com", "localhost.example", "10.0.0.1", "[::2]"]
)
def test_no_profile_takes_http_to_elsewhere(host: str) -> None:
    faults = faults_of(WCH_PROFILE="dev", WCH_GRAPH_URL=f"http://{host}")

    assert "not on this machine" in faults[0]


@given(value=st.text(), entry=st.sampled_from(ENTRIES))
def test_any_text_is_a_value_or_a_sentence(value: str, entry: Entry) -> None:
    """Whatever stands in the environment, the start ends in settings or in a list of faults."""
    try:
        settings = Settings.load({entry.variable: value}, {})[0]
    except SettingsError as error:
        assert all(fault.endswith(".") for fault in error.facts["faults"])  # noqa: PT017 -- either end is right
    else:
        shown = next(row for row in settings.describe() if (row.section, row.key) == (entry.section, entry.key))
        assert entry.kind.is_secret or not value.strip() or shown.origin == "environment"


@given(
    value=st.dictionaries(st.text(), st.integers() | st.text() | st.none()) | st.floats() | st.binary() | st.none(),
    entry=st.sampled_from(ENTRIES),
)
def test_any_python_value_is_a_value_or_a_sentence(value: object, entry: Entry) -> None:
    try:
        Settings.load({}, {entry.name: value})
    except SettingsError as error:
        assert error.facts["faults"]  # noqa: PT017 -- either end is right


# --- in code ---


def test_a_host_names_what_it_sets() -> None:
    settings = Settings(
        database_url="memory://",
        table_prefix="wp_wch_",
        app_secret="new,old",
        verify_token="v",
        access_token="a",
        phone_number_id="1,2",
        waba_id="w",
        catalog_id="c",
        graph_url="http://127.0.0.1:1",
        graph_version="v25.0",
        currency="EUR",
        country="ES",
        timezone="Europe/Madrid",
        language="es",
        secret_key=("k",),
        profile="test",
        testing=True,
        failpoints="inbound.taken=kill",
        shop="woocommerce",
        payments=["cod", "stripe"],
        log_level="debug",
        log_format="text",
    )

    assert settings.database.url == "memory://"
    assert settings.whatsapp.app_secret == ("new", "old")
    assert settings.whatsapp.phone_number_id == ("1", "2")
    assert settings.general.profile is Profile.TEST
    assert settings.shop.kind is ShopKind.WOOCOMMERCE
    assert settings.payments.enabled == (WayToPay.COD, WayToPay.STRIPE)
    assert settings.security.testing
    assert {row.origin for row in settings.describe() if row.value != row.default} == {"argument"}


def test_a_whole_section_may_be_handed_over() -> None:
    settings = Settings(general=General(currency="EUR"), language="es")

    assert (settings.general.currency, settings.general.language) == ("EUR", "es")
    assert settings.origins == {"general.currency": "argument", "general.language": "argument"}


def test_a_section_refuses_a_wrong_value_by_itself() -> None:
    with pytest.raises(SettingsError, match=r"^WCH_GRAPH_VERSION: 'x' is not in the form expected"):
        Whatsapp(graph_version="x")


@pytest.mark.parametrize("wrong", [{"curency": "EUR"}, {"general": "EUR"}, {"currency": "euro"}])
def test_wrong_names_and_values_in_code_are_refused_in_the_same_words(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        Settings(**wrong)  # type: ignore[arg-type] # wrong on purpose


def test_settings_are_frozen_and_equal_by_value() -> None:
    settings = Settings(currency="EUR")

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        settings.general = General()  # type: ignore[misc] # wrong on purpose
    assert settings == loaded(WCH_CURRENCY="EUR")


def test_amended_settings_keep_the_rest_and_where_it_came_from() -> None:
    settings = loaded(WCH_CURRENCY="EUR", WCH_SHOP_LOW_STOCK="9").amended(shop="woocommerce", language="es")

    assert (settings.shop.kind, settings.shop.low_stock) == (ShopKind.WOOCOMMERCE, 9)
    assert settings.general == General(currency="EUR", language="es")
    assert settings.origins == {
        "general.currency": "environment",
        "shop.low_stock": "environment",
        "general.language": "argument",
        "shop.kind": "argument",
    }


def test_amended_settings_are_checked_again() -> None:
    with pytest.raises(SettingsError, match="is not https"):
        Settings().amended(graph_url="http://127.0.0.1:1")


def test_errors_are_rooted_in_the_hubs_own() -> None:
    with pytest.raises(WchError):
        Settings(currency="euro")


def test_limits_and_breakers_come_as_values() -> None:
    settings = loaded(WCH_LIMITS_API="7/9", WCH_BREAKERS_SHOP="1/2/3")

    assert settings.limits.api == Window(count=7, seconds=9)
    assert settings.breakers.shop == Trip(failures=1, successes=2, seconds=3)


@pytest.mark.parametrize(("word", "value"), [("1", True), ("yes", True), ("ON", True), ("0", False), ("False", False)])
def test_yes_and_no_in_the_usual_words(word: str, *, value: bool) -> None:
    assert loaded(WCH_TESTING=word).security.testing is value


def test_lists_by_commas_and_by_json_are_the_same() -> None:
    assert loaded(WCH_PHONE_NUMBER_ID="1, 2,,1") == loaded(WCH_PHONE_NUMBER_ID='["1", "2"]')


# --- what is shown ---


def test_no_secret_is_ever_shown() -> None:
    """In no list, no repr, no error: they end up in logs and tickets."""
    secrets = {entry.variable: f"hidden-{number}" for number, entry in enumerate(ENTRIES) if entry.kind.is_secret}
    settings = loaded(**secrets, WCH_DATABASE_URL="mysql+pymysql://root:hidden-p@ss:w@db/wch")

    assert "hidden" not in repr(settings)
    assert "hidden" not in repr([attrs.asdict(row) for row in settings.describe()])
    assert "hidden" not in repr(settings.whatsapp)
    with pytest.raises(SettingsError) as caught:
        Settings.load({}, {name.removeprefix("WCH_").lower(): 7_777_777 for name in secrets})
    assert "7777777" not in str(caught.value)


def test_the_password_of_a_wrong_address_is_hidden() -> None:
    assert "hunter2" not in faults_of(WCH_DATABASE_URL="postgres://root:hunter2@db/wch")[0]
    assert "hunter2" not in faults_of(WCH_PROFILE="dev", WCH_GRAPH_URL="http://me:hunter2@example.com")[0]


def test_hiding_a_password_keeps_the_rest() -> None:
    assert without_password("mysql+pymysql://root:p@ss@db:3306/wch") == f"mysql+pymysql://root:{MASK}@db:3306/wch"
    assert without_password("mysql+pymysql://root@db/wch") == "mysql+pymysql://root@db/wch"


def test_a_description_has_a_row_for_each_setting() -> None:
    rows = Settings.load({"WCH_SHOP": "local", "WCH_APP_SECRET": "x,y"}, {})[0].describe()
    by_name = {f"{row.section}.{row.key}": row for row in rows}

    assert list(by_name) == [entry.name for entry in ENTRIES]
    assert (by_name["shop.kind"].origin, by_name["shop.low_stock"].origin) == ("environment", "default")
    assert by_name["whatsapp.app_secret"].value == f"{MASK},{MASK}"
    assert all(row.meaning and row.environment.startswith("WCH_") for row in rows)


# --- the sandbox, and being ready ---


def test_the_sandbox_alone_means_dev_and_makes_up_what_is_missing() -> None:
    settings = loaded(WCH_ACCESS_TOKEN="mine").for_sandbox(graph_url="http://127.0.0.1:8080/sandbox/graph")

    settings.require_for_serving()
    assert settings.general.profile is Profile.DEV
    assert settings.whatsapp.app_secret == ("sandbox-app-secret",)
    assert settings.whatsapp.access_token == "mine"
    assert settings.whatsapp.graph_url == "http://127.0.0.1:8080/sandbox/graph"
    assert settings.origins["whatsapp.access_token"] == "environment"
    assert settings.origins["whatsapp.app_secret"] == settings.origins["general.profile"] == "sandbox"


def test_the_sandbox_keeps_profile_test() -> None:
    assert loaded(WCH_PROFILE="test").for_sandbox().general.profile is Profile.TEST


@pytest.mark.parametrize("settings", [loaded(WCH_PROFILE="prod"), Settings(profile="prod")])
def test_the_sandbox_refuses_profile_prod_when_it_was_asked_for(settings: Settings) -> None:
    """Its secrets are known to everybody who reads the source."""
    with pytest.raises(SettingsError, match="does not run in profile prod"):
        settings.for_sandbox()


def test_the_sandbox_twice_is_the_sandbox_once() -> None:
    once = Settings().for_sandbox()

    assert once.for_sandbox() == once


def test_serving_names_all_that_is_missing_and_the_way_out() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings().require_for_serving()

    message = str(caught.value)
    assert all(name in message for name in COMPLETE)
    assert "wch init" in message
    assert "--sandbox" in message


@pytest.mark.parametrize("missing", COMPLETE)
def test_serving_takes_every_one_of_them(missing: str) -> None:
    loaded(**COMPLETE).require_for_serving()

    with pytest.raises(SettingsError, match=rf"since {missing} is not set:"):
        loaded(**{name: value for name, value in COMPLETE.items() if name != missing}).require_for_serving()


def test_working_takes_what_sending_takes() -> None:
    sending = {name: COMPLETE[name] for name in ("WCH_ACCESS_TOKEN", "WCH_PHONE_NUMBER_ID", "WCH_SECRET_KEY")}

    loaded(**sending).require_for_sending()

    with pytest.raises(SettingsError, match="WCH_ACCESS_TOKEN"):
        Settings().require_for_sending()


def test_what_is_switched_on_must_have_its_keys() -> None:
    """A gateway without a secret would take anybody's word for a payment."""
    with pytest.raises(SettingsError) as caught:
        loaded(**COMPLETE, WCH_PAYMENTS="cod,stripe", WCH_SHOP="woocommerce").require_for_serving()

    assert [fault.partition(":")[0] for fault in caught.value.facts["faults"]] == [
        "WCH_WOOCOMMERCE_URL",
        "WCH_WOOCOMMERCE_KEY",
        "WCH_WOOCOMMERCE_SECRET",
        "WCH_WOOCOMMERCE_WEBHOOK_SECRET",
        "WCH_STRIPE_SECRET_KEY",
        "WCH_STRIPE_WEBHOOK_SECRET",
    ]


def test_the_sandbox_takes_the_money_unless_an_address_was_given() -> None:
    """A hub that is tried out reaches no gateway by accident; a stand-in of one's own is reached on purpose."""
    given = {"WCH_STRIPE_URL": "http://127.0.0.1:9"}
    with pytest.raises(SettingsError):
        Settings.load(given, {}, None)
    settings, _, _ = Settings.load(given, {}, None, sandbox=True)
    tried = settings.for_sandbox(gateways_url="http://127.0.0.1:8080/sandbox")

    assert tried.stripe.url == "http://127.0.0.1:9"
    assert tried.razorpay.url == "http://127.0.0.1:8080/sandbox/razorpay"
    assert tried.mercadopago.url == "http://127.0.0.1:8080/sandbox/mercadopago"
    assert "@" in tried.mercadopago.payer_email
    assert settings.for_sandbox().razorpay.url == "https://api.razorpay.com"

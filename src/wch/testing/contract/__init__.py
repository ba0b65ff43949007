"""The contract of a store, as tests: what `wch.application.ports` promises, kept or not.

A store of your own passes when this is green in your tests:

    from wch.testing.contract import *  # noqa: F403 - an example in a docstring

    @pytest.fixture
    async def database(tmp_path):
        database = ...  # empty, with a clock that stands at `wch.testing.NOON`
        yield database
        await database.aclose()

It needs pytest and pytest-asyncio in its automatic mode. What your store cannot do yet is a
class that you leave out by name, so that it is seen. For assertions that show their values, say
`pytest.register_assert_rewrite("wch.testing.contract")` in your conftest before the import.
"""

from wch.testing.contract.census import TestCensus
from wch.testing.contract.guards import TestBreakers, TestClaims, TestLimits
from wch.testing.contract.holdings import TestHoldings
from wch.testing.contract.inbox import TestInboxQueries
from wch.testing.contract.interest import TestReengagements, TestViews
from wch.testing.contract.keys import TestKeys, TestTexts
from wch.testing.contract.messages import TestFence, TestLines, TestOutbox, TestThreads, TestWrittenTogether
from wch.testing.contract.people import TestCarts, TestConversations, TestCustomers
from wch.testing.contract.records import TestAudit, TestDeadLetters, TestOptions, TestSagas
from wch.testing.contract.rows import TestRows
from wch.testing.contract.together import TestNewWrittenTogether
from wch.testing.contract.transactions import TestTransactions
from wch.testing.contract.work import TestNotifications, TestRecipients, TestSync

__all__ = [
    "TestAudit",
    "TestBreakers",
    "TestCarts",
    "TestCensus",
    "TestClaims",
    "TestConversations",
    "TestCustomers",
    "TestDeadLetters",
    "TestFence",
    "TestHoldings",
    "TestInboxQueries",
    "TestKeys",
    "TestLimits",
    "TestLines",
    "TestNewWrittenTogether",
    "TestNotifications",
    "TestOptions",
    "TestOutbox",
    "TestRecipients",
    "TestReengagements",
    "TestRows",
    "TestSagas",
    "TestSync",
    "TestTexts",
    "TestThreads",
    "TestTransactions",
    "TestViews",
    "TestWrittenTogether",
]

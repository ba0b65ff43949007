"""How rows that several routes answer with are told: customers, sagas, threads."""

from wch.application.hub import Hub
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.errors import NotFoundError
from wch.entrypoints.http.api.calls import Told, sees
from wch.entrypoints.http.api.machine_views import SagaView
from wch.entrypoints.http.api.views import ConversationView, CustomerView


async def customer_of(hub: Hub, row: str) -> CustomerProfile:
    """The customer with this id.

    Raises:
        NotFoundError: there is none any more.
    """
    found = await hub.database.read(lambda uow: uow.customers.get(int(row)))
    if found is None:
        raise NotFoundError(kind="customer")
    return found


def customer_told(hub: Hub) -> Told:
    """A customer."""
    return Told(
        kind="customer",
        id_of=lambda one: one.id,
        read=lambda row: customer_of(hub, row),
        view=lambda one, request: CustomerView.of(one, sees=sees(request), currency=hub.currency),
    )


def thread_told(hub: Hub) -> Told:
    """A thread."""

    async def again(row: str) -> Conversation:
        return (await hub.conversations.show(int(row), limit=1)).conversation

    return Told(
        kind="conversation",
        id_of=lambda one: one.id,
        read=again,
        view=lambda one, request: ConversationView.of(one, sees=sees(request)),
    )


def saga_told(hub: Hub) -> Told:
    """A saga."""
    return Told(
        kind="saga",
        id_of=lambda one: one.saga_id,
        read=hub.sagas.show,
        view=lambda one, request: SagaView.of(one, sees=sees(request)),
    )

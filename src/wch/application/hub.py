"""The hub: every use-case in one frozen object. This is the driving port."""

import attrs

from wch.application.ahead import Ahead
from wch.application.analytics import Analytics
from wch.application.attachments import Attachments
from wch.application.audit_log import AuditLog
from wch.application.breakers import Breakers
from wch.application.broadcasts import Broadcasts
from wch.application.carts import Carts
from wch.application.checkup import Checkup
from wch.application.claims import Claims
from wch.application.conversations import Conversations
from wch.application.customers import Customers
from wch.application.dead_letters import DeadLetters
from wch.application.discrepancies import Discrepancies
from wch.application.doctor import Doctor
from wch.application.doors import Doors
from wch.application.erasures import Erasures
from wch.application.explaining import Explaining
from wch.application.exports import Exports
from wch.application.full_runs import FullRuns
from wch.application.health import Health
from wch.application.importing import Importing
from wch.application.inbox import Inbox
from wch.application.keys import Keys
from wch.application.limits import Limits
from wch.application.merges import Merges
from wch.application.messages import Messages
from wch.application.notifications import Notifications
from wch.application.operators import Operators
from wch.application.orders import Orders
from wch.application.outbox import Outbox
from wch.application.payments import IncomingPayments
from wch.application.ports import Clock, Database, Ids, Shop, Tracer
from wch.application.product_views import ProductViews
from wch.application.reengagements import Reengagements
from wch.application.refunds import Refunds
from wch.application.reminders import Reminders
from wch.application.replays import Replays
from wch.application.requests import Requests
from wch.application.saga_desk import SagaDesk
from wch.application.settings_desk import SettingsDesk
from wch.application.shop_news import ShopNews
from wch.application.statistics import Statistics
from wch.application.sync_tasks import SyncTasks
from wch.application.tallies import Tallies
from wch.application.templates import Templates
from wch.application.traces import Traces
from wch.application.verification import Verification
from wch.application.watching import Watching
from wch.application.wording import Wording
from wch.application.worker import Worker


@attrs.frozen(kw_only=True)
class Hub:
    """One shop's back office; several may live in one process."""

    database: Database
    clock: Clock
    ids: Ids
    shop: Shop
    inbox: Inbox
    shop_news: ShopNews
    outbox: Outbox
    worker: Worker
    conversations: Conversations
    replays: Replays
    attachments: Attachments
    wording: Wording
    messages: Messages
    carts: Carts
    reminders: Reminders
    reengagements: Reengagements
    views: ProductViews
    customers: Customers
    exports: Exports
    erasures: Erasures
    merges: Merges
    importing: Importing
    broadcasts: Broadcasts
    templates: Templates
    explaining: Explaining
    analytics: Analytics
    orders: Orders
    payments: IncomingPayments
    refunds: Refunds
    notifications: Notifications
    sync: SyncTasks
    runs: FullRuns
    discrepancies: Discrepancies
    sagas: SagaDesk
    dead_letters: DeadLetters
    breakers: Breakers
    limits: Limits
    statistics: Statistics
    audit: AuditLog
    tallies: Tallies
    tracer: Tracer
    verification: Verification
    traces: Traces
    operators: Operators
    watching: Watching
    ahead: Ahead
    doctor: Doctor
    settings: SettingsDesk
    health: Health
    checkup: Checkup
    doors: Doors
    keys: Keys
    requests: Requests
    claims: Claims
    currency: str

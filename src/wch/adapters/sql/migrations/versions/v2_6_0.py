"""The whole data model, as it was at the beginning."""

from alembic import context, op
from sqlalchemy import inspect

revision = "2.6.0"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table and index that is not there yet; a step that was cut off is run again."""
    connection = op.get_bind()
    metadata, on_step = (context.config.attributes[name] for name in ("metadata", "on_step"))
    inspector = inspect(connection)
    there = frozenset(inspector.get_table_names())
    for table in metadata.sorted_tables:
        if table.name in there:
            indexes = {index["name"] for index in inspector.get_indexes(table.name)}
            for index in table.indexes:
                if index.name not in indexes:
                    index.create(connection)
        else:
            table.create(connection)
        on_step()


def downgrade() -> None:
    """Remove them."""
    context.config.attributes["metadata"].drop_all(op.get_bind(), checkfirst=True)

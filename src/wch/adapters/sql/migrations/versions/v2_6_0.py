"""The whole data model, as it was at the beginning."""

from alembic import context, op

revision = "2.6.0"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table that is not there yet; a step that was cut off is run again."""
    context.config.attributes["metadata"].create_all(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Remove them."""
    context.config.attributes["metadata"].drop_all(op.get_bind(), checkfirst=True)

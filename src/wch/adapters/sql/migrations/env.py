"""How alembic runs our steps: on the connection it is handed, inside the caller's transaction."""

from alembic import context

settings = context.config.attributes
context.configure(
    connection=settings["connection"],
    target_metadata=settings["metadata"],
    version_table=settings["version_table"],
    transactional_ddl=False,
)
context.run_migrations()

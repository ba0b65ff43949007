"""The steps that alembic runs, one module for each version of the data model."""

"""Alembic's folder: `env.py` runs the files in `versions/`, each named v<number>_<what>.py."""

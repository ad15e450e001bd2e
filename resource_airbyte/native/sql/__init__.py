"""Destinations that are tables: what they all do, whatever the database behind them.

A database joins by two small things: a Dialect (what its SQL says differently) and a Database (how it is opened, asked
and loaded). The rules of the data are kept here, once: states come back only with their rows (1), staged tables are
swapped in whole (3), checkpoints are committed with their rows (4), and a stale attempt commits nothing (5).
"""

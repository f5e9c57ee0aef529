"""Thin adapters through which other toolkits run this package's trackers.

Their libraries are optional; each is imported only when its adapter is used.
"""

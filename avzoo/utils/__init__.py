"""Helpers that belong to no single concern. Importing this package brings in no torch."""

from avzoo.utils.register import register_all_modules

__all__ = ['register_all_modules']

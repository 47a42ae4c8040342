"""Generates documentation from the code: parts of the committed pages, and the pages of the site."""

"""Clients: users who sign in by every scheme, clients without credentials, curl, Chromium."""
from .client import Client, Front, Request
from .login import SCHEMES, make_login

__all__ = ["Client", "Front", "Request", "SCHEMES", "make_login"]

"""The identity lab: Windows-authenticated users in front of a proxy, from Debian packages only.

Real parts: a KDC, IIS stand-ins (httpd with mod_auth_gssapi and gss-ntlmssp), many users, clients
that speak NTLM, Kerberos and SPNEGO, curl and Chromium. Scripted parts: a back end for faults and
for crowds. README.md is the map.
"""
import sys
from pathlib import Path

# The harness of the http tests: loopback addresses, certificates, HTTP messages, httpd.
sys.path.append(str(Path(__file__).resolve().parents[1] / "http"))

#!/usr/bin/python3
"""Whether httpd in this container answers: its live page, from inside, where `Require local` lets it in.
Exit status 0: it does, 1: it does not, as the container file's HEALTHCHECK wants it."""
import http.client
import json
import sys

try:
    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=5)
    connection.request("GET", "/osproxy-status?json", headers={"Host": "localhost"})
    answer = connection.getresponse()
    page = json.loads(answer.read())
    healthy = answer.status == 200 and "vhosts" in page
    print(f"{answer.status}, {len(page['vhosts'])} virtual hosts")
except (OSError, ValueError, KeyError, http.client.HTTPException) as problem:
    print(problem)
    healthy = False
sys.exit(0 if healthy else 1)

"""/Echo/...: answers any method with JSON of what arrived at this server, one header a line."""
import json

from server import Response


def echo(request, server_name):
    """The request as the back end saw it: raw target, header fields in order, connection."""
    connection = request.connection
    answer = {
        "server": server_name,
        "connection": connection.number,
        "request": connection.requests,
        "connection_user": connection.user,
        "method": request.method,
        "target": request.target,
        "path": request.path,
        "version": request.version,
        "protocol": request.protocol,
        "body_length": request.body_length,
        "body_md5": request.body_md5,
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in answer.items()]
    fields = ",\n".join("  " + json.dumps(field) for field in request.headers)
    text = "{\n" + ",\n".join(lines) + ',\n "headers": [\n' + fields + "\n ]\n}\n"
    return Response(200, text, "application/json; charset=utf-8", [("Cache-Control", "no-cache")])

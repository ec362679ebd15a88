"""Stand for a Python process: what it would run is run in a copy of another, see ``ToolServer.python``.

It imports little, since its start is all that it costs.
"""

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    socket.send_fds(connection, [b' '], [0, 1, 2])
    connection.sendall(f'{json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ), 0])}\n'.encode())
    code = int(connection.recv(16))
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)

"""One HTTP connection: uvicorn's, with a time limit for the header and JSON errors."""

import contextlib
import re

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# Time in which a client can read an error before its connection is closed.
LINGER_SECONDS = 1

# h11 also accepts lines that end with a line feed only.
END_OF_HEADER = re.compile(rb"\n\r?\n")
CONTENT_LENGTH = re.compile(rb"^content-length[ \t]*:", re.IGNORECASE | re.MULTILINE)

ERROR = b'{"error": "the request must be valid HTTP with a header below 64 KB"}'
BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(ERROR), ERROR)
)


class HTTPProtocol(H11Protocol):
    """HTTP connection that is closed if no complete request header arrives in time.

    uvicorn has a time limit after a response, which ends with the next byte. This class has a limit
    for the time without a new request. It also closes connections whose client does not read a
    response, which would remain in memory.

    h11 limits the size of a header, and rejects headers with different values of Content-Length.
    This class also rejects equal values. RFC 9110, section 8.6, allows them, but no client needs
    them, and a server in front of this one could read them differently.
    """

    def connection_made(self, transport):
        super().connection_made(transport)
        self.is_rejected = False
        # State at the last check.
        self.last_cycle, self.last_unsent = None, 0
        self.idle_check = self.loop.call_later(self.timeout_keep_alive, self.close_if_idle)

    def connection_lost(self, exc):
        self.idle_check.cancel()
        super().connection_lost(exc)

    def data_received(self, data):
        if not self.is_rejected:
            super().data_received(data)

    def handle_events(self):
        if self.conn.their_state is h11.IDLE:
            header = END_OF_HEADER.split(self.conn.trailing_data[0], maxsplit=1)[0]
            if len(CONTENT_LENGTH.findall(header)) > 1:
                self.send_400_response("repeated Content-Length")
                return
        super().handle_events()

    def close_if_idle(self):
        """Close the connection if the client did nothing since the last check."""
        is_pending = self.cycle is not None and not self.cycle.response_complete
        has_request = is_pending or self.cycle is not self.last_cycle
        unsent = self.transport.get_write_buffer_size()
        if not has_request or (unsent > 0 and unsent == self.last_unsent):
            self.transport.abort()
            return
        self.last_cycle, self.last_unsent = self.cycle, unsent
        self.idle_check = self.loop.call_later(self.timeout_keep_alive, self.close_if_idle)

    def send_400_response(self, msg):
        """Answer a request that is not valid HTTP."""
        self.is_rejected = True
        if self.cycle is not None:
            # The body of this request is invalid. The app must not send a second response.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            # The response was sent before the end of the body.
            self.transport.close()
            return
        # Without h11, which would refuse a body after a HEAD request.
        self.transport.write(BAD_REQUEST)
        # A close with unread data would reset the connection, and the client could lose the answer.
        with contextlib.suppress(OSError):  # the client has closed the connection
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

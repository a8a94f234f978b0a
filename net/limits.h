#pragma once
/* Why: every cap a peer can run into, in one place. Numbers: research on HTTP/2 attacks and home
 * links; docs/PROTOCOL.md states them for other implementers.
 */

#define LIMIT_STREAMS            16          /* concurrent requests a connection */
#define LIMIT_HEADER_BYTES       (16 * 1024) /* names and values of one request */
#define LIMIT_HEADERS            64          /* fields of one request */
#define LIMIT_PATH_BYTES         512
#define LIMIT_BODY_BYTES         (8u << 20)   /* body of one request that is buffered whole */
#define LIMIT_BODIES_BYTES       (512u << 20) /* of all requests one server is receiving */
#define LIMIT_RESPONSE_BYTES     (1u << 30)   /* body of one response a client takes */
#define LIMIT_STREAM_WINDOW      (1 << 20)
#define LIMIT_CONNECTION_WINDOW  (4 << 20)
#define LIMIT_CONNECTIONS        1024 /* of one server */
#define LIMIT_CONNECTIONS_PER_IP 64
#define LIMIT_EMPTY_DATA         64  /* DATA frames without a byte in a row */
#define LIMIT_RESETS_BURST       100 /* stream errors a connection, then RESETS_PER_S */
#define LIMIT_RESETS_PER_S       10
#define LIMIT_HANDSHAKE_MS       10000
#define LIMIT_IDLE_MS            120000
#define LIMIT_STALL_MS           30000 /* no progress on a transfer */
#define LIMIT_PING_MS            30000
#define LIMIT_CONNECT_MS         10000
#define LIMIT_SLOW_AFTER_MS      60000        /* a body still arriving then must make ... */
#define LIMIT_SLOW_BYTES_PER_S   512          /* ... this rate on average */
#define LIMIT_STREAM_WAITING     (256 * 1024) /* of one event stream, unread by the peer */

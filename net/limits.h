#pragma once
/* Why: every cap a peer can run into, in one place. Numbers: research on HTTP/2 attacks and home
 * links; docs/PROTOCOL.md, "Limits", states them for other implementers, and a test
 * (tests/lint/limits) holds the two against each other.
 */

#define LIMIT_STREAMS       16          /* concurrent requests a connection */
#define LIMIT_HEADER_BYTES  (16 * 1024) /* names and values of one request */
#define LIMIT_HEADERS       64          /* fields of one request */
#define LIMIT_PATH_BYTES    512
#define LIMIT_CONTINUATIONS 8   /* frames of one header block after its first; nghttp2's own cap */
#define LIMIT_ACKS_WAITING  100 /* PING and SETTINGS answers that the peer does not read */

/* Windows. A server opens a request's own window once its body has a place, see net/guard.h. */
#define LIMIT_STREAM_WINDOW     (1 << 20)
#define LIMIT_CONNECTION_WINDOW (4 << 20)
#define LIMIT_GROWN_WINDOW      (32 << 20) /* of a client, when rate times round trip asks for it */
#define LIMIT_UPLOAD_WINDOW     (128 * 1024) /* of a request body before it has its place */

/* Bytes held for peers: request bodies, also while they are worked on, and answers not yet read. */
#define LIMIT_ON_ITS_WAY           (896 * 1024) /* of uploads in line, not yet acknowledged by TCP */
#define LIMIT_BODY_BYTES           (8u << 20)   /* body of one request that is buffered whole */
#define LIMIT_PROMISED_BYTES       (256u << 20) /* places given to bodies, of one server */
#define LIMIT_HELD_BYTES           (512u << 20) /* with what came unasked, of one server */
#define LIMIT_PROMISED_PER_ADDRESS (128u << 20)
#define LIMIT_HELD_PER_ADDRESS     (256u << 20)
#define LIMIT_ANSWERS_BYTES        (8u << 20) /* of one connection, waiting to be read; one always may */
#define LIMIT_RESPONSE_BYTES       (1u << 30)   /* body of one response a client takes */
#define LIMIT_STREAM_WAITING       (256 * 1024) /* of one event stream, unread by the peer */

/* Connections. */
#define LIMIT_CONNECTIONS             1024 /* of one server */
#define LIMIT_CONNECTIONS_PER_IP      64   /* of an IPv4 address or IPv6 /64 */
#define LIMIT_CONNECTIONS_PER_NETWORK 256  /* of an IPv6 /48 */
#define LIMIT_GREETING                512  /* not greeted yet; more wait, ... */
#define LIMIT_GREETING_MS             1000 /* ... until the oldest has had so long: it gives way */
#define LIMIT_GREETINGS_BURST         64   /* handshakes of an address at once, then PER_S */
#define LIMIT_GREETINGS_PER_S         8
#define LIMIT_ACCEPTS_PER_S           800 /* handshakes that a server begins */

/* Misbehaviour that ends a connection. */
#define LIMIT_EMPTY_DATA   64  /* DATA frames without a byte in a row */
#define LIMIT_RESETS_BURST 100 /* stream errors a connection, then RESETS_PER_S */
#define LIMIT_RESETS_PER_S 10
#define LIMIT_IDLE_BYTES   (256 * 1024) /* received that carry nothing, then PER_S; see net/h2.h */
#define LIMIT_IDLE_PER_S   (16 * 1024)

/* Time. */
#define LIMIT_HANDSHAKE_MS     10000
#define LIMIT_HEAD_MS          10000 /* a header block from its first frame to its last */
#define LIMIT_IDLE_MS          120000
#define LIMIT_STALL_MS         30000 /* no progress on a transfer */
#define LIMIT_PING_MS          30000
#define LIMIT_CONNECT_MS       10000
#define LIMIT_SLOW_AFTER_MS    60000 /* a body still arriving then must make ... */
#define LIMIT_SLOW_BYTES_PER_S 512   /* ... this rate on average */

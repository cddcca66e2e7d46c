/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The check of client keys on connection (ZeroMQ's ZAP, RFC 27). Without a
 * handler a CURVE server accepts every client key, so the handler must be bound
 * before any socket.
 * Tests: broker-access, hub-loss */
#include "control-log-private.h"
#include "zap-private.h"
#include "zmq-source-private.h"

#include <string.h>

/* Frames of a request of the mechanism CURVE. */
enum
{
  FRAME_VERSION,
  FRAME_REQUEST,
  FRAME_DOMAIN,
  FRAME_ADDRESS,
  FRAME_IDENTITY,
  FRAME_MECHANISM,
  FRAME_CREDENTIAL,
  N_FRAMES
};

typedef struct
{
  guint8 data[256];
  size_t size; /* 0 also for a frame that was too long */
} Frame;

void *
zap_open (void *zmq_context)
{
  void *socket = zmq_socket (zmq_context, ZMQ_REP);
  int linger = 0;

  if (!socket)
    return NULL;
  zmq_setsockopt (socket, ZMQ_LINGER, &linger, sizeof linger);
  if (zmq_bind (socket, "inproc://zeromq.zap.01") != 0)
    wire_close_socket (&socket);
  return socket;
}

/* Takes a whole request; returns its number of frames, 0 if there is none. */
static guint
receive (void *socket, Frame frames[N_FRAMES])
{
  guint n = 0;
  int more = 1;
  size_t more_size = sizeof more;

  while (more) {
    Frame spare, *frame = n < N_FRAMES ? &frames[n] : &spare;
    int size = zmq_recv (socket, frame->data, sizeof frame->data, ZMQ_DONTWAIT);
    if (size < 0)
      return 0;
    frame->size = size <= (int) sizeof frame->data ? size : 0;
    n++;
    if (zmq_getsockopt (socket, ZMQ_RCVMORE, &more, &more_size) != 0)
      return 0;
  }
  return n;
}

static gboolean
frame_is (const Frame *frame, const char *text)
{
  return frame->size == strlen (text)
      && memcmp (frame->data, text, frame->size) == 0;
}

static gboolean
accept_client (const Frame *frames, guint n, ZapCheck check, gpointer user_data,
    char key[DATAHUB_KEY_TEXT + 1])
{
  return n == N_FRAMES && frame_is (&frames[FRAME_VERSION], "1.0")
      && frame_is (&frames[FRAME_DOMAIN], ZAP_DOMAIN)
      && frame_is (&frames[FRAME_MECHANISM], "CURVE")
      && frames[FRAME_CREDENTIAL].size == DATAHUB_KEY_SIZE
      && zmq_z85_encode (key, frames[FRAME_CREDENTIAL].data, DATAHUB_KEY_SIZE)
      && check (key, user_data);
}

static void
send_frame (void *socket, const void *data, size_t size, gboolean last)
{
  zmq_send (socket, data, size, ZMQ_DONTWAIT | (last ? 0 : ZMQ_SNDMORE));
}

/* Answers one request. The user id of an accepted client is its public key:
 * libzmq attaches it to every message of the connection, independent of the
 * content. */
void
zap_answer (void *socket, ZapCheck check, gpointer user_data)
{
  Frame frames[N_FRAMES];
  char key[DATAHUB_KEY_TEXT + 1] = "";
  guint n = receive (socket, frames);

  if (n == 0)
    return;
  gboolean accepted = accept_client (frames, n, check, user_data, key);
  /* the check reports a key that it refuses */
  if (!accepted && !*key)
    control_log (G_LOG_LEVEL_INFO, "client-refused",
        "a client was refused: it has no key");

  const char *code = accepted ? "200" : "400";
  const char *text = accepted ? "OK" : "this key is not on the allow-list";
  send_frame (socket, "1.0", 3, FALSE);
  send_frame (socket, frames[FRAME_REQUEST].data,
      n > FRAME_REQUEST ? frames[FRAME_REQUEST].size : 0, FALSE);
  send_frame (socket, code, 3, FALSE);
  send_frame (socket, text, strlen (text), FALSE);
  send_frame (socket, key, accepted ? strlen (key) : 0, FALSE);
  send_frame (socket, "", 0, TRUE);
}

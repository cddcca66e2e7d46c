/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ZeroMQ: PUB and SUB over ipc, without encryption. */
#include "bench-link.h"

#include <zmq.h>

#define SLICE_MS 100

static void *context, *publisher, *subscriber;
static zmq_msg_t message;

static void
must (int result, const char *what)
{
  if (result < 0)
    bench_link_fail (what, zmq_strerror (zmq_errno ()));
}

static void *
new_socket (int type)
{
  int zero = 0, slice = SLICE_MS;
  context = zmq_ctx_new ();
  void *socket = zmq_socket (context, type);
  /* the board limits what is in flight; otherwise PUB would drop it */
  zmq_setsockopt (socket, ZMQ_SNDHWM, &zero, sizeof zero);
  zmq_setsockopt (socket, ZMQ_RCVHWM, &zero, sizeof zero);
  zmq_setsockopt (socket, ZMQ_LINGER, &zero, sizeof zero);
  zmq_setsockopt (socket, ZMQ_RCVTIMEO, &slice, sizeof slice);
  return socket;
}

static void
open_sender (const BenchWork *work)
{
  publisher = new_socket (ZMQ_PUB);
  must (zmq_bind (publisher, work->channel), "bind");
}

static void
open_receiver (const BenchWork *work)
{
  subscriber = new_socket (ZMQ_SUB);
  must (zmq_setsockopt (subscriber, ZMQ_SUBSCRIBE, "", 0), "subscribe");
  must (zmq_connect (subscriber, work->channel), "connect");
}

static void *
begin (const BenchWork *work)
{
  must (zmq_msg_init_size (&message, (size_t) work->size), "message");
  return zmq_msg_data (&message);
}

static void
send (const BenchWork *work)
{
  must (zmq_msg_send (&message, publisher, 0), "send");
}

static const void *
receive (const BenchWork *work, size_t *size)
{
  zmq_msg_init (&message);
  if (zmq_msg_recv (&message, subscriber, 0) < 0)
    return NULL;
  *size = zmq_msg_size (&message);
  return zmq_msg_data (&message);
}

static void
release (void)
{
  zmq_msg_close (&message);
}

static void
close_all (void)
{
  zmq_close (publisher ? publisher : subscriber);
  zmq_ctx_term (context);
}

const BenchLink bench_link_zmq = { "zmq", open_sender, open_receiver, begin,
  send, receive, release, close_all };

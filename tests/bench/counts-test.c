/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A receiver of the benchmarks counts what is lost, reordered and torn, and a
 * sender stamps what it sends. */
#include "common/check.h"

#include "bench-receiver.h"

#include <string.h>

#define SIZE 4096

/* In the place of a board, which is zero when a measurement begins. */
static _Alignas(64) uint8_t board[64 * (BENCH_MOST_RECEIVERS + 1)];
static BenchWork work = { .size = SIZE,
  .every_byte = true,
  .receivers = 1,
  .in_flight = 4,
  .board = (BenchBoard *) (void *) board };
static uint8_t bytes[SIZE];
static BenchReceiver receiver;

/* A whole buffer as a sender makes it; a test may damage it. */
static void
make (uint64_t number, uint64_t flags)
{
  BenchStamp stamp = { .number = number, .sent_ns = 1000, .flags = flags };
  stamp.check = bench_stamp_check (&stamp);
  memset (bytes, (int) (number & 0xff), SIZE);
  memcpy (bytes, &stamp, sizeof stamp);
}

static bool
take (void)
{
  return bench_receiver_take (&receiver, bytes, SIZE, 2000);
}

static void
make_and_take (uint64_t number)
{
  make (number, BENCH_MEASURED);
  CHECK (take ());
}

static void
begin (void)
{
  bench_receiver_init (&receiver, &work, 0);
  make (0, BENCH_HELLO);
  CHECK (take ());
  for (uint64_t number = 0; number < 3; number++)
    make_and_take (number);
}

static void
check_counts (uint64_t lost, uint64_t torn, uint64_t reordered)
{
  CHECK_INT (receiver.lost, ==, lost);
  CHECK_INT (receiver.torn, ==, torn);
  CHECK_INT (receiver.reordered, ==, reordered);
}

static void
counts_nothing_of_a_whole_stream (void)
{
  begin ();
  check_counts (0, 0, 0);
  CHECK_INT (receiver.received, ==, 3);
}

static void
counts_each_lost_buffer (void)
{
  begin ();
  make_and_take (5);
  make_and_take (6);
  check_counts (2, 0, 0);
}

static void
counts_a_reordered_buffer (void)
{
  begin ();
  make_and_take (4);
  make_and_take (3);
  make_and_take (5);
  check_counts (1, 0, 1);
}

static void
counts_a_torn_stamp (void)
{
  begin ();
  make (3, BENCH_MEASURED);
  bytes[8] ^= 1; /* the instant */
  CHECK (take ());
  check_counts (0, 1, 0);
}

static void
counts_a_torn_payload (void)
{
  begin ();
  make (3, BENCH_MEASURED);
  bytes[SIZE - 1] ^= 1;
  CHECK (take ());
  check_counts (0, 1, 0);
}

static void
counts_nothing_of_the_warm_up (void)
{
  bench_receiver_init (&receiver, &work, 0);
  make (7, 0);
  CHECK (take ());
  make_and_take (8);
  check_counts (0, 0, 0);
  CHECK_INT (receiver.received, ==, 1);
}

static void
ends_with_the_last_one (void)
{
  begin ();
  make (3, BENCH_MEASURED | BENCH_LAST);
  CHECK (!take ());
  check_counts (0, 0, 0);
}

static void
takes_what_a_sender_fills (void)
{
  BenchSender sender = { .work = &work };
  begin ();
  receiver.expected = 0;
  bool more = true;
  /* a work of no time ends with its first measured buffers */
  for (int i = 0; more && i < 1000; i++) {
    CHECK (bench_sender_fill (&sender, bytes, SIZE));
    more = take ();
  }
  CHECK (!more);
  CHECK (!bench_sender_fill (&sender, bytes, SIZE));
  check_counts (0, 0, 0);
}

static const CheckTest tests[] = {
  { "counts nothing of a whole stream", counts_nothing_of_a_whole_stream },
  { "counts each lost buffer", counts_each_lost_buffer },
  { "counts a reordered buffer", counts_a_reordered_buffer },
  { "counts a torn stamp", counts_a_torn_stamp },
  { "counts a torn payload", counts_a_torn_payload },
  { "counts nothing of the warm-up", counts_nothing_of_the_warm_up },
  { "ends with the last buffer", ends_with_the_last_one },
  { "takes what a sender fills", takes_what_a_sender_fills },
};

CHECK_MAIN (tests)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of memory by need share: a camera, its service thread, and loans.
 * Wrappers, which the linker puts before the functions, give the time and what the
 * control group has left. Each program includes this once. */
#ifndef TESTS_CORE_MEMORY_NEED_H
#define TESTS_CORE_MEMORY_NEED_H

#include "fixture.h"

#include "core/os/os-cgroup-private.h"
#include "core/os/os-private.h"
#include "core/producer/producer-private.h"

#include <errno.h>
#include <stdatomic.h>

#define MIB (UINT64_C (1) << 20)
#define PICTURE UINT64_C (3110400) /* 1920x1080, I420 */
#define FIRST_SLOTS 12u /* of such pictures: a ring of eight, and four */
#define LONG (6 * CHECK_S) /* more than memory stays that is not needed */
#define HELD_MAX 40

static _Atomic int64_t later;
static _Atomic uint64_t available = UINT64_MAX;
/* The service thread stops before a piece of memory while that is set. */
static _Atomic bool stops, stopped;
static _Atomic uint32_t n_pieces; /* that it made */
/* Pieces that any thread gets before the file system is full. */
static _Atomic uint32_t pieces_left = UINT32_MAX;
static _Thread_local bool is_service;
/* It measures the memory while the other thread does, if that is set. */
static _Atomic bool meets, other_measures;
static DatahubProducer *met;

static inline bool
is_hurried (DatahubProducer *producer)
{
  bool hurry;
  pthread_mutex_lock (&producer->lock);
  hurry = producer->pools.ahead.hurry;
  pthread_mutex_unlock (&producer->lock);
  return hurry;
}

int64_t __real_os_now_coarse (void);
int64_t __wrap_os_now_coarse (void);

int64_t
__wrap_os_now_coarse (void)
{
  return __real_os_now_coarse () + later;
}

int __real_os_reserve_piece (int fd, uint64_t offset, uint64_t size);
int __wrap_os_reserve_piece (int fd, uint64_t offset, uint64_t size);

int
__wrap_os_reserve_piece (int fd, uint64_t offset, uint64_t size)
{
  if (is_service) {
    stopped = stops;
    CHECK_UNTIL (!stops || (meets && is_hurried (met)));
    n_pieces++;
  }
  if (pieces_left == 0)
    return ENOSPC;
  if (pieces_left != UINT32_MAX)
    pieces_left--;
  return __real_os_reserve_piece (fd, offset, size);
}

GroupSpace __wrap_os_group_space (void);

GroupSpace
__wrap_os_group_space (void)
{
  if (meets && is_service) {
    CHECK_UNTIL (other_measures);
  } else if (meets && !other_measures) {
    other_measures = true;
    CHECK_UNTIL (stopped);
  }
  return (GroupSpace){ UINT64_MAX, available };
}

/* Of pictures, with all defaults. */
static inline DatahubProducer *
camera (uint64_t size)
{
  DatahubProducerOptions options;
  datahub_producer_options_init (&options);
  options.slot_size = size;
  options.strict = is_strict_run ();
  return producer_new ("cam0", &options);
}

typedef struct
{
  DatahubProducer *producer;
  CheckThread *thread;
  _Atomic bool ends;
  _Atomic uint32_t n_changes; /* that it returned for */
  DatahubResult last;
} Service;

static inline void *
serve (void *data)
{
  Service *service = data;
  uint32_t seen = 0;
  is_service = true;
  do {
    service->last = datahub_producer_wait_attention (service->producer, &seen,
        DATAHUB_FOREVER);
    service->n_changes++;
  } while (service->last == DATAHUB_OK && !service->ends);
  return NULL;
}

static inline void
start_service (Service *service, DatahubProducer *producer)
{
  *service = (Service){ .producer = producer };
  service->thread = check_thread (serve, service);
  check_until_asleep (service->thread);
}

static inline void
stop_service (Service *service)
{
  datahub_producer_set_interrupted (service->producer, DATAHUB_WAIT_ATTENTION,
      true);
  check_thread_join (service->thread);
  CHECK_INT (service->last, ==, DATAHUB_INTERRUPTED);
}

typedef struct
{
  DatahubSlot slots[HELD_MAX];
  uint32_t n;
} Loans;

/* A call that never waits. */
static inline void
borrow (DatahubProducer *producer, Loans *loans, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++) {
    CHECK_OK (datahub_producer_acquire_slot (producer, 1, 0,
        &loans->slots[loans->n], &err));
    loans->n++;
  }
}

static inline void
give_back (DatahubProducer *producer, Loans *loans)
{
  for (uint32_t i = 0; i < loans->n; i++)
    datahub_producer_abort (producer, &loans->slots[i]);
  loans->n = 0;
}

static inline uint64_t
growths (DatahubProducer *producer)
{
  return producer_stats (producer).growths;
}

#endif /* TESTS_CORE_MEMORY_NEED_H */

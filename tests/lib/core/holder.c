/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "holder.h"

static void
take_lock (DatahubConsumer *consumer, const Holder *holder)
{
  DatahubSpinlock *lock = NULL;
  CHECK_OK (datahub_consumer_open_spinlock (consumer, holder->lock, &lock,
      &err));
  DatahubResult result = datahub_spinlock_lock (lock, 0);
  CHECK (result == DATAHUB_OK
      || (holder->inherits && result == DATAHUB_OWNER_DIED));
}

void
hold_on (CheckParent *parent)
{
  const Holder *holder = parent->data;
  DatahubConsumer *consumer = holder->quota
      ? consumer_new_quota ("cam0", holder->reliable, holder->quota)
      : consumer_new ("cam0", holder->reliable, DATAHUB_START_OLDEST);
  if (holder->lock)
    take_lock (consumer, holder);
  for (uint32_t i = 0; i < holder->records; i++)
    read_record (consumer);
  check_ready (parent);
  check_until_killed (parent);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of a block on the producer's side. A named block consists of files
 * in the directory of shared memory, a strict block of sealed memory without
 * names, with a server that sends its descriptors. The table of functions is
 * chosen once, when the producer is made, so that the other files do not test
 * which it is. */
#ifndef DATAHUB_BACKING_PRIVATE_H
#define DATAHUB_BACKING_PRIVATE_H

#include "error-log-private.h"

#include <datahub/producer.h>

typedef struct _Backing Backing;
typedef struct _Pool Pool;
typedef struct _Reaper Reaper;
typedef struct _StrictServer StrictServer;

typedef struct
{
  /* Makes the control file and the consumer table and maps them; rows are as
   * they are without an owner. */
  DatahubResult (*make_control) (DatahubProducer *producer,
      DatahubError *error);
  /* How much memory can be had, if the file system has @space. */
  uint64_t (*available) (uint64_t space);

  /* Pools. The lock of the producer is held for those that link and remove. */
  const char *place; /* what is short when no pool can be made */
  uint64_t (*huge_page) (const Backing *backing); /* for payload; 0: none */
  /* Makes a file of which nothing is allocated, on pages of @huge_page bytes if
   * that is not 0; @size becomes its real size. -1 with errno. */
  int (*create_pool) (const Backing *backing, uint64_t *size,
      uint64_t huge_page, const char *what);
  bool (*seal_pool) (int *fd); /* after it was mapped */
  void (*offer_pool) (const Backing *backing,
      const Pool *pool); /* before the pool table names it */
  bool (*link_pool) (const Backing *backing, const Pool *pool);
  void (*withdraw_pool) (const Backing *backing, const Pool *pool);
  void (*remove_pool) (const Backing *backing, const Pool *pool);

  /* Publication: the parts but lck and the pools get their names; then, before
   * the entry does, clients can be served. */
  bool (*link_control) (Backing *backing);
  DatahubResult (*serve) (const Backing *backing, DatahubError *error);

  /* Rows. */
  bool rows_in_lck; /* their locks are bytes of the lock file */
  bool (*reap_row) (Reaper *reaper, uint32_t row);
  /* Makes what others see of the lives of consumers as new as it can be. */
  void (*update_claims) (Reaper *reaper);

  /* The end. */
  void (*stop_serving) (const Backing *backing);
  /* Waits for consumers that have not opened the newest pools. Returns whether
   * some still have not, and need the files. */
  bool (*wait_for_laggards) (const Backing *backing);
  void (*free) (DatahubProducer *producer);
} BackingFuncs;

struct _Backing
{
  const BackingFuncs *funcs; /* unchanged after creation, like what follows */
  Block *block; /* not owned: the producer's, like the options */
  const DatahubProducerOptions *options;
  ErrorLog *errors;
  int ctl_fd, con_fd; /* until they have names; of a strict block, for good */
  StrictServer *server; /* of a strict block; else NULL */
};

extern const BackingFuncs named_backing;
extern const BackingFuncs strict_backing;

/* Permissions of files that only the producer writes. */
static inline uint32_t
backing_private_mode (const Backing *backing)
{
  return backing->options->mode & 0644;
}

/* Permissions of the files of a named block that its consumers write: a user that
 * can read a block must be able to lock and to write its row. There are no bits
 * for other users. */
static inline uint32_t
backing_shared_mode (const Backing *backing)
{
  uint32_t mode = backing->options->mode;
  return (mode | (mode & 0444) >> 1) & 0666;
}

/* Permissions of lck. Consumers of a strict block hold no lock of it: other users
 * that the mode admits read its identity, and test whether byte 0 is held. With
 * write permission they could truncate it and take its locks. */
static inline uint32_t
backing_lock_mode (const Backing *backing)
{
  return backing->options->strict ? backing_private_mode (backing)
                                  : backing_shared_mode (backing);
}

#endif /* DATAHUB_BACKING_PRIVATE_H */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostile.h"
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

Intrusion
intrude (const char *suffix)
{
  struct stat st;
  Intrusion intrusion = { 0 };
  if (is_strict_run ())
    check_skip ("a strict block has no file %s to break into", suffix);
  intrusion.fd = open (check_find_file (suffix), O_RDWR | O_CLOEXEC);
  CHECK (intrusion.fd >= 0 && fstat (intrusion.fd, &st) == 0);
  intrusion.size = (uint64_t) st.st_size;
  intrusion.bytes = mmap (NULL, intrusion.size, PROT_READ | PROT_WRITE,
      MAP_SHARED, intrusion.fd, 0);
  CHECK (intrusion.bytes != MAP_FAILED);
  intrusion.saved = malloc (intrusion.size);
  memcpy (intrusion.saved, intrusion.bytes, intrusion.size);
  return intrusion;
}

void
intrusion_restore (Intrusion *intrusion)
{
  CHECK (ftruncate (intrusion->fd, (off_t) intrusion->size) == 0);
  memcpy (intrusion->bytes, intrusion->saved, intrusion->size);
}

void
intrusion_end (Intrusion *intrusion)
{
  munmap (intrusion->bytes, intrusion->size);
  close (intrusion->fd);
  free (intrusion->saved);
}

void
renew_header_check (BlockIdentity *identity)
{
  const uint8_t *at = (const uint8_t *) identity;
  uint64_t hash = UINT64_C (0xcbf29ce484222325);
  for (size_t i = 0; i < offsetof (BlockIdentity, header_check); i++)
    hash = (hash ^ at[i]) * UINT64_C (0x100000001b3);
  identity->header_check = hash;
}

static void
publish_and_wait (CheckParent *parent)
{
  DatahubProducer *producer = producer_new ("cam0", NULL);
  commit_event (producer, DATAHUB_RECORD_CAPS, "caps");
  commit_buffers (producer, 0, 7);
  check_ready (parent);
  check_until_killed (parent);
}

void
leave_dead_block (void)
{
  CheckChild child = check_fork_ready (publish_and_wait, NULL);
  check_kill (&child);
}

void
make_stray_pool (void)
{
  char path[256];
  snprintf (path, sizeof path, "%s", check_find_file (".d2"));
  path[strlen (path) - 1] = '9';
  int fd = open (path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  CHECK (fd >= 0 && ftruncate (fd, 4096) == 0);
  close (fd);
}

uint64_t
check_noise (uint64_t *state)
{
  *state = *state * UINT64_C (6364136223846793005) + 1442695040888963407u;
  return *state ^ *state >> 29;
}

void *
wobble (void *data)
{
  Wobble *w = data;
  for (uint64_t i = 0; !atomic_load (&w->stop); i++)
    atomic_store (w->word, GATE_WORD (i, i % 8)); /* never the same */
  return NULL;
}

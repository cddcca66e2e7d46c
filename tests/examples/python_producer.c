/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A producer that does as it is told, for the tests of the examples in Python:
 * python-producer CHANNEL SLOT-SIZE SLOTS RING [CHECKSUM] reads one command a
 * line, and answers with a line for each buffer and then with "done":
 *   caps TEXT · buffers N SIZE MEMORIES · eos · flush · loans N · error CODE TEXT ·
 *   copied N · close · die
 */
#include <datahub/core.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PTS_STEP UINT64_C (40000000)
#define TIMEOUT INT64_C (10000000000)

static uint64_t n_buffers;
static uint32_t noise = 1;

/* The CRC-32 of zlib and PNG. */
static uint32_t
crc32_of (uint32_t crc, const uint8_t *data, size_t size)
{
  crc = ~crc;
  for (size_t i = 0; i < size; i++) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

static void
fail (const char *what, const DatahubError *error)
{
  fprintf (stderr, "%s: %s\n", what, error->message);
  exit (1);
}

static void
fill (uint8_t *data, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    noise = noise * 1664525 + 1013904223;
    data[i] = noise >> 24;
  }
}

static DatahubCommit
empty_record (DatahubRecordType type)
{
  DatahubCommit record = { .struct_size = sizeof (DatahubCommit),
    .type = type,
    .pts = DATAHUB_NONE,
    .dts = DATAHUB_NONE,
    .duration = DATAHUB_NONE,
    .offset = DATAHUB_NONE,
    .offset_end = DATAHUB_NONE };
  return record;
}

static uint64_t
commit (DatahubProducer *producer, const DatahubCommit *record)
{
  DatahubError error = { 0 };
  uint64_t sequence = 0;
  if (datahub_producer_commit (producer, record, TIMEOUT, &sequence, &error)
      != DATAHUB_OK)
    fail ("commit", &error);
  return sequence;
}

static void
commit_body (DatahubProducer *producer, DatahubRecordType type,
    const char *text)
{
  DatahubCommit record = empty_record (type);
  record.meta = text;
  record.meta_size = text ? (uint32_t) strlen (text) + 1 : 0;
  commit (producer, &record);
}

/* One buffer, its bytes shared out over @n_memories. */
static void
commit_buffer (DatahubProducer *producer, uint64_t size, uint32_t n_memories)
{
  DatahubError error = { 0 };
  DatahubSlot slots[DATAHUB_MAX_MEMORIES];
  DatahubCommit record = empty_record (DATAHUB_RECORD_BUFFER);
  uint32_t crc = 0;
  uint64_t left = size, sequence;
  record.pts = n_buffers * PTS_STEP;
  record.flags = n_buffers % 10 ? DATAHUB_FLAG_DELTA_UNIT : 0;
  record.n_memories = n_memories;
  record.release = true;
  for (uint32_t i = 0; i < n_memories; i++) {
    uint64_t part = i + 1 == n_memories ? left : size / n_memories;
    if (datahub_producer_acquire_slot (producer, part, TIMEOUT, &slots[i],
            &error)
        != DATAHUB_OK)
      fail ("acquire", &error);
    fill (slots[i].data, part);
    crc = crc32_of (crc, slots[i].data, part);
    record.memories[i] = (DatahubCommitMemory){ &slots[i], 0, part };
    left -= part;
  }
  sequence = commit (producer, &record);
  printf ("buffer %llu pts=%llu size=%llu crc=%08x %s\n",
      (unsigned long long) sequence, (unsigned long long) record.pts,
      (unsigned long long) size, crc, n_buffers % 10 ? "delta" : "key");
  n_buffers++;
}

/* Takes slots out of use. */
static void
keep_loans (DatahubProducer *producer, unsigned count)
{
  DatahubError error = { 0 };
  DatahubSlot slot;
  while (count-- > 0)
    if (datahub_producer_acquire_slot (producer, 1, TIMEOUT, &slot, &error)
        != DATAHUB_OK)
      fail ("acquire", &error);
}

static bool
obey (DatahubProducer *producer, const char *line)
{
  unsigned long long count, size;
  unsigned n_memories;
  int skip = 0;
  if (sscanf (line, "buffers %llu %llu %u", &count, &size, &n_memories) == 3
      && n_memories <= DATAHUB_MAX_MEMORIES)
    for (unsigned long long i = 0; i < count; i++)
      commit_buffer (producer, size, n_memories);
  else if (strncmp (line, "caps ", 5) == 0)
    commit_body (producer, DATAHUB_RECORD_CAPS, line + 5);
  else if (strcmp (line, "eos") == 0)
    commit_body (producer, DATAHUB_RECORD_EOS, NULL);
  else if (strcmp (line, "flush") == 0)
    datahub_producer_flush (producer);
  else if (sscanf (line, "loans %u", &n_memories) == 1)
    keep_loans (producer, n_memories);
  else if (sscanf (line, "error %u %n", &n_memories, &skip) == 1)
    datahub_producer_note_error (producer, (DatahubResult) n_memories,
        line + skip);
  else if (sscanf (line, "copied %u", &n_memories) == 1)
    datahub_producer_count_copied (producer, n_memories);
  else if (strcmp (line, "die") == 0)
    raise (SIGKILL);
  else
    return false;
  return true;
}

int
main (int argc, char **argv)
{
  DatahubError error = { 0 };
  DatahubProducerOptions options;
  DatahubProducer *producer;
  char line[1024];
  if (argc < 5)
    return 2;
  datahub_producer_options_init (&options);
  options.slot_size = strtoull (argv[2], NULL, 10);
  options.slots = (uint32_t) strtoul (argv[3], NULL, 10);
  options.ring_size = (uint32_t) strtoul (argv[4], NULL, 10);
  options.checksum = argc > 5 ? (DatahubChecksum) atoi (argv[5]) : 0;
  if (datahub_producer_create (argv[1], &options, &producer, &error)
          != DATAHUB_OK
      || datahub_producer_publish (producer, &error) != DATAHUB_OK)
    fail ("create", &error);
  printf ("done\n");
  fflush (stdout);
  while (fgets (line, sizeof line, stdin)) {
    line[strcspn (line, "\n")] = 0;
    if (strcmp (line, "close") == 0)
      break;
    if (!obey (producer, line)) {
      fprintf (stderr, "no command: %s\n", line);
      return 2;
    }
    printf ("done\n");
    fflush (stdout);
  }
  datahub_producer_close (producer);
  printf ("done\n");
  return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every field of every structure that processes share, set to values that hurt,
 * one at a time and with the check sum of the header made right again: whoever
 * opens the block refuses it with a sentence, or copes. Both with a dead
 * producer and beside a live one that goes on.
 *
 * The list of fields is held to the structures by a test: it covers each of them
 * from its first byte to its last. */
#include "hostile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* FIELD is one number, ARRAY several of the same width, HOLE is what other
 * lines describe (a structure inside of another). */
#define SHARED_FIELDS(FIELD, ARRAY, HOLE)                                      \
  FIELD (BlockIdentity, magic)                                                 \
  FIELD (BlockIdentity, endian)                                                \
  FIELD (BlockIdentity, major)                                                 \
  FIELD (BlockIdentity, minor)                                                 \
  FIELD (BlockIdentity, header_size)                                           \
  FIELD (BlockIdentity, line)                                                  \
  FIELD (BlockIdentity, feat_incompat)                                         \
  FIELD (BlockIdentity, feat_ro_compat)                                        \
  FIELD (BlockIdentity, feat_compat)                                           \
  ARRAY (BlockIdentity, uuid)                                                  \
  FIELD (BlockIdentity, epoch)                                                 \
  FIELD (BlockIdentity, ctl_size)                                              \
  FIELD (BlockIdentity, con_size)                                              \
  FIELD (BlockIdentity, dat_size)                                              \
  FIELD (BlockIdentity, n_slots)                                               \
  FIELD (BlockIdentity, n_recs)                                                \
  FIELD (BlockIdentity, slot_stride)                                           \
  FIELD (BlockIdentity, ring_size)                                             \
  FIELD (BlockIdentity, rec_stride)                                            \
  FIELD (BlockIdentity, max_rows)                                              \
  FIELD (BlockIdentity, row_stride)                                            \
  FIELD (BlockIdentity, pin_words)                                             \
  FIELD (BlockIdentity, max_quota)                                             \
  FIELD (BlockIdentity, n_sections)                                            \
  FIELD (BlockIdentity, section_off)                                           \
  ARRAY (BlockIdentity, secret_tag)                                            \
  FIELD (BlockIdentity, created_ns)                                            \
  FIELD (BlockIdentity, owner_uid)                                             \
  FIELD (BlockIdentity, producer_pid)                                          \
  FIELD (BlockIdentity, lease_budget)                                          \
  FIELD (BlockIdentity, con_rows_off)                                          \
  FIELD (BlockIdentity, zone_off)                                              \
  FIELD (BlockIdentity, zone_size)                                             \
  FIELD (BlockIdentity, shared_zone_off)                                       \
  FIELD (BlockIdentity, shared_zone_size)                                      \
  FIELD (BlockIdentity, claims_off)                                            \
  FIELD (BlockIdentity, layout_hash)                                           \
  FIELD (BlockIdentity, header_check)                                          \
  HOLE (BlockHeader, identity)                                                 \
  FIELD (BlockHeader, head)                                                    \
  FIELD (BlockHeader, wake)                                                    \
  FIELD (BlockHeader, state)                                                   \
  ARRAY (BlockHeader, pad0)                                                    \
  FIELD (BlockHeader, tail)                                                    \
  FIELD (BlockHeader, tail_claim)                                              \
  FIELD (BlockHeader, last_key_seq)                                            \
  FIELD (BlockHeader, last_buffer_seq)                                         \
  FIELD (BlockHeader, flush_seq)                                               \
  ARRAY (BlockHeader, pad1)                                                    \
  FIELD (BlockHeader, heartbeat)                                               \
  FIELD (BlockHeader, incarnation)                                             \
  FIELD (BlockHeader, producer_waiting)                                        \
  FIELD (BlockHeader, next_gen)                                                \
  FIELD (BlockHeader, pool_changes)                                            \
  FIELD (BlockHeader, pad2)                                                    \
  FIELD (BlockHeader, room_wanted)                                             \
  ARRAY (BlockHeader, pad3)                                                    \
  FIELD (BlockHeader, buffers)                                                 \
  FIELD (BlockHeader, records)                                                 \
  FIELD (BlockHeader, bytes)                                                   \
  FIELD (BlockHeader, dropped)                                                 \
  FIELD (BlockHeader, evictions)                                               \
  FIELD (BlockHeader, reaped)                                                  \
  HOLE (BlockHeader, more)                                                     \
  ARRAY (BlockHeader, pad4)                                                    \
  ARRAY (BlockHeader, next_uuid)                                               \
  ARRAY (BlockHeader, prev_uuid)                                               \
  FIELD (BlockHeader, clock_turn)                                              \
  ARRAY (BlockHeader, pad5)                                                    \
  HOLE (BlockHeader, clock)                                                    \
  FIELD (BlockHeader, share)                                                   \
  ARRAY (BlockHeader, pad6)                                                    \
  FIELD (ProducerCounters, wakes)                                              \
  FIELD (ProducerCounters, waits)                                              \
  FIELD (ProducerCounters, growths)                                            \
  FIELD (ProducerCounters, given_up)                                           \
  FIELD (ProducerCounters, copied)                                             \
  FIELD (ClockPair, monotonic_ns)                                              \
  FIELD (ClockPair, realtime_ns)                                               \
  ARRAY (ClockPair, boot_id)                                                   \
  FIELD (ErrorEntry, turn)                                                     \
  FIELD (ErrorEntry, code)                                                     \
  FIELD (ErrorEntry, count)                                                    \
  FIELD (ErrorEntry, first_ns)                                                 \
  FIELD (ErrorEntry, last_ns)                                                  \
  ARRAY (ErrorEntry, text)                                                     \
  FIELD (BlockSection, kind)                                                   \
  FIELD (BlockSection, flags)                                                  \
  FIELD (BlockSection, offset)                                                 \
  FIELD (BlockSection, size)                                                   \
  FIELD (BlockSection, count)                                                  \
  FIELD (BlockSection, stride)                                                 \
  FIELD (PoolEntry, gen)                                                       \
  FIELD (PoolEntry, kind)                                                      \
  FIELD (PoolEntry, n_slots)                                                   \
  FIELD (PoolEntry, reserved)                                                  \
  FIELD (PoolEntry, stride)                                                    \
  FIELD (PoolEntry, size)                                                      \
  FIELD (RecordMemory, gen)                                                    \
  FIELD (RecordMemory, slot)                                                   \
  FIELD (RecordMemory, offset)                                                 \
  FIELD (RecordMemory, size)                                                   \
  FIELD (RecordMemory, maxsize)                                                \
  FIELD (BlockRecord, seq)                                                     \
  FIELD (BlockRecord, ordinal)                                                 \
  FIELD (BlockRecord, commit_ns)                                               \
  FIELD (BlockRecord, pts)                                                     \
  FIELD (BlockRecord, dts)                                                     \
  FIELD (BlockRecord, duration)                                                \
  FIELD (BlockRecord, offset)                                                  \
  FIELD (BlockRecord, offset_end)                                              \
  FIELD (BlockRecord, instant_ns)                                              \
  FIELD (BlockRecord, flags)                                                   \
  FIELD (BlockRecord, type)                                                    \
  FIELD (BlockRecord, n_mem)                                                   \
  FIELD (BlockRecord, meta_size)                                               \
  FIELD (BlockRecord, meta_gen)                                                \
  FIELD (BlockRecord, meta_slot)                                               \
  FIELD (BlockRecord, meta_offset)                                             \
  ARRAY (BlockRecord, ctx)                                                     \
  ARRAY (BlockRecord, ctx_seq)                                                 \
  FIELD (BlockRecord, checksum_kind)                                           \
  FIELD (BlockRecord, reserved0)                                               \
  ARRAY (BlockRecord, checksum)                                                \
  HOLE (BlockRecord, mem)                                                      \
  FIELD (BlockRecord, incarnation)                                             \
  ARRAY (BlockRecord, inline_bytes)                                            \
  FIELD (ConsumerRow, gate)                                                    \
  FIELD (ConsumerRow, cursor)                                                  \
  FIELD (ConsumerRow, received)                                                \
  FIELD (ConsumerRow, lost)                                                    \
  FIELD (ConsumerRow, heartbeat)                                               \
  FIELD (ConsumerRow, expired)                                                 \
  ARRAY (ConsumerRow, reserved0)                                               \
  FIELD (ConsumerRow, incarnation)                                             \
  FIELD (ConsumerRow, state)                                                   \
  FIELD (ConsumerRow, mode)                                                    \
  FIELD (ConsumerRow, quota)                                                   \
  FIELD (ConsumerRow, pid)                                                     \
  FIELD (ConsumerRow, requests)                                                \
  FIELD (ConsumerRow, pools_seen)                                              \
  ARRAY (ConsumerRow, name)                                                    \
  FIELD (ConsumerRow, claim)                                                   \
  FIELD (ConsumerRow, departures)                                              \
  ARRAY (ConsumerRow, reserved1)                                               \
  FIELD (RowExtra, owner)                                                      \
  FIELD (RowExtra, event)                                                      \
  FIELD (RowExtra, limits)                                                     \
  FIELD (RowExtra, latency_sum_ns)                                             \
  FIELD (RowExtra, latency_count)                                              \
  FIELD (RowExtra, latency_max_ns)                                             \
  FIELD (RowExtra, over_quota)                                                 \
  ARRAY (RowExtra, reserved)                                                   \
  ARRAY (RowExtra, event_bytes)                                                \
  ARRAY (RowExtra, limits_bytes)                                               \
  FIELD (UserLock, owner)                                                      \
  FIELD (UserLock, contended)                                                  \
  FIELD (UserLock, turn)                                                       \
  FIELD (UserLock, depth)                                                      \
  FIELD (UserLock, reclaims)                                                   \
  FIELD (UserLock, max_hold_ns)                                                \
  FIELD (UserLock, acquisitions)                                               \
  ARRAY (UserLock, name)                                                       \
  ARRAY (WakePage, waiters)                                                    \
  ARRAY (WakePage, pad0)                                                       \
  FIELD (WakePage, rows_hwm)                                                   \
  ARRAY (WakePage, pad1)                                                       \
  FIELD (WakePage, room)                                                       \
  ARRAY (WakePage, pad2)                                                       \
  FIELD (WakePage, attention)                                                  \
  FIELD (WakePage, joins)                                                      \
  ARRAY (WakePage, pad3)                                                       \
  FIELD (WakePage, registry_dirty)                                             \
  ARRAY (WakePage, pad_registry)                                               \
  HOLE (WakePage, user_locks)                                                  \
  ARRAY (WakePage, pad4)                                                       \
  FIELD (WakePage, magic)                                                      \
  ARRAY (WakePage, uuid)                                                       \
  ARRAY (WakePage, pad5)                                                       \
  FIELD (PoolPage, magic)                                                      \
  ARRAY (PoolPage, uuid)                                                       \
  FIELD (PoolPage, gen)                                                        \
  FIELD (PoolPage, kind)                                                       \
  FIELD (PoolPage, n_slots)                                                    \
  FIELD (PoolPage, reserved)                                                   \
  FIELD (PoolPage, stride)                                                     \
  FIELD (LockPage, magic)                                                      \
  ARRAY (LockPage, uuid)                                                       \
  FIELD (LockPage, major)                                                      \
  FIELD (LockPage, producer_pid)                                               \
  FIELD (LockPage, max_rows)                                                   \
  FIELD (LockPage, flags)

typedef enum
{
  OF_BlockIdentity,
  OF_BlockHeader,
  OF_ProducerCounters,
  OF_ClockPair,
  OF_ErrorEntry,
  OF_BlockSection,
  OF_PoolEntry,
  OF_RecordMemory,
  OF_BlockRecord,
  OF_ConsumerRow,
  OF_RowExtra,
  OF_UserLock,
  OF_WakePage,
  OF_PoolPage,
  OF_LockPage,
  OF_Word, /* of the ring, sticky, or of pins: no structure */
  N_STRUCTURES
} Structure;

typedef struct
{
  Structure of;
  const char *name;
  uint32_t offset, size;
  uint32_t width; /* of one number; 0: a structure of its own */
} Field;

#define AS_FIELD(type, name)                                                   \
  { OF_##type, #type "." #name, offsetof (type, name),                         \
    sizeof ((type *) 0)->name, sizeof ((type *) 0)->name },
#define AS_ARRAY(type, name)                                                   \
  { OF_##type, #type "." #name, offsetof (type, name),                         \
    sizeof ((type *) 0)->name, sizeof ((type *) 0)->name[0] },
#define AS_HOLE(type, name)                                                    \
  { OF_##type, #type "." #name, offsetof (type, name),                         \
    sizeof ((type *) 0)->name, 0 },

static const Field fields[] = { SHARED_FIELDS (AS_FIELD, AS_ARRAY, AS_HOLE) };
#define N_FIELDS (sizeof fields / sizeof fields[0])

static const uint32_t structure_sizes[N_STRUCTURES] = {
  [OF_BlockIdentity] = sizeof (BlockIdentity),
  [OF_BlockHeader] = sizeof (BlockHeader),
  [OF_ProducerCounters] = sizeof (ProducerCounters),
  [OF_ClockPair] = sizeof (ClockPair),
  [OF_ErrorEntry] = sizeof (ErrorEntry),
  [OF_BlockSection] = sizeof (BlockSection),
  [OF_PoolEntry] = sizeof (PoolEntry),
  [OF_RecordMemory] = sizeof (RecordMemory),
  [OF_BlockRecord] = sizeof (BlockRecord),
  [OF_ConsumerRow] = sizeof (ConsumerRow),
  [OF_RowExtra] = sizeof (RowExtra),
  [OF_UserLock] = sizeof (UserLock),
  [OF_WakePage] = sizeof (WakePage),
  [OF_PoolPage] = sizeof (PoolPage),
  [OF_LockPage] = sizeof (LockPage),
};

static void
nothing_is_forgotten (void)
{
  for (uint32_t of = 0; of < OF_Word; of++) {
    uint32_t end = 0;
    for (size_t i = 0; i < N_FIELDS; i++) {
      if ((uint32_t) fields[i].of != of)
        continue;
      if (fields[i].offset != end)
        check_fail (__FILE__, __LINE__, "%s begins at %u, not at %u",
            fields[i].name, fields[i].offset, end);
      end = fields[i].offset + fields[i].size;
    }
    CHECK_INT (end, ==, structure_sizes[of]);
  }
}

/* The files of a block, and where in them structures lie. */
typedef enum
{
  FILE_CTL,
  FILE_CON,
  FILE_LCK,
  FILE_SMALL,
  FILE_PAYLOAD,
  N_FILES
} File;
static const char *const suffixes[N_FILES] = { ".ctl", ".con", ".lck", ".d1",
  ".d2" };

#define INSTANCES_MAX 64

typedef struct
{
  Intrusion files[N_FILES];
  struct
  {
    Structure of;
    File file;
    uint64_t at;
  } instances[INSTANCES_MAX];
  uint32_t n_instances;
  uint64_t seed;
} Image;

static void
add (Image *image, Structure of, File file, uint64_t at)
{
  CHECK_INT (image->n_instances, <, INSTANCES_MAX);
  image->instances[image->n_instances].of = of;
  image->instances[image->n_instances].file = file;
  image->instances[image->n_instances++].at = at;
}

static void
add_records (Image *image, const BlockIdentity *id, const BlockSection *ring,
    uint64_t records, uint32_t n)
{
  for (uint32_t s = 0; s < n; s++) {
    uint64_t word, at;
    memcpy (&word, image->files[FILE_CTL].bytes + ring->offset + 8 * s, 8);
    at = records + (uint64_t) RING_RECORD (word) * id->rec_stride;
    add (image, OF_BlockRecord, FILE_CTL, at);
    add (image, OF_RecordMemory, FILE_CTL, at + offsetof (BlockRecord, mem));
  }
}

/* Behind the pins, on a line boundary. */
static uint64_t
row_extra_of (const BlockIdentity *id)
{
  return (sizeof (ConsumerRow) + 8 * id->pin_words + 63) / 64 * 64;
}

static Image
image_open (void)
{
  Image image = { .seed = 1 };
  const uint8_t *ctl;
  const BlockIdentity *id;
  const BlockSection *sections;
  for (int i = 0; i < N_FILES; i++)
    image.files[i] = intrude (suffixes[i]);
  ctl = image.files[FILE_CTL].bytes;
  id = (const BlockIdentity *) ctl;
  sections = (const BlockSection *) (ctl + sizeof (BlockHeader));
  add (&image, OF_BlockIdentity, FILE_CTL, 0);
  add (&image, OF_BlockHeader, FILE_CTL, 0);
  add (&image, OF_ProducerCounters, FILE_CTL, offsetof (BlockHeader, more));
  for (uint32_t i = 0; i < N_CLOCK_PAIRS; i++)
    add (&image, OF_ClockPair, FILE_CTL,
        offsetof (BlockHeader, clock) + i * sizeof (ClockPair));
  for (uint32_t i = 0; i < N_SECTIONS + 1; i++)
    add (&image, OF_BlockSection, FILE_CTL,
        sizeof (BlockHeader) + i * sizeof (BlockSection));
  for (uint32_t i = 0; i < 2; i++) /* one in use, one free */
    add (&image, OF_ErrorEntry, FILE_CTL,
        sections[4].offset + i * sizeof (ErrorEntry));
  for (uint32_t i = 0; i < 3; i++) /* small, payload, free */
    add (&image, OF_PoolEntry, FILE_CTL,
        sections[0].offset + i * sizeof (PoolEntry));
  for (uint32_t i = 0; i < N_STICKY; i++)
    add (&image, OF_Word, FILE_CTL, sections[1].offset + 8 * i);
  for (uint32_t i = 0; i < 4; i++)
    add (&image, OF_Word, FILE_CTL, sections[2].offset + 8 * i);
  add_records (&image, id, &sections[2], sections[3].offset, 3);
  add (&image, OF_WakePage, FILE_CON, 0);
  add (&image, OF_UserLock, FILE_CON, offsetof (WakePage, user_locks));
  for (uint64_t i = 0; i < 2; i++) {
    uint64_t row = id->con_rows_off + i * id->row_stride;
    add (&image, OF_ConsumerRow, FILE_CON, row);
    add (&image, OF_RowExtra, FILE_CON, row + row_extra_of (id));
    add (&image, OF_Word, FILE_CON, row + offsetof (ConsumerRow, pins));
  }
  add (&image, OF_PoolPage, FILE_SMALL, 0);
  add (&image, OF_PoolPage, FILE_PAYLOAD, 0);
  add (&image, OF_LockPage, FILE_LCK, 0);
  return image;
}

static void
image_restore (Image *image)
{
  for (int i = 0; i < N_FILES; i++)
    memcpy (image->files[i].bytes, image->files[i].saved,
        i == FILE_CTL || i == FILE_CON || i == FILE_LCK ? image->files[i].size
                                                        : BLOCK_PAGE);
}

static void
image_close (Image *image)
{
  for (int i = 0; i < N_FILES; i++)
    intrusion_end (&image->files[i]);
}

/* What a hostile value is told to do: look whether anybody minds. */
typedef void (*Probe) (void *data);

static void
try_value (Image *image, uint32_t instance, const char *name, uint64_t offset,
    uint32_t width, uint64_t value, Probe probe, void *data)
{
  Intrusion *file = &image->files[image->instances[instance].file];
  uint64_t start = check_now_ns ();
  memcpy (file->bytes + image->instances[instance].at + offset, &value, width);
  if (strcmp (name, "BlockIdentity.header_check") != 0)
    renew_header_check ((BlockIdentity *) image->files[FILE_CTL].bytes);
  probe (data);
  image_restore (image);
  if (check_now_ns () - start > (uint64_t) SOON)
    check_fail (__FILE__, __LINE__, "%s at %u of %s, value %llx: took %llu ms",
        name, (unsigned) offset, suffixes[image->instances[instance].file],
        (unsigned long long) value,
        (unsigned long long) (check_now_ns () - start) / 1000000);
}

static void
try_values (Image *image, uint32_t instance, const char *name, uint64_t offset,
    uint32_t width, Probe probe, void *data)
{
  uint64_t top = UINT64_C (1) << (8 * width - 1);
  const uint64_t values[] = { 0, 1, 2, 3, 63, 64, top, top - 1, UINT64_MAX,
    UINT64_MAX - 1, 4095, 4096, 4097, UINT64_C (1) << 48,
    check_noise (&image->seed),
    check_noise (&image->seed) >> check_noise (&image->seed) % 64 };
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
    try_value (image, instance, name, offset, width, values[i], probe, data);
}

/* Each number of @instance; of an array the first and the last. */
static void
try_instance (Image *image, uint32_t instance, Probe probe, void *data)
{
  Structure of = image->instances[instance].of;
  if (of == OF_Word)
    try_values (image, instance, "a word", 0, 8, probe, data);
  for (size_t i = 0; i < N_FIELDS; i++) {
    const Field *field = &fields[i];
    if (field->of != of || field->width == 0)
      continue;
    try_values (image, instance, field->name, field->offset, field->width,
        probe, data);
    if (field->size > field->width)
      try_values (image, instance, field->name,
          field->offset + field->size - field->width, field->width, probe,
          data);
  }
}

/* Caps that need a slot, a segment, and buffers with metas, all summed up. */
static DatahubProducer *
rich_producer (void)
{
  DatahubProducerOptions options = small_options ();
  char caps[1000];
  options.slots = 4;
  options.ring_size = 4;
  options.max_consumers = 3;
  options.zone_size = 100;
  options.shared_zone_size = 100;
  options.block_timeout_ns = CHECK_MS;
  options.max_bytes = UINT64_C (1) << 20;
  options.checksum = DATAHUB_CHECKSUM_CRC32C;
  DatahubProducer *producer = producer_new ("cam0", &options);
  memset (caps, 'c', sizeof caps - 1);
  caps[sizeof caps - 1] = 0;
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "an error");
  commit_event (producer, DATAHUB_RECORD_STREAM_START, "stream");
  commit_event (producer, DATAHUB_RECORD_CAPS, caps);
  commit_event (producer, DATAHUB_RECORD_SEGMENT, "segment");
  commit_buffers (producer, 0, 1);
  CHECK_OK (datahub_producer_write_zone (producer, 0, "zone", 5, &err));
  return producer;
}

static void
publish_and_die (CheckParent *parent)
{
  DatahubProducer *producer = rich_producer ();
  DatahubSpinlock *lock;
  CHECK_OK (datahub_producer_open_named_spinlock (producer, "name", &lock,
      &err));
  CHECK_OK (datahub_spinlock_lock (lock, 0));
  check_ready (parent);
  check_until_killed (parent);
}

/* Keeps the files of a dead block: a byte of a row that no consumer takes. */
static int
keep_files (void)
{
  struct flock lock = { .l_type = F_WRLCK,
    .l_whence = SEEK_SET,
    .l_start = LOCK_BYTE_ROW + MAX_ROWS - 1,
    .l_len = 1 };
  int fd = open (check_find_file (".lck"), O_RDWR | O_CLOEXEC);
  CHECK (fd >= 0 && fcntl (fd, F_OFD_SETLK, &lock) == 0);
  return fd;
}

static void
probe_dead (void *data)
{
  *(uint64_t *) data += hostile_read ("cam0");
}

static void
dead_producer (void)
{
  CheckChild child = check_fork_ready (publish_and_die, NULL);
  check_kill (&child);
  int keeper = keep_files ();
  Image image = image_open ();
  uint64_t read = 0;
  CHECK_INT (hostile_read ("cam0"), ==, 9);
  image_restore (&image);
  for (uint32_t i = 0; i < image.n_instances; i++)
    try_instance (&image, i, probe_dead, &read);
  check_note ("%llu records read on the way", (unsigned long long) read);
  CHECK_INT (read, >, 1000); /* not all was refused at the server */
  CHECK_INT (hostile_read ("cam0"), ==, 9);
  image_close (&image);
  close (keeper);
  datahub_block_reclaim (false, NULL, NULL, NULL);
}

typedef struct
{
  DatahubProducer *producer;
  uint64_t n, committed;
} Live;

/* The producer goes on too; what it may not do is fail as if it were broken, but
 * for growth, which needs numbers of the header. */
static void
probe_live (void *data)
{
  Live *live = data;
  for (int i = 0; i < 2; i++) {
    DatahubResult result =
        try_commit (live->producer, live->n++, 1000, 2 * CHECK_MS);
    live->committed += result == DATAHUB_OK;
    if (result >= DATAHUB_ERROR_FIRST && result != DATAHUB_ERROR_SYSTEM)
      check_fail (__FILE__, __LINE__, "%s: %s", datahub_result_name (result),
          err.message);
  }
  datahub_producer_take_requests (live->producer);
  hostile_read ("cam0");
}

static void
live_producer (void)
{
  Live live = { .producer = rich_producer () };
  Image image = image_open ();
  for (uint32_t i = 0; i < image.n_instances; i++)
    try_instance (&image, i, probe_live, &live);
  check_note ("%llu of %llu buffers committed",
      (unsigned long long) live.committed, (unsigned long long) live.n);
  CHECK_INT (live.committed, >, live.n / 2);
  image_close (&image);
  datahub_producer_close (live.producer);
}

static const CheckTest tests[] = {
  { "the list of shared fields covers every structure", nothing_is_forgotten },
  { "any value in any shared field of a dead block is refused or coped with",
      dead_producer },
  { "any value in any shared field of a live block is refused or coped with",
      live_producer },
};
CHECK_MAIN (tests)

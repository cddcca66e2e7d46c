/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image.h"

#include "lib/core/fixture.h"

#include "core/block/block-private.h"

#include <datahub/core.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_ROOM (UINT64_C (1) << 20) /* an input may make a file this long */
#define WINDOWS_MAX 64

/* The parts of the block; the entry is a second link to lck. */
enum
{
  FILE_CTL,
  FILE_CON,
  FILE_LCK,
  FILE_SMALL,
  FILE_PAYLOAD,
  N_FILES
};
static const char *const parts[N_FILES] = { "ctl", "con", "lck", "d1", "d2" };

typedef struct
{
  int fd;
  uint8_t *bytes; /* FILE_ROOM of them are mapped */
  uint8_t *saved;
  uint64_t size;
  uint64_t length; /* now */
} ImageFile;

typedef struct
{
  uint32_t file;
  uint64_t begin, size;
} Window;

static ImageFile files[N_FILES];
static Window windows[WINDOWS_MAX];
static uint32_t n_windows;
static Uuid uuid; /* the same in every run */
static char folder[64], store[80];
static int folder_fd, store_fd, alive_fd;
static bool is_alive;

static void
remove_folder (void)
{
  const char *const paths[] = { store, folder };
  for (int i = 0; i < 2; i++) {
    DIR *dir = opendir (paths[i]);
    for (struct dirent *entry; dir && (entry = readdir (dir));)
      unlinkat (dirfd (dir), entry->d_name, 0);
    if (dir)
      closedir (dir);
    rmdir (paths[i]);
  }
}

static void
make_folder (void)
{
  const char *parent = getenv ("DATAHUB_FUZZ_DIR");
  snprintf (folder, sizeof folder, "%.40s/datahub-fuzz-XXXXXX",
      parent ? parent : "/dev/shm");
  CHECK (mkdtemp (folder) != NULL);
  snprintf (store, sizeof store, "%s/store", folder);
  CHECK (mkdir (store, 0700) == 0);
  folder_fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  store_fd = open (store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  CHECK (folder_fd >= 0 && store_fd >= 0);
  setenv ("DATAHUB_SHM_DIR", folder, 1);
}

static void
commit_text (DatahubProducer *producer, DatahubRecordType type,
    const void *text, uint32_t size)
{
  DatahubCommit commit = { .struct_size = sizeof (DatahubCommit),
    .type = type,
    .meta = text,
    .meta_size = size };
  CHECK (datahub_producer_commit (producer, &commit, 0, NULL, &err)
      == DATAHUB_OK);
}

static void
commit_payload (DatahubProducer *producer, uint32_t n_memories)
{
  DatahubSlot slot;
  DatahubCommit commit = { .struct_size = sizeof (DatahubCommit),
    .type = DATAHUB_RECORD_BUFFER,
    .n_memories = n_memories,
    .meta = "metas",
    .meta_size = 6,
    .release = false };
  CHECK (datahub_producer_acquire_slot (producer, 3000, 0, &slot, &err)
      == DATAHUB_OK);
  memset (slot.data, 0x5a, 3000);
  for (uint32_t i = 0; i < n_memories; i++)
    commit.memories[i] = (DatahubCommitMemory){ &slot, i * 1000, 1000 };
  CHECK (datahub_producer_commit (producer, &commit, 0, NULL, &err)
      == DATAHUB_OK);
  datahub_producer_abort (producer, &slot);
}

DatahubProducerOptions
image_options (void)
{
  DatahubProducerOptions options;
  datahub_producer_options_init (&options);
  options.slot_size = 4096;
  options.slots = 4;
  options.ring_size = 4;
  options.max_consumers = 2;
  options.max_pinned = 2;
  options.zone_size = 100;
  options.shared_zone_size = 64;
  options.checksum = DATAHUB_CHECKSUM_CRC32C;
  return options;
}

/* The life of the producer, which ends without a close. */
static void
produce (void)
{
  static const char caps[300] = "video/x-raw";
  DatahubProducerOptions options = image_options ();
  DatahubProducer *producer;
  DatahubConsumer *consumer;
  DatahubSpinlock *lock;
  CHECK (datahub_producer_create (IMAGE_CHANNEL, &options, &producer, &err)
      == DATAHUB_OK);
  CHECK (datahub_producer_publish (producer, &err) == DATAHUB_OK);
  CHECK (datahub_consumer_attach (IMAGE_CHANNEL, NULL, &consumer, &err)
      == DATAHUB_OK);
  datahub_producer_note_error (producer, DATAHUB_ERROR_INVALID, "an error");
  commit_text (producer, DATAHUB_RECORD_STREAM_START, "stream", 7);
  commit_text (producer, DATAHUB_RECORD_CAPS, caps, sizeof caps);
  commit_payload (producer, 1);
  commit_payload (producer, 3);
  CHECK (datahub_producer_write_zone (producer, 0, "zone", 5, &err)
      == DATAHUB_OK);
  CHECK (datahub_producer_open_named_spinlock (producer, "name", &lock, &err)
      == DATAHUB_OK);
  datahub_spinlock_lock (lock, 0);
  _exit (0);
}

static void
renew_sum (BlockIdentity *id)
{
  id->header_check = fnv1a (id, offsetof (BlockIdentity, header_check));
}

/* Times, processes and the UUID are not chance here. */
static void
make_equal (void)
{
  BlockHeader *header = (BlockHeader *) files[FILE_CTL].bytes;
  const BlockSection *records = (const BlockSection *) (header + 1) + 3;
  ErrorEntry *error =
      (ErrorEntry *) (files[FILE_CTL].bytes + records[1].offset);
  for (int i = FILE_SMALL; i <= FILE_PAYLOAD; i++)
    memcpy (((PoolPage *) files[i].bytes)->uuid, &uuid, sizeof uuid);
  memcpy (((LockPage *) files[FILE_LCK].bytes)->uuid, &uuid, sizeof uuid);
  ((LockPage *) files[FILE_LCK].bytes)->producer_pid = 1;
  memcpy (((WakePage *) files[FILE_CON].bytes)->uuid, &uuid, sizeof uuid);
  memcpy (header->identity.uuid, &uuid, sizeof uuid);
  header->identity.created_ns = 1;
  header->identity.producer_pid = 1;
  store_seq (&header->heartbeat, 1);
  store_seq (&header->clock_turn, 1);
  memset (header->clock, 1, sizeof header->clock);
  store_seq (&error->first_ns, 1);
  store_seq (&error->last_ns, 1);
  for (uint32_t i = 0; i < records->count; i++)
    ((BlockRecord *) (files[FILE_CTL].bytes + records->offset
         + (uint64_t) i * records->stride))
        ->commit_ns = 1;
  renew_sum (&header->identity);
}

static void
link_file (int from, const char *name, const char *to)
{
  if (linkat (from, name, folder_fd, to, 0) != 0 && errno != EEXIST)
    check_fail (__FILE__, __LINE__, "%s: %m", to);
}

static void
link_all (void)
{
  for (int i = 0; i < N_FILES; i++)
    link_file (store_fd, parts[i],
        name_part (os_user (), &uuid, parts[i]).text);
  link_file (store_fd, "lck", name_entry (os_user (), IMAGE_CHANNEL).text);
}

/* Moves what the producer left into the store, out of everybody's reach. */
static void
take_file (int dir, const char *name)
{
  const char *dot = strrchr (name, '.');
  if (name[0] == '.' || !strcmp (name, "store"))
    return;
  for (int i = 0; dot && i < N_FILES; i++)
    if (!strcmp (dot + 1, parts[i]))
      CHECK (linkat (dir, name, store_fd, parts[i], 0) == 0);
  CHECK (unlinkat (dir, name, 0) == 0);
}

static void
empty_into_store (void)
{
  DIR *dir = opendir (folder);
  CHECK (dir != NULL);
  for (struct dirent *entry; (entry = readdir (dir));)
    take_file (folder_fd, entry->d_name);
  closedir (dir);
}

static void
open_file (ImageFile *file, const char *name)
{
  struct stat st;
  file->fd = openat (store_fd, name, O_RDWR | O_CLOEXEC);
  CHECK (file->fd >= 0 && fstat (file->fd, &st) == 0);
  file->size = file->length = (uint64_t) st.st_size;
  CHECK (file->size <= FILE_ROOM);
  file->bytes =
      mmap (NULL, FILE_ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
  CHECK (file->bytes != MAP_FAILED);
}

static void
add_window (uint32_t file, uint64_t begin, uint64_t size)
{
  CHECK (n_windows < WINDOWS_MAX);
  windows[n_windows++] = (Window){ file, begin, size };
}

static void
add_record_windows (const BlockSection *sections)
{
  add_window (FILE_CTL, sections[1].offset, sections[1].size);
  add_window (FILE_CTL, sections[2].offset, sections[2].size);
  for (uint32_t i = 0; i < sections[2].count; i++) {
    uint64_t word;
    memcpy (&word, files[FILE_CTL].bytes + sections[2].offset + 8 * i, 8);
    add_window (FILE_CTL,
        sections[3].offset + RING_RECORD (word) * (uint64_t) sections[3].stride,
        sizeof (BlockRecord));
  }
}

static void
add_row_windows (const BlockIdentity *id)
{
  add_window (FILE_CON, 0, offsetof (WakePage, user_locks));
  add_window (FILE_CON, offsetof (WakePage, user_locks), 2 * sizeof (UserLock));
  for (uint64_t i = 0; i < 2; i++) /* as far as the words of its extra part */
    add_window (FILE_CON, id->con_rows_off + i * id->row_stride,
        sizeof (ConsumerRow) + 8 * id->pin_words + 2 * BLOCK_LINE);
}

static void
add_windows (uint32_t areas)
{
  const BlockIdentity *id = (const BlockIdentity *) files[FILE_CTL].bytes;
  const BlockSection *sections =
      (const BlockSection *) (files[FILE_CTL].bytes + sizeof (BlockHeader));
  if (areas & AREA_HEADER) {
    add_window (FILE_CTL, 0, sizeof *id);
    add_window (FILE_CTL, sizeof *id, sizeof (BlockHeader) - sizeof *id);
    add_window (FILE_CTL, sizeof (BlockHeader),
        (N_SECTIONS + 1) * sizeof (BlockSection));
    add_window (FILE_CTL, sections[4].offset, 2 * sizeof (ErrorEntry));
  }
  if (areas & AREA_RECORDS)
    add_record_windows (sections);
  if (areas & AREA_POOLS) {
    add_window (FILE_CTL, sections[0].offset, 3 * sizeof (PoolEntry));
    add_window (FILE_SMALL, 0, sizeof (PoolPage));
    add_window (FILE_PAYLOAD, 0, sizeof (PoolPage));
    add_window (FILE_SMALL, BLOCK_PAGE, 512);
    add_window (FILE_PAYLOAD, BLOCK_PAGE, 3000);
  }
  if (areas & AREA_ROWS)
    add_row_windows (id);
  if (areas & AREA_LOCK)
    add_window (FILE_LCK, 0, sizeof (LockPage));
  if (areas & AREA_ZONES) {
    add_window (FILE_CTL, offsetof (BlockIdentity, zone_off), 32);
    add_window (FILE_CTL, id->zone_off, zone_bytes (id->zone_size));
    add_window (FILE_CON, id->shared_zone_off, id->shared_zone_size);
  }
  for (uint32_t i = 0; (areas & AREA_FILES) && i < N_FILES; i++)
    add_window (i, 0, files[i].size);
}

/* A byte of the lock file, for as long as this process. */
static void
hold (uint64_t byte)
{
  int fd = openat (store_fd, "lck", O_RDWR | O_CLOEXEC);
  CHECK (fd >= 0 && os_lock_try (fd, byte) == OS_LOCK_TAKEN);
}

void
image_make (uint32_t areas, bool keep)
{
  int status = 0;
  pid_t pid;
  make_folder ();
  pid = fork ();
  if (pid == 0)
    produce ();
  CHECK (waitpid (pid, &status, 0) == pid && status == 0);
  atexit (remove_folder);
  memset (&uuid, 0x11, sizeof uuid);
  empty_into_store ();
  for (int i = 0; i < N_FILES; i++)
    open_file (&files[i], parts[i]);
  make_equal ();
  for (int i = 0; i < N_FILES; i++) {
    files[i].saved = malloc (files[i].size);
    CHECK (files[i].saved != NULL);
    memcpy (files[i].saved, files[i].bytes, files[i].size);
  }
  add_windows (areas);
  link_all ();
  alive_fd = openat (store_fd, "lck", O_RDWR | O_CLOEXEC);
  CHECK (alive_fd >= 0);
  if (keep)
    hold (LOCK_BYTE_ROW + MAX_ROWS - 1);
}

typedef struct
{
  const uint8_t *at, *end;
} Input;

static uint64_t
take (Input *in, uint32_t n)
{
  uint64_t value = 0;
  for (uint32_t i = 0; i < n && in->at < in->end; i++)
    value |= (uint64_t) *in->at++ << (8 * i);
  return value;
}

static const uint64_t odd_values[] = { UINT64_MAX, UINT64_MAX - 1, INT64_MAX,
  UINT64_C (1) << 63, UINT32_MAX, UINT32_MAX - 1, INT32_MAX, UINT64_C (1) << 31,
  65535, 65534, 32768, 4097, 4096, 4095, 512, 320, 192, 193, 64, 63,
  SEQUENCE_MASK, SEQUENCE_MASK - 1, UINT64_C (1) << 47, 0 };

static void
put (const Window *window, uint64_t offset, const void *bytes, uint64_t size)
{
  ImageFile *file = &files[window->file];
  uint64_t at = window->begin + offset;
  if (at >= file->length || size > file->length - at)
    return;
  memcpy (file->bytes + at, bytes, size);
}

static void
change_length (uint32_t which, uint64_t length)
{
  ImageFile *file = &files[which];
  length %= FILE_ROOM + 1;
  if (ftruncate (file->fd, (off_t) length) == 0)
    file->length = length;
}

/* Kinds: 0 to 3 a number of 1, 2, 4, 8 bytes; 4 to 6 an odd number of 2, 4, 8
 * bytes; 7 so much more or less; 8 a run of one byte; 9 to 14 bytes as they
 * come; 15 another length. */
static void
change_once (Input *in)
{
  const Window *window = &windows[take (in, 1) % n_windows];
  uint64_t offset = take (in, 2) % (window->size ? window->size : 1);
  uint32_t kind = (uint32_t) take (in, 1), n;
  uint8_t bytes[255];
  uint64_t value;
  switch (kind & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
      value = take (in, 1u << (kind & 3));
      put (window, offset, &value, 1u << (kind & 3));
      return;
    case 4:
    case 5:
    case 6:
      value =
          odd_values[take (in, 1) % (sizeof odd_values / sizeof odd_values[0])];
      put (window, offset & ~UINT64_C (1), &value, 2u << ((kind & 15) - 4));
      return;
    case 7:
      offset &= ~UINT64_C (7);
      if (window->begin + offset + 8 > files[window->file].length)
        return;
      memcpy (&value, files[window->file].bytes + window->begin + offset, 8);
      value += (uint64_t) (int64_t) (int8_t) take (in, 1);
      put (window, offset, &value, 8);
      return;
    case 8:
      n = (uint32_t) take (in, 1);
      memset (bytes, (int) take (in, 1), sizeof bytes);
      put (window, offset, bytes, n);
      return;
    case 15:
      change_length (window->file, take (in, 3));
      return;
    default:
      n = (uint32_t) take (in, 1);
      for (uint32_t i = 0; i < n; i++)
        bytes[i] = (uint8_t) take (in, 1);
      put (window, offset, bytes, n);
  }
}

static void
set_alive (bool alive)
{
  if (alive && !is_alive)
    CHECK (os_lock_try (alive_fd, LOCK_BYTE_PRODUCER) == OS_LOCK_TAKEN);
  if (!alive && is_alive)
    os_lock_drop (alive_fd, LOCK_BYTE_PRODUCER);
  is_alive = alive;
}

uint32_t
image_change (const uint8_t *data, size_t size)
{
  Input in = { data, data + size };
  uint32_t switches = (uint32_t) take (&in, 1);
  while (in.at < in.end)
    change_once (&in);
  if (!(switches & SWITCH_BAD_SUM)
      && files[FILE_CTL].length >= sizeof (BlockIdentity))
    renew_sum ((BlockIdentity *) files[FILE_CTL].bytes);
  set_alive (switches & SWITCH_ALIVE);
  return switches;
}

/* What others made in the folder, and names that they removed. */
static void
restore_names (void)
{
  DIR *dir = opendir (folder);
  CHECK (dir != NULL);
  for (struct dirent *entry; (entry = readdir (dir));)
    if (entry->d_name[0] != '.' && strcmp (entry->d_name, "store") != 0)
      unlinkat (folder_fd, entry->d_name, 0);
  closedir (dir);
  link_all ();
}

void
image_restore (void)
{
  set_alive (false);
  restore_names ();
  for (int i = 0; i < N_FILES; i++) {
    ImageFile *file = &files[i];
    struct stat st;
    /* whoever removed a pool has punched it too */
    if (fstat (file->fd, &st) < 0 || (uint64_t) st.st_size != file->size)
      CHECK (ftruncate (file->fd, (off_t) file->size) == 0);
    memcpy (file->bytes, file->saved, file->size);
    file->length = file->size;
  }
}

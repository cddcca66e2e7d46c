/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Feeds a target with files: what fuzzers found once is tried by every build,
 * with any compiler. replay-TARGET FILE|FOLDER... */
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MAX (1u << 20)
/* Longest that one input may take, as with the fuzzers. */
#define INPUT_SECONDS 60

static uint32_t n_inputs;

static void
feed (const char *path)
{
  /* as long as the input and no longer, for those who look at bounds */
  static uint8_t room[INPUT_MAX];
  FILE *file = fopen (path, "rbe");
  size_t size = file ? fread (room, 1, sizeof room, file) : 0;
  uint8_t *input = malloc (size ? size : 1);
  if (!file || !input) {
    fprintf (stderr, "%s cannot be read\n", path);
    exit (2);
  }
  fclose (file);
  memcpy (input, room, size);
  printf ("%s\n", path);
  fflush (stdout);
  alarm (INPUT_SECONDS);
  LLVMFuzzerTestOneInput (input, size);
  alarm (0);
  free (input);
  n_inputs++;
}

static void
feed_folder (const char *path)
{
  DIR *folder = opendir (path);
  if (!folder)
    return;
  for (struct dirent *entry; (entry = readdir (folder));) {
    char file[4096];
    if (entry->d_name[0] == '.')
      continue;
    snprintf (file, sizeof file, "%s/%s", path, entry->d_name);
    feed (file);
  }
  closedir (folder);
}

int
main (int argc, char **argv)
{
  LLVMFuzzerInitialize (&argc, &argv);
  for (int i = 1; i < argc; i++) {
    struct stat st;
    if (stat (argv[i], &st) == 0 && S_ISDIR (st.st_mode))
      feed_folder (argv[i]);
    else
      feed (argv[i]);
  }
  printf ("%u inputs\n", n_inputs);
  return n_inputs ? 0 : 1; /* an empty corpus tests nothing */
}

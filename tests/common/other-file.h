/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is no plain file, to be put where a file is expected. */
#ifndef TESTS_OTHER_FILE_H
#define TESTS_OTHER_FILE_H

typedef enum
{
  OTHER_FILE_DIRECTORY,
  OTHER_FILE_FIFO,
  OTHER_FILE_LINK, /* to a file that can be read */
  OTHER_FILE_DANGLING_LINK,
  OTHER_FILE_SOCKET,
  OTHER_FILE_DEVICE, /* needs root */
  N_OTHER_FILES
} OtherFile;

/* Returns 0, or the errno of the system call that failed. */
int other_file_make (OtherFile kind, const char *path);
/* remove() is for all of them. */

#endif /* TESTS_OTHER_FILE_H */

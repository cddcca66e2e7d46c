/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of another process; see process.c. */
#ifndef DATAHUB_PROCESS_PRIVATE_H
#define DATAHUB_PROCESS_PRIVATE_H

#include <glib.h>

typedef enum
{
  PROCESS_UNKNOWN, /* it cannot be examined, or there is none */
  PROCESS_RUNS,
  PROCESS_STOPPED /* by a signal, or by a debugger */
} ProcessState;

char *process_space (void);
ProcessState process_look (int pid);

#endif /* DATAHUB_PROCESS_PRIVATE_H */

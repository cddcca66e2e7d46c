/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Visits to the server of a strict block, word by word, as a consumer of bad manners
 * makes them. Block UUIDs are text. */
#ifndef TESTS_CORE_VISIT_H
#define TESTS_CORE_VISIT_H

#include "fixture.h"

#include "core/block/strict-protocol-private.h"

/* What the server says to a greeting, and what it hands over. */
typedef struct
{
  int fd;
  StrictAnswer answer;
  int fds[OS_FDS_MAX];
  uint32_t n_fds;
} Visit;

/* A connection on which nothing was said yet; -1 where the server refuses it. */
int visit_knock (const char *uuid);
/* The greeting of a consumer without a ticket. */
StrictHello visit_greeting (const char *uuid);
/* Waits for the answer; its status is UINT32_MAX where there is none. */
void visit_hear (Visit *visit);
/* Knocks, says that, and hears the answer. */
Visit visit_call (const char *uuid, const void *hello, size_t size);
/* Closes all that it was handed. */
void visit_leave (Visit *visit);
/* A whole visit; whoever is refused must be handed nothing. */
uint32_t visit_status (const char *uuid, const void *hello, size_t size);

#endif /* TESTS_CORE_VISIT_H */

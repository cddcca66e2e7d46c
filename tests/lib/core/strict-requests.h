/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Visits to the server of a strict block, word by word, as a consumer of bad manners
 * makes them. Block UUIDs are text. */
#ifndef TESTS_CORE_STRICT_REQUESTS_H
#define TESTS_CORE_STRICT_REQUESTS_H

#include "fixture.h"

#include "core/block/strict-protocol-private.h"

/* What the server says to a greeting, and what it hands over. */
typedef struct
{
  int fd;
  StrictAnswer answer;
  int fds[OS_FDS_MAX];
  uint32_t n_fds;
} StrictRequest;

/* A connection on which nothing was said yet; -1 where the server refuses it. */
int strict_request_knock (const char *uuid);
/* The greeting of a consumer without a ticket. */
StrictHello strict_request_greeting (const char *uuid);
/* Waits for the answer; its status is UINT32_MAX where there is none. */
void strict_request_hear (StrictRequest *request);
/* Knocks, says that, and hears the answer. */
StrictRequest strict_request_call (const char *uuid, const void *hello,
    size_t size);
/* Closes all that it was handed. */
void strict_request_leave (StrictRequest *request);
/* A whole request; whoever is refused must be handed nothing. */
uint32_t strict_request_status (const char *uuid, const void *hello,
    size_t size);

#endif /* TESTS_CORE_STRICT_REQUESTS_H */

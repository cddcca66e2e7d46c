/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The core alone: plain C11 over POSIX, for programs without GLib and for the
 * foreign-function interfaces of other languages. The contract of each function
 * is at its prototype; docs/api.md has what holds for all of them. */
#ifndef DATAHUB_CORE_H
#define DATAHUB_CORE_H

#include <datahub/types.h>
#include <datahub/version.h>
#include <datahub/block.h>
#include <datahub/consumer.h>
#include <datahub/integrity.h>
#include <datahub/lock.h>
#include <datahub/producer.h>
#include <datahub/resources.h>
#include <datahub/ticket.h>
#include <datahub/zone.h>

#endif /* DATAHUB_CORE_H */

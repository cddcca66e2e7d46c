/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_H
#define DATAHUB_H

#include <datahub/core.h>
#include <datahub/keys.h>
#include <datahub/hub.h>
#include <datahub/broker.h>

#endif /* DATAHUB_H */
